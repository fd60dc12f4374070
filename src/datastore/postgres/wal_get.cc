#include "datastore/postgres/wal_get.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/size.h"
#include "datastore/postgres/control_file.h"
#include "datastore/postgres/recovery_config.h"
#include "os/files.h"
#include "repository/log.h"

namespace daruma::postgres {
namespace {

constexpr Duration kRetryAfter = std::chrono::milliseconds(500);

bool worth_retrying(const Error& error) {
  return error.code == Errc::kUnavailable || error.code == Errc::kFailed || error.code == Errc::kNotFound;
}

Result<ControlFile> read_control(FileSystem& fs, const Path& data_directory) {
  DR_TRY(const Bytes bytes, read_file(fs, data_directory / "global/pg_control", 64 * kKiB));
  return parse_control_file(bytes);
}

// A second name for what restore put into pg_wal. False: it is not there, or not whole.
Result<bool> link_local(FileSystem& fs, const WalGetRequest& request, SegmentSize segment_size) {
  const Path local = request.data_directory / "pg_wal" / request.file;
  const auto info = fs.info(local);
  if (info.is(Errc::kNotFound)) return false;
  DR_OK(info);
  const bool is_segment = parse_segment_name(request.file, segment_size).ok();
  if (is_segment && info->size != segment_size.bytes) return false;
  const Path destination = request.data_directory / request.destination;
  if (const auto left_over = fs.info(destination); left_over.ok()) DR_OK(fs.remove_file(destination));
  DR_OK(fs.link(local, destination));
  return true;
}

// Whether WAL of this timeline is held before and after `position`, but not there: PostgreSQL would take the
// hole for the end of the log, and promote.
bool is_hole(const LogReader& log, Timeline timeline, uint64_t position) {
  bool before = false;
  bool after = false;
  for (const LogRange& range : log.ranges()) {
    if (range.branch != timeline) continue;
    before |= range.from < position;
    after |= range.from > position;
  }
  return before && after;
}

std::optional<Bytes> history_text(const LogReader& log, const std::string& file) {
  for (const auto& [timeline, text] : log.histories())
    if (history_name(timeline) == file) return to_bytes(as_bytes(text));
  return std::nullopt;
}

// nullopt: there is no such segment. kCorrupt: there should be, and a hole is where it was.
Result<std::optional<Bytes>> segment_bytes(const LogReader& log, const WalGetRequest& request,
                                           const ControlFile& control, const SegmentId& segment) {
  const uint64_t size = control.wal_segment_size.bytes;
  const uint64_t start = control.wal_segment_size.start_of(segment.number).value;
  const uint64_t until = request.until.value_or(Lsn{UINT64_MAX}).value;
  if (until <= start) return std::optional<Bytes>{};
  const uint64_t held = std::max(start, log.end_of(segment.timeline, start).value_or(start));
  // What was there when the point was resolved must be there now; so must what lies before something held.
  if (held < std::min(start + size, until) && (request.until || is_hole(log, segment.timeline, held)))
    return Error{Errc::kCorrupt,
                 fmt::format("WAL of timeline {} is missing from {} on, and is needed for this recovery",
                             segment.timeline, to_string(Lsn{held})),
                 "see `daruma points` for what can be recovered"};
  const uint64_t end = std::min({held, until, start + size});
  if (end == start) return std::optional<Bytes>{};
  DR_TRY(Bytes bytes, log.read(segment.timeline, start, end - start));
  bytes.resize(size);
  return std::optional(std::move(bytes));
}

// nullopt: the repository is fine and does not have it. Damage elsewhere in the log stops nobody, but what is
// not found beside damage may be what was damaged.
Result<std::optional<Bytes>> fetch(const Repository& repository, const WalGetRequest& request,
                                   const ControlFile& control) {
  std::optional<Error> damage;
  DR_TRY(const auto log, LogReader::open(repository, {request.datastore, control.system_identifier},
                                         [&](const std::string&, const Error& error) { damage = error; }));
  std::optional<Bytes> found;
  if (request.file.ends_with(".history")) {
    found = history_text(*log, request.file);
  } else if (const auto segment = parse_segment_name(request.file, control.wal_segment_size); segment.ok()) {
    DR_TRY(found, segment_bytes(*log, request, control, *segment));
  }
  if (!found && damage) return *damage;
  if (!found && log->ranges().empty())
    return Error{
        Errc::kCorrupt,
        fmt::format("the repository holds no log of '{}' for this database cluster", request.datastore),
        "is this copy of the repository complete?"};
  return found;
}

}  // namespace

WalGetExit wal_get(FileSystem& fs, Clock& clock, const WalGetRequest& request,
                   const OpenRepository& open_repository, const std::function<void(const Error&)>& explain) {
  const auto control = read_control(fs, request.data_directory);
  if (!control.ok()) {
    explain(control.error());
    return WalGetExit::kStop;
  }
  const auto linked = link_local(fs, request, control->wal_segment_size);
  if (linked.ok() && *linked) return WalGetExit::kDone;
  if (!linked.ok()) explain(linked.error());

  for (unsigned left = std::max(1u, request.tries);;) {
    auto found = [&]() -> Result<std::optional<Bytes>> {
      DR_TRY(const auto repository, open_repository());
      return fetch(*repository, request, *control);
    }();
    if (found.ok() && !*found) return WalGetExit::kAbsent;
    if (found.ok()) {
      const Status written = replace_file(fs, request.data_directory / request.destination, **found);
      if (written.ok()) return WalGetExit::kDone;
      found = written.error();
    }
    explain(found.error());
    if (--left == 0 || !worth_retrying(found.error())) return WalGetExit::kStop;
    clock.pause(kRetryAfter);
  }
}

std::string wal_get_command(const Path& program, const Config& config, const std::string& datastore,
                            const RecoveryPoint& point) {
  const Path& key = config.repository.key.file;
  std::string command = quote_shell(program.string()) + " wal-get";
  if (key.empty()) command += " -c " + quote_shell(config.file.string());
  command += " --repository " + quote_shell(config.repository.copies.front().url);
  if (!key.empty()) command += " --key " + quote_shell(key.string());
  if (!point.stop_before && !point.immediate) command += " --until " + to_string(point.end_of_log);
  return command + " --datastore " + quote_shell(datastore) + " %f \"%p\"";
}

}  // namespace daruma::postgres
