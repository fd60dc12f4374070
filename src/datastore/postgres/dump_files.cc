#include "datastore/postgres/dump_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "datastore/postgres/dump_text.h"
#include "os/files.h"

namespace daruma::postgres {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The first date in a name, YYYYMMDD or YYYY-MM-DD, and the time after it, HHMMSS or HHMM with or without a
// separator.
struct NameTime {
  std::string date;  // 8 digits
  std::string time;  // 6 digits, or none
};

std::string digits_at(std::string_view name, size_t& at, std::initializer_list<size_t> groups,
                      std::string_view separators) {
  std::string out;
  size_t from = at;
  for (const size_t group : groups) {
    if (!out.empty() && from < name.size() && separators.find(name[from]) != std::string_view::npos) ++from;
    const std::string_view part = name.substr(std::min(from, name.size()), group);
    if (part.size() != group || !std::ranges::all_of(part, is_digit)) return "";
    out += part;
    from += group;
  }
  at = from;
  return out;
}

std::optional<NameTime> time_in(std::string_view name) {
  for (size_t at = 0; at < name.size(); ++at) {
    if (!is_digit(name[at]) || (at > 0 && is_digit(name[at - 1]))) continue;
    size_t end = at;
    NameTime found;
    found.date = digits_at(name, end, {4, 2, 2}, "-");
    if (found.date.empty()) continue;
    if (end < name.size() && std::string_view("_-T").find(name[end]) != std::string_view::npos) ++end;
    size_t seconds_end = end;
    found.time = digits_at(name, seconds_end, {2, 2, 2}, ":-");
    if (found.time.empty() && !(found.time = digits_at(name, end, {2, 2}, ":-")).empty()) found.time += "00";
    return found;
  }
  return std::nullopt;
}

std::optional<Instant> instant_of(const NameTime& name, std::string_view otherwise) {
  const std::string& d = name.date;
  const std::string t = name.time.empty() ? std::string(otherwise) : name.time;
  const auto parsed =
      parse_rfc3339(fmt::format("{}-{}-{}T{}:{}:{}Z", d.substr(0, 4), d.substr(4, 2), d.substr(6, 2),
                                t.substr(0, 2), t.substr(2, 2), t.substr(4, 2)));
  return parsed.ok() ? std::optional(*parsed) : std::nullopt;
}

void find_time(DumpFile& dump, Instant changed, Duration east) {
  dump.taken = changed;
  const auto in_name = time_in(dump.path.filename().string());
  if (!in_name) return;
  const auto named = instant_of(*in_name, "235959");
  if (!named) return;
  const Instant by_name = *named + -east;
  const Duration since_midnight = std::chrono::hours(24);
  const bool same_day = changed <= by_name && by_name - changed <= since_midnight;
  dump.by_name = !in_name->time.empty() || !same_day;
  if (dump.by_name) dump.taken = by_name;
}

Result<DumpFacts> prove_sql(FileSystem& fs, const DumpFile& dump) {
  DR_TRY(const auto text, DumpText::open(fs, dump.path));
  DumpScan scan;
  while (true) {
    DR_TRY(const std::string_view piece, text->next());
    if (piece.empty()) break;
    scan.feed(piece);
  }
  DumpFacts facts = scan.finish();
  if (!facts.complete)
    return Error{Errc::kCorrupt,
                 fmt::format("{} does not end with the line that {} writes last: it was not finished",
                             dump.path.string(), facts.cluster ? "pg_dumpall" : "pg_dump"),
                 "take an older dump, or another copy of this one"};
  return facts;
}

Result<std::string> run_pg_restore(ProcessRunner& processes, const DumpFile& dump, const std::string& option,
                                   Deadline deadline) {
  Command command{{"pg_restore", option, dump.path.string()}};
  command.environment = {{"LC_ALL", "C"}};
  DR_TRY(const ProcessExit ended, processes.run(command, deadline));
  if (ended.code == 0) return ended.output;
  return Error{Errc::kCorrupt,
               fmt::format("pg_restore cannot read {}: {}", dump.path.string(), ended.output.substr(0, 500)),
               "take an older dump, or another copy of this one"};
}

}  // namespace

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (size_t skip = 0; skip <= name.size(); ++skip)
      if (matches(name.substr(skip), pattern.substr(1))) return true;
    return false;
  }
  if (name.empty() || (pattern.front() != '?' && pattern.front() != name.front())) return false;
  return matches(name.substr(1), pattern.substr(1));
}

Result<DumpFile> dump_file(FileSystem& fs, const Path& path, Duration east_of_utc) {
  DR_TRY(const FileInfo info, fs.info(path));
  DumpFile dump;
  dump.path = path;
  const std::string name = path.filename().string();
  const bool sql = name.ends_with(".sql") || name.ends_with(".sql.gz");
  dump.form = sql ? DumpFile::Form::kSql : DumpFile::Form::kArchive;
  dump.bytes = info.size;
  find_time(dump, info.modified, east_of_utc);
  return dump;
}

Result<std::vector<DumpFile>> list_dumps(FileSystem& fs, const Path& directory,
                                         const std::vector<std::string>& patterns, Duration east_of_utc) {
  std::vector<DumpFile> dumps;
  DR_TRY(const auto entries, fs.list_dir(directory));
  for (const DirectoryEntry& entry : entries) {
    const auto fits = [&](const std::string& pattern) { return matches(entry.name, pattern); };
    if (entry.type != FileType::kFile || std::ranges::none_of(patterns, fits)) continue;
    DR_TRY(DumpFile dump, dump_file(fs, directory / entry.name, east_of_utc));
    dumps.push_back(std::move(dump));
  }
  std::ranges::stable_sort(dumps, std::ranges::greater(), &DumpFile::taken);
  return dumps;
}

Result<DumpFacts> prove_dump(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                             Deadline deadline) {
  if (dump.form == DumpFile::Form::kSql) return prove_sql(fs, dump);
  // The list is at the front of an archive; that the rest is there, too, only reading it shows.
  DR_TRY(const std::string list, run_pg_restore(processes, dump, "--list", deadline));
  DR_OK(run_pg_restore(processes, dump, "--file=/dev/null", deadline));
  DumpFacts facts;
  facts.complete = true;
  facts.bytes = dump.bytes;
  constexpr std::string_view kName = "dbname: ";
  if (const size_t at = list.find(kName); at != std::string::npos) {
    const size_t from = at + kName.size();
    facts.databases.push_back(list.substr(from, list.find('\n', from) - from));
  }
  return facts;
}

}  // namespace daruma::postgres
