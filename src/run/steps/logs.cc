// logs.*: what logs of one JSON object a line say (requirements L10, L14, L26); never an endless follow.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/shell_word.h"
#include "probe/json_lines.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr int64_t kMebibytesMost = 256;
constexpr size_t kGroupsMost = 50;
constexpr std::string_view kHealed = "recovered";

constexpr InputRow kService{"service", Kind::kService, false, {}, "whose log: services.NAME.logs"};
constexpr InputRow kFile{"file", Kind::kPath, false, {}, "instead: a file"};
constexpr InputRow kSince{
    "since", Kind::kText, false, {}, "a moment, as in $run.started_at; nothing: all that fits"};
constexpr InputRow kMebibytes{"mebibytes", Kind::kInteger, false, "16", "how much is read, from the end"};

constexpr InputRow kErrors[] = {
    kService,
    kFile,
    kSince,
    kMebibytes,
    {"without", Kind::kText, false, "recovered", "leaves out lines with this word: errors that healed"},
    {"most", Kind::kInteger, false, {}, "fails when there are more"},
};
constexpr InputRow kCodes[] = {kService, kFile, kSince, kMebibytes};
constexpr InputRow kRate[] = {
    kService,
    kFile,
    kSince,
    kMebibytes,
    {"most", Kind::kAny, true, {}, "fails when more percent of the answers were 500 or above"},
    {"fewest", Kind::kInteger, false, "1", "fails when fewer answers are there to judge by"},
};

constexpr std::string_view kErrorsOutputs[] = {"count", "groups", "cut"};
constexpr std::string_view kCodesOutputs[] = {"codes", "total", "server_errors", "cut"};
constexpr std::string_view kRateOutputs[] = {"percent", "total", "server_errors"};

// The log at `member` of a service, or `file`.
Result<Path> log_of(const StepContext& context, Path ServiceLogsConfig::*member, std::string_view word) {
  if (Path file = path_input(context, "file"); !file.empty()) return file;
  if (!input(context, "service")) return Error{Errc::kInvalid, "input 'service': give 'service' or 'file'"};
  DR_TRY(const ServiceConfig* service, service_input(context));
  if (!service->logs || ((*service->logs).*member).empty())
    return Error{Errc::kInvalid, fmt::format("input 'service': '{}' names no {} log", service->name, word),
                 fmt::format("set services.{}.logs.{} in daruma.yaml", service->name, word)};
  return (*service->logs).*member;
}
Result<Path> error_log(const StepContext& context) {
  return log_of(context, &ServiceLogsConfig::error, "error");
}
Result<Path> access_log(const StepContext& context) {
  return log_of(context, &ServiceLogsConfig::access, "access");
}

Result<probe::JsonLines> read_lines(StepContext& context, const Path& file, std::string without) {
  const int64_t mebibytes = std::clamp<int64_t>(integer_input(context, "mebibytes", 16), 1, kMebibytesMost);
  probe::LinesWish wish{.since = std::nullopt,
                        .without = std::move(without),
                        .bytes_most = static_cast<uint64_t>(mebibytes) * kMiB};
  DR_TRY(wish.since, time_input(context, "since"));
  DR_TRY(auto lines, probe::read_json_lines(context.fs, file, wish));
  if (lines.cut) fmt::print("(only the last {} MiB of {} were read)\n", mebibytes, file.native());
  if (lines.unreadable > 0) fmt::print("({} lines are no JSON objects)\n", lines.unreadable);
  return lines;
}

Result<Value> errors(StepContext& context) {
  DR_TRY(const Path file, error_log(context));
  const Value* given = input(context, "without");
  DR_TRY(const auto read, read_lines(context, file, given ? to_text(*given) : std::string(kHealed)));
  Value::List groups;
  for (const probe::LineGroup& group : probe::grouped(read.lines)) {
    if (groups.size() == kGroupsMost) break;
    fmt::print("{:>6}  {}{}{}  (last {})\n", group.count, group.dependency,
               group.dependency.empty() ? "" : ": ", group.message, group.last);
    groups.emplace_back(Value::Map{{"count", Value(group.count)},
                                   {"dependency", group.dependency},
                                   {"message", group.message},
                                   {"first", group.first},
                                   {"last", group.last}});
  }
  fmt::print("{} errors in {}\n", read.lines.size(), file.native());
  const auto count = static_cast<int64_t>(read.lines.size());
  if (input(context, "most") && count > integer_input(context, "most"))
    return Error{Errc::kFailed, fmt::format("{} errors in {}, more than {}", count, file.native(),
                                            integer_input(context, "most"))};
  return Value(Value::Map{{"count", Value(count)}, {"groups", Value(std::move(groups))}, {"cut", read.cut}});
}

struct Codes {
  std::map<int64_t, int64_t> counts;
  int64_t total = 0, server_errors = 0;
  bool cut = false;
};

Result<Codes> read_codes(StepContext& context) {
  DR_TRY(const Path file, access_log(context));
  DR_TRY(const auto read, read_lines(context, file, ""));
  Codes codes{.counts = {}, .total = 0, .server_errors = 0, .cut = read.cut};
  for (const Value& line : read.lines) {
    const int64_t code = line.integer_at("statusCode");
    if (code == 0) continue;
    ++codes.counts[code];
    ++codes.total;
    codes.server_errors += code >= 500;
  }
  for (const auto& [code, count] : codes.counts) fmt::print("{:>7}  {}\n", count, code);
  return codes;
}

Result<Value> status_codes(StepContext& context) {
  DR_TRY(const Codes codes, read_codes(context));
  Value::Map table;
  for (const auto& [code, count] : codes.counts) table.emplace(std::to_string(code), Value(count));
  return Value(Value::Map{{"codes", Value(std::move(table))},
                          {"total", Value(codes.total)},
                          {"server_errors", Value(codes.server_errors)},
                          {"cut", codes.cut}});
}

Result<Value> error_rate(StepContext& context) {
  DR_TRY(const auto most, number_input(context, "most"));
  if (!most) return Error{Errc::kInvalid, "input 'most': must be given"};
  DR_TRY(const Codes codes, read_codes(context));
  const int64_t fewest = integer_input(context, "fewest", 1);
  if (codes.total < fewest)
    return Error{Errc::kFailed,
                 fmt::format("only {} answers to judge by, fewer than {}", codes.total, fewest)};
  const double percent =
      codes.total == 0 ? 0
                       : 100.0 * static_cast<double>(codes.server_errors) / static_cast<double>(codes.total);
  fmt::print("{} of {} answers were server errors: {:.2f} %\n", codes.server_errors, codes.total, percent);
  if (percent > *most)
    return Error{Errc::kFailed, fmt::format("{:.2f} % of {} answers were server errors, more than {} %",
                                            percent, codes.total, *most)};
  return Value(Value::Map{{"percent", Value(percent)},
                          {"total", Value(codes.total)},
                          {"server_errors", Value(codes.server_errors)}});
}

std::vector<std::string> errors_by_hand(const StepContext& context) {
  const auto file = error_log(context);
  if (!file.ok()) return {"# " + file.error().what};
  const Value* given = input(context, "without");
  return {fmt::format("tail -n 10000 {} | grep -v {} | tail -n 100", shell_word(file->native()),
                      shell_word(given ? to_text(*given) : std::string(kHealed)))};
}

std::vector<std::string> codes_by_hand(const StepContext& context) {
  const auto file = access_log(context);
  if (!file.ok()) return {"# " + file.error().what};
  return {fmt::format("tail -n 10000 {} | jq '.statusCode' | sort | uniq -c", shell_word(file->native()))};
}

Result<Preview> preview_errors(StepContext& context) {
  DR_TRY(const Path file, error_log(context));
  return Preview{.would = {"read the end of " + file.native()}, .by_hand = errors_by_hand(context)};
}

Result<Preview> preview_codes(StepContext& context) {
  DR_TRY(const Path file, access_log(context));
  return Preview{.would = {"read the end of " + file.native()}, .by_hand = codes_by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "logs.errors",
     .summary = "reads the errors that an error log still has, in groups",
     .inputs = kErrors,
     .outputs = kErrorsOutputs,
     .act = errors,
     .preview = preview_errors,
     .by_hand = errors_by_hand},
    {.name = "logs.status_codes",
     .summary = "counts the status codes of an access log",
     .inputs = kCodes,
     .outputs = kCodesOutputs,
     .act = status_codes,
     .preview = preview_codes,
     .by_hand = codes_by_hand},
    {.name = "logs.error_rate",
     .summary = "checks how many answers of an access log were server errors",
     .inputs = kRate,
     .outputs = kRateOutputs,
     .act = error_rate,
     .preview = preview_codes,
     .by_hand = codes_by_hand},
};

}  // namespace

std::span<const StepType> logs_steps() { return kTypes; }

}  // namespace daruma::run
