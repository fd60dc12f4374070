// What is kept before anything is changed: logs, the runtime's own view, files; and resource readings.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "base/shell_word.h"
#include "base/size.h"
#include "os/environment.h"
#include "os/files.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/service_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr uint64_t kFileMost = 64 * kMiB;
constexpr uint32_t kLinesMost = 100'000;

constexpr InputRow kLogs[] = {{"service", Kind::kService, false, {}, "one service"},
                              {"services", Kind::kList, false, {}, "several"},
                              {"lines", Kind::kInteger, false, "100", "how many of the last lines"}};
constexpr InputRow kResources[] = {
    {"service", Kind::kService, true, {}, "the service"},
    {"over", Kind::kDuration, false, "1s", "between the two readings that give the share of a processor"},
    {"memory_most", Kind::kText, false, {}, "fails when it uses more, as in 512MiB"},
    {"cpu_most", Kind::kInteger, false, {}, "fails when it uses more, in percent of one processor"}};
constexpr InputRow kCapture[] = {
    {"services", Kind::kList, false, {}, "whose logs and whose runtime's view are kept"},
    {"files", Kind::kList, false, {}, "files that are kept; of a large one the last 64 MiB"},
    {"lines", Kind::kInteger, false, "1000", "how many of the last lines of each log"},
    {"copy_to",
     Kind::kPath,
     false,
     {},
     "a folder outside of the failing host that gets a copy of everything"},
    {"require_all", Kind::kBoolean, false, "false", "fails when one of them could not be kept"}};

constexpr std::string_view kLogsOutputs[] = {"files", "bytes"};
constexpr std::string_view kResourcesOutputs[] = {"memory_bytes", "cpu_percent", "processes"};
constexpr std::string_view kCaptureOutputs[] = {"directory", "manifest", "sha256", "files", "missing"};

uint32_t lines_wanted(const StepContext& context) {
  return static_cast<uint32_t>(std::clamp<int64_t>(integer_input(context, "lines", 100), 1, kLinesMost));
}

Result<Value> logs(StepContext& context) {
  DR_TRY(const auto services, services_input(context));
  Value::List files;
  uint64_t bytes = 0;
  for (const ServiceConfig* service : services) {
    auto text = context.runtime_of(*service)->logs(lines_wanted(context), context.deadline);
    if (!text.ok()) return std::move(text).error().in("log of " + service->name);
    if (services.size() > 1) fmt::print("==> {} <==\n", service->name);
    fmt::print("{}{}", *text, text->empty() || text->ends_with('\n') ? "" : "\n");
    const Path file = context.directory / (service->name + ".log");
    DR_OK(replace_file(context.fs, file, as_bytes(*text)));
    files.emplace_back(file.native());
    bytes += text->size();
  }
  return Value(Value::Map{{"files", Value(std::move(files))}, {"bytes", Value(bytes)}});
}

std::vector<std::string> logs_by_hand(const StepContext& context) {
  std::vector<std::string> lines;
  const auto services = services_input(context);
  if (!services.ok()) return {"# " + services.error().what};
  for (const ServiceConfig* service : *services)
    for (std::string& line : context.runtime_of(*service)->by_hand("logs")) lines.push_back(std::move(line));
  return lines;
}

Result<Preview> preview_logs(StepContext& context) {
  DR_TRY(const auto services, services_input(context));
  Preview preview{.would = {}, .by_hand = logs_by_hand(context)};
  for (const ServiceConfig* service : services)
    preview.would.push_back(
        fmt::format("keep the last {} lines of {}", lines_wanted(context), service->name));
  return preview;
}

Result<Value> resources(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_input(context));
  DR_TRY(const auto over, duration_input(context, "over"));
  const std::string memory_text = text_input(context, "memory_most");
  uint64_t memory_most = 0;
  if (!memory_text.empty()) {
    DR_TRY(memory_most, parse_bytes(memory_text));
  }
  const auto runtime = context.runtime_of(*service);
  DR_TRY(const runtime::Resources first, runtime->resources(context.deadline));
  const MonoInstant begin = context.clock.mono();
  // Two readings make a share; this is the distance between them, not a wait for anything.
  if (!context.clock.pause(std::min(over.value_or(1s), context.deadline.left(begin)), context.stop))
    return Error{Errc::kCancelled, "stopped"};
  DR_TRY(const runtime::Resources now, runtime->resources(context.deadline));
  const Duration between = std::max<Duration>(context.clock.mono() - begin, 1ms);
  const double percent = 100.0 * static_cast<double>(std::max<Duration>(now.cpu - first.cpu, 0ns).count()) /
                         static_cast<double>(between.count());
  fmt::print("{}: memory {}, processor {:.1f} %, {} processes\n", service->name,
             human_bytes(now.memory_bytes), percent, now.processes);
  if (memory_most > 0 && now.memory_bytes > memory_most)
    return Error{Errc::kFailed, fmt::format("{} uses {} of memory, more than {}", service->name,
                                            human_bytes(now.memory_bytes), human_bytes(memory_most))};
  const int64_t cpu_most = integer_input(context, "cpu_most");
  if (cpu_most > 0 && percent > static_cast<double>(cpu_most))
    return Error{Errc::kFailed, fmt::format("{} uses {:.0f} % of a processor, more than {} %", service->name,
                                            percent, cpu_most)};
  return Value(Value::Map{{"memory_bytes", Value(now.memory_bytes)},
                          {"cpu_percent", Value(percent)},
                          {"processes", Value(now.processes)}});
}

std::vector<std::string> resources_by_hand(const StepContext& context) {
  const auto service = service_input(context);
  if (!service.ok()) return {"# " + service.error().what};
  return context.runtime_of(**service)->by_hand("resources");
}

Result<Preview> preview_resources(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_input(context));
  return Preview{.would = {"read memory and processor time of " + service->name},
                 .by_hand = resources_by_hand(context)};
}

// Puts what is kept into the attempt's folder, and remembers what it is for the manifest.
class Keeper {
 public:
  Keeper(StepContext& context, Path directory, Path copy_to)
      : context_(context), directory_(std::move(directory)), copy_to_(std::move(copy_to)) {}

  // A disk that cannot take it ends the step; a source that gives nothing is only missing.
  Status keep(const std::string& of, std::string name, Result<Bytes> content) {
    if (!content.ok()) {
      fmt::print("cannot keep {}: {}\n", of, content.error().what);
      missing_.emplace_back(Value::Map{{"of", of}, {"why", content.error().what}});
      return {};
    }
    while (!names_.insert(name).second) name = "another-" + name;
    DR_OK(write(name, *content));
    const std::string hash = sha256_hex(*content);
    fmt::print("{}  {} ({})\n", hash, name, human_bytes(content->size()));
    files_.emplace_back(Value::Map{{"name", name},
                                   {"of", of},
                                   {"bytes", Value(content->size())},
                                   {"sha256", hash},
                                   {"taken_at", to_rfc3339(context_.clock.now())}});
    return {};
  }

  Result<Value> finish() {
    if (files_.empty()) return Error{Errc::kFailed, "nothing could be kept: " + to_json(Value(missing_))};
    const std::string manifest = to_json(Value(Value::Map{{"run", context_.run},
                                                          {"step", context_.step},
                                                          {"host", host_name()},
                                                          {"taken_at", to_rfc3339(context_.clock.now())},
                                                          {"files", Value(files_)},
                                                          {"missing", Value(missing_)}})) +
                                 "\n";
    DR_OK(write("manifest.json", to_bytes(as_bytes(manifest))));
    if (!missing_.empty() && boolean_input(context_, "require_all"))
      return Error{Errc::kFailed, "not everything could be kept: " + to_json(Value(missing_))};
    return Value(Value::Map{{"directory", directory_.native()},
                            {"manifest", (directory_ / "manifest.json").native()},
                            {"sha256", sha256_hex(manifest)},
                            {"files", Value(files_)},
                            {"missing", Value(missing_)}});
  }

 private:
  Status write(const std::string& name, const Bytes& bytes) {
    DR_OK(replace_file(context_.fs, directory_ / name, bytes));
    if (copy_to_.empty()) return {};
    return replace_file(context_.fs, copy_to_ / name, bytes);
  }

  StepContext& context_;
  const Path directory_, copy_to_;
  std::set<std::string> names_{"manifest.json"};
  Value::List files_, missing_;
};

Result<Bytes> text_bytes(Result<std::string> text) {
  if (!text.ok()) return std::move(text).error();
  return to_bytes(as_bytes(*text));
}

Result<Bytes> end_of(FileSystem& fs, const Path& path) {
  DR_TRY(const auto file, fs.open_read(path));
  DR_TRY(const uint64_t size, file->size());
  Bytes bytes(std::min(size, kFileMost));
  DR_TRY(const size_t read, file->read_at(size - bytes.size(), bytes));
  bytes.resize(read);
  return bytes;
}

Result<std::vector<const ServiceConfig*>> kept_services(const StepContext& context) {
  if (!input(context, "services")) return std::vector<const ServiceConfig*>();
  return services_input(context);
}

Result<Value> capture(StepContext& context) {
  DR_TRY(const auto services, kept_services(context));
  DR_TRY(const auto files, texts_input(context, "files"));
  if (services.empty() && files.empty())
    return Error{Errc::kInvalid, "input 'services': give 'services' or 'files'"};
  Path copy_to = path_input(context, "copy_to");
  if (!copy_to.empty()) {
    std::string name = fmt::format("{}-{}", context.run, context.step);
    std::replace(name.begin(), name.end(), '/', '-');  // of a nested plan's step
    copy_to /= name;
    DR_OK(create_dirs(context.fs, copy_to));
  }
  // Apart from the attempt's own files, whatever those kept are called.
  const Path directory = context.directory / "evidence";
  DR_OK(create_dirs(context.fs, directory));
  Keeper keeper(context, directory, copy_to);
  for (const ServiceConfig* service : services) {
    const auto runtime = context.runtime_of(*service);
    DR_OK(keeper.keep("log of " + service->name, service->name + ".log",
                      text_bytes(runtime->logs(lines_wanted(context), context.deadline))));
    DR_OK(keeper.keep("inspection of " + service->name, service->name + ".inspect.json",
                      text_bytes(runtime->inspect(context.deadline))));
  }
  for (const std::string& file : files) {
    const Path path = path_of(context, file);
    DR_OK(keeper.keep(path.native(), path.filename().native(), end_of(context.fs, path)));
  }
  return keeper.finish();
}

std::vector<std::string> capture_by_hand(const StepContext& context) {
  std::vector<std::string> lines;
  if (const auto services = kept_services(context); services.ok())
    for (const ServiceConfig* service : *services)
      for (const std::string_view act : {"logs", "inspect"})
        for (const std::string& line : context.runtime_of(*service)->by_hand(act))
          lines.push_back(fmt::format("{} > {}.{}", line, service->name, act));
  if (const auto files = texts_input(context, "files"); files.ok())
    for (const std::string& file : *files)
      lines.push_back(fmt::format("cp -p {} .", shell_word(path_of(context, file).native())));
  lines.emplace_back("sha256sum ./* > SHA256SUMS");
  return lines;
}

Result<Preview> preview_capture(StepContext& context) {
  DR_TRY(const auto services, kept_services(context));
  DR_TRY(const auto files, texts_input(context, "files"));
  Preview preview{.would = {}, .by_hand = capture_by_hand(context)};
  for (const ServiceConfig* service : services)
    preview.would.push_back(
        fmt::format("keep the last {} lines and the inspection of {}", lines_wanted(context), service->name));
  for (const std::string& file : files)
    preview.would.push_back("keep a copy of " + path_of(context, file).native());
  return preview;
}

constexpr StepType kTypes[] = {
    {.name = "service.logs",
     .summary = "keeps and shows the last lines that services printed",
     .inputs = kLogs,
     .outputs = kLogsOutputs,
     .act = logs,
     .preview = preview_logs,
     .by_hand = logs_by_hand},
    {.name = "service.resources",
     .summary = "reads the memory and processor time of a service",
     .inputs = kResources,
     .outputs = kResourcesOutputs,
     .act = resources,
     .preview = preview_resources,
     .by_hand = resources_by_hand},
    {.name = "evidence.capture",
     .summary = "keeps logs, inspections and files as evidence, with time and SHA-256 in a manifest",
     .timeout = std::chrono::minutes(2),
     .inputs = kCapture,
     .outputs = kCaptureOutputs,
     .act = capture,
     .preview = preview_capture,
     .by_hand = capture_by_hand},
};

}  // namespace

std::span<const StepType> evidence_steps() { return kTypes; }

}  // namespace daruma::run
