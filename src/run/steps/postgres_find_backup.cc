#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "base/table.h"
#include "datastore/postgres/dump_files.h"
#include "datastore/postgres/dump_text.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

using postgres::DumpFacts;
using postgres::DumpFile;

// "+09:00" -> 9 h.
Result<Duration> zone_input(const StepContext& context) {
  const std::string zone = text_input(context, "zone");
  const auto midnight = parse_rfc3339("1970-01-01T00:00:00" + (zone.empty() ? "Z" : zone));
  if (!midnight.ok())
    return Error{Errc::kInvalid, fmt::format("zone: '{}' is none", zone), "write it as +09:00"};
  return Duration(std::chrono::microseconds(-midnight->micros));
}

struct Wanted {
  Path directory;
  std::vector<std::string> patterns;
  std::optional<Instant> before;
  Duration east{};
};

Result<Wanted> wanted(const StepContext& context) {
  Wanted out;
  out.directory = path_input(context, "directory");
  DR_TRY(out.patterns, texts_input(context, "match"));
  if (out.patterns.empty()) out.patterns = {"all_databases_*.sql.gz", "all_databases_*.sql", "*.dump"};
  DR_TRY(out.before, time_input(context, "before"));
  DR_TRY(out.east, zone_input(context));
  return out;
}

bool in_time(const Wanted& wanted, const DumpFile& dump) {
  return !wanted.before || dump.taken < *wanted.before;
}

// A first look, without reading all of it.
std::string first_look(FileSystem& fs, const DumpFile& dump) {
  const auto text = postgres::DumpText::open(fs, dump.path);
  if (!text.ok()) return "cannot be opened";
  const auto piece = (*text)->next();
  if (!piece.ok()) return "damaged";
  const std::string_view head = dump.form == DumpFile::Form::kArchive ? "PGDMP" : "--";
  return piece->starts_with(head) ? "readable" : "not a dump";
}

struct Found {
  DumpFile dump;
  DumpFacts facts;
  std::vector<std::string> passed_over;  // newer ones that did not prove
};

// The newest in time that proves.
Result<Found> newest(StepContext& context, const Wanted& wanted, const std::vector<DumpFile>& dumps) {
  Found found;
  for (const DumpFile& dump : dumps) {
    if (!in_time(wanted, dump)) continue;
    context.say(fmt::format("reads {} ({})", dump.path.filename().string(), human_bytes(dump.bytes)));
    auto facts = prove_dump(context.fs, context.processes, dump, context.deadline);
    if (facts.ok()) {
      found.dump = dump;
      found.facts = *std::move(facts);
      return found;
    }
    if (!facts.is(Errc::kCorrupt)) return std::move(facts).error().in(dump.path.string());
    fmt::print("passed over: {}\n", facts.error().what);
    found.passed_over.push_back(facts.error().what);
  }
  return Error{
      Errc::kNotFound,
      fmt::format("no dump in {} that matches and was taken{} can be restored", wanted.directory.string(),
                  wanted.before ? " before " + to_rfc3339(*wanted.before) : ""),
      fmt::format("{} files match; look for another copy, or restore from a recovery point", dumps.size())};
}

void print_dumps(const StepContext& context, const Wanted& wanted, const std::vector<DumpFile>& dumps) {
  Table table({{"dump"}, {"taken"}, {"told by"}, {"age"}, {"size", Table::Align::kRight}, {""}});
  const Instant reference = wanted.before.value_or(context.clock.now());
  for (const DumpFile& dump : dumps)
    table.row({dump.path.filename().string(), to_rfc3339(dump.taken),
               dump.by_name ? "its name" : "the file's time",
               in_time(wanted, dump) ? human_duration(reference - dump.taken) : "taken too late",
               human_bytes(dump.bytes), first_look(context.fs, dump)});
  fmt::print("{}", table.text());
}

Result<std::vector<DumpFile>> list(const StepContext& context, const Wanted& wanted) {
  DR_TRY(auto dumps, postgres::list_dumps(context.fs, wanted.directory, wanted.patterns, wanted.east));
  if (!boolean_input(context, "only")) return dumps;
  std::erase_if(dumps, [&](const DumpFile& dump) { return !in_time(wanted, dump); });
  if (dumps.size() <= 1) return dumps;
  std::string names;
  for (const DumpFile& dump : dumps) names += (names.empty() ? "" : ", ") + dump.path.filename().string();
  return Error{Errc::kRefused, fmt::format("{} dumps match where one was meant: {}", dumps.size(), names),
               "name it more closely in `match`"};
}

Result<Value> find(StepContext& context) {
  DR_TRY(const Wanted what, wanted(context));
  DR_TRY(const auto dumps, list(context, what));
  print_dumps(context, what, dumps);
  DR_TRY(const Found found, newest(context, what, dumps));
  const Instant reference = what.before.value_or(context.clock.now());
  const Duration age = reference - found.dump.taken;
  fmt::print("chosen: {}, taken {}, {} before {}, read to its end\n", found.dump.path.string(),
             to_rfc3339(found.dump.taken), human_duration(age), to_rfc3339(reference));
  Value::Map counts;
  for (const auto& [table, rows] : found.facts.rows) counts[table] = rows;
  return Value(
      Value::Map{{"source", "file"},
                 {"file", found.dump.path.string()},
                 {"taken_at", to_rfc3339(found.dump.taken)},
                 {"age_seconds", std::chrono::duration_cast<std::chrono::seconds>(age).count()},
                 {"bytes", found.dump.bytes},
                 {"databases", Value::List(found.facts.databases.begin(), found.facts.databases.end())},
                 {"counts", counts},
                 {"passed_over", Value::List(found.passed_over.begin(), found.passed_over.end())}});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string directory = shell_word(text_input(context, "directory"));
  const auto patterns = texts_input(context, "match");
  const std::string pattern =
      patterns.ok() && !patterns->empty() ? patterns->front() : std::string("all_databases_*.sql.gz");
  std::vector<std::string> lines{
      fmt::format("find {} -maxdepth 1 -name '{}' -printf '%TY-%Tm-%TdT%TH:%TM:%TS %s %p\\n' | sort -r",
                  directory, pattern)};
  if (pattern.ends_with(".gz")) {
    lines.push_back("gzip -t FILE");
    lines.push_back("gzip -dc FILE | tail -n 5 | grep 'dump complete'");
  } else {
    lines.push_back("pg_restore --file=/dev/null FILE && pg_restore --list FILE | head -n 12");
  }
  return lines;
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const Wanted what, wanted(context));
  DR_TRY(const auto dumps, list(context, what));
  Preview preview{{}, by_hand(context)};
  const auto first = std::ranges::find_if(dumps, [&](const DumpFile& dump) { return in_time(what, dump); });
  preview.would.push_back(first == dumps.end()
                              ? fmt::format("find no dump in {}", what.directory.string())
                              : fmt::format("read {} ({}) to its end, to prove that it is whole",
                                            first->path.string(), human_bytes(first->bytes)));
  return preview;
}

constexpr InputRow kInputs[] = {
    {.name = "directory", .kind = InputRow::Kind::kPath, .required = true, .help = "where the dumps lie"},
    {.name = "match",
     .kind = InputRow::Kind::kList,
     .help = "names, with * and ?; else all_databases_*.sql.gz, all_databases_*.sql and *.dump"},
    {.name = "before", .help = "a moment, RFC 3339: when the damage began; only older dumps are taken"},
    {.name = "zone", .standard = "+00:00", .help = "in which the times in the names are told"},
    {.name = "only",
     .kind = InputRow::Kind::kBoolean,
     .standard = "false",
     .help = "one dump is meant: more than one that matches is refused"}};
constexpr std::string_view kOutputs[] = {"source", "file",      "taken_at", "age_seconds",
                                         "bytes",  "databases", "counts",   "passed_over"};

}  // namespace

StepType postgres_find_backup_step() {
  return {
      .name = "postgres.find_backup",
      .summary =
          "finds the newest dump from before the damage and proves, by reading all of it, that it is whole",
      .timeout = std::chrono::hours(1),
      .inputs = kInputs,
      .outputs = kOutputs,
      .proves_source = true,
      .act = find,
      .preview = preview,
      .by_hand = by_hand};
}

}  // namespace daruma::run
