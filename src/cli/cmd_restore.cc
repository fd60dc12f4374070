#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "datastore/postgres/restore.h"
#include "datastore/postgres/wal_get.h"
#include "os/environment.h"

namespace daruma {
namespace {

using postgres::Catalog;
using postgres::RecoveryPoint;
using postgres::RestoreOptions;

Result<RestoreOptions> options_of(const App& app, const Invocation& invocation) {
  RestoreOptions options;
  const Path to = *invocation.path("--to");
  options.target = (to.is_absolute() ? to : app.working_directory / to).lexically_normal();
  if (!options.target.has_filename()) options.target = options.target.parent_path();
  const std::string then = invocation.value("--then").value_or("promote");
  options.then = then == "pause"      ? postgres::Then::kPause
                 : then == "shutdown" ? postgres::Then::kShutdown
                                      : postgres::Then::kPromote;
  for (const auto& [oid_text, directory] : invocation.pairs("--tablespace")) {
    uint32_t oid = 0;
    const auto parsed = std::from_chars(oid_text.data(), oid_text.data() + oid_text.size(), oid);
    if (parsed.ec != std::errc() || parsed.ptr != oid_text.data() + oid_text.size() || oid == 0)
      return Error{Errc::kInvalid,
                   fmt::format("--tablespace {}={}: '{}' is not an OID", oid_text, directory, oid_text)};
    options.tablespaces[oid] =
        Path(directory).is_absolute() ? Path(directory) : app.working_directory / directory;
  }
  options.workers = worker_count();
  return options;
}

// How fast the last restore on this installation wrote, in bytes a second; nullopt: none has, or nobody
// remembers.
constexpr const char* kRateFile = "restore-rate";

std::optional<uint64_t> known_rate(App& app) {
  if (!app.fs.info(app.config->state).ok()) return std::nullopt;
  auto state = open_state(app);
  if (!state.ok()) return std::nullopt;
  const auto text = state->published(kRateFile);
  if (!text.ok() || !*text) return std::nullopt;
  uint64_t rate = 0;
  std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), rate);
  return rate > 0 ? std::optional(rate) : std::nullopt;
}

// A forecast's basis, not a promise: when it cannot be kept, the restore stands all the same.
void remember_rate(App& app, const postgres::RestoreResult& result) {
  const double seconds = std::chrono::duration<double>(result.files_took + result.wal_took).count();
  if (seconds <= 0 || !app.fs.info(app.config->state).ok()) return;
  auto state = open_state(app);
  if (state.ok())
    static_cast<void>(state->publish(
        kRateFile, std::to_string(static_cast<uint64_t>(static_cast<double>(result.bytes + result.wal_bytes) /
                                                        seconds))));
}

std::string forecast_text(const std::optional<uint64_t>& rate, uint64_t bytes) {
  if (!rate) return "no basis for a forecast: nothing was restored here yet";
  const Duration expected = std::chrono::milliseconds(bytes * 1000 / *rate);
  return fmt::format("about {} to write (basis: the last restore, {}/s); replay comes on top",
                     human_duration(expected), human_bytes(*rate));
}

std::string stop_text(const RecoveryPoint& point) {
  if (point.immediate) return "as soon as it is consistent";
  if (point.stop_before) return fmt::format("just before {}", to_string(*point.stop_before));
  return fmt::format("at {}, the end of the log held", to_string(point.end_of_log));
}

Json plan_json(const RecoveryPoint& point, const RestoreOptions& options, uint64_t bytes) {
  Json notes = Json::array();
  for (const std::string& note : point.notes) notes.push(note);
  Json out = Json::object();
  out.set("snapshot", point.snapshot->stored.commit.snapshot.hex())
      .set("snapshot_ended_at", point.snapshot->meta.ended)
      .set("timeline", point.timeline)
      .set("stop_before", point.stop_before ? Json(to_string(*point.stop_before)) : Json())
      .set("immediate", point.immediate)
      .set("end_of_log", to_string(point.end_of_log))
      .set("last_commit", point.last_commit ? Json(*point.last_commit) : Json())
      .set("bytes", bytes)
      .set("wal_bytes", point.wal_bytes)
      .set("target", options.target.string())
      .set("notes", std::move(notes));
  return out;
}

std::string plan_text(App& app, const Catalog& catalog, const postgres::Wish& wish,
                      const RecoveryPoint& point, const RestoreOptions& options, uint64_t bytes) {
  std::string out =
      fmt::format("{} at {}\n", paint(app.out, Colour::kBold, "restore " + catalog.datastore), wish.text);
  out += fmt::format("  from      snapshot {} of {} ({}), in {}\n",
                     point.snapshot->stored.commit.snapshot.hex().substr(0, 8),
                     to_rfc3339(point.snapshot->meta.ended), human_bytes(bytes),
                     app.config->repository.copies.front().url);
  out += fmt::format("  log       {} on timeline {}, none missing\n", human_bytes(point.wal_bytes),
                     point.timeline);
  out += fmt::format("  takes     {}\n", forecast_text(known_rate(app), bytes + point.wal_bytes));
  out += fmt::format("  stops     {}\n", stop_text(point));
  out += fmt::format("  keeps     {}\n", point.last_commit ? "commits up to " + to_rfc3339(*point.last_commit)
                                                           : "the snapshot's commits; none came after it");
  out += fmt::format("  into      {}\n", options.target.string());
  for (const postgres::TablespaceInfo& tablespace : point.snapshot->meta.tablespaces) {
    const auto mapped = options.tablespaces.find(tablespace.oid);
    out += fmt::format("            tablespace {} (it was in {}): {}\n", tablespace.oid, tablespace.location,
                       mapped != options.tablespaces.end()
                           ? mapped->second.string()
                           : fmt::format("{}.tablespaces/{}", options.target.string(), tablespace.oid));
  }
  for (const std::string& note : point.notes) out += "  note: " + note + "\n";
  return out;
}

std::string next_text(const App& app, const RestoreOptions& options) {
  std::string out = fmt::format("next: start PostgreSQL on it as its owner, e.g.  pg_ctl -D {} start\n",
                                options.target.string());
  const std::string& variable = app.config->repository.key.passphrase_environment;
  if (!variable.empty())
    out += fmt::format("      with {} in its environment: it may fetch more of the log\n", variable);
  if (options.then == postgres::Then::kPause)
    out +=
        "      it stops at that moment and can be read; SELECT pg_wal_replay_resume(); opens it for "
        "writing\n";
  if (options.then == postgres::Then::kShutdown)
    out +=
        "      it shuts down at that moment (pg_ctl calls that a failure); to open it later, set\n"
        "      recovery_target_action = 'promote' at the end of its postgresql.auto.conf\n";
  return out;
}

void print_result(App& app, const RecoveryPoint& point, const RestoreOptions& options,
                  const postgres::RestoreResult& result, uint64_t bytes) {
  if (app.json) {
    Json out = plan_json(point, options, bytes);
    out.set("files", result.files)
        .set("files_ms", std::chrono::duration_cast<std::chrono::milliseconds>(result.files_took).count())
        .set("wal_ms", std::chrono::duration_cast<std::chrono::milliseconds>(result.wal_took).count());
    app.out.write(out.pretty());
    return;
  }
  const Duration took = result.files_took + result.wal_took;
  app.out.write(fmt::format("{} is ready: {} files, {} and {} of log, every page verified, in {}\n",
                            options.target.string(), result.files, human_bytes(result.bytes),
                            human_bytes(result.wal_bytes), human_duration(took)));
  for (const std::string& note : result.notes) app.out.write("  note: " + note + "\n");
  app.out.write(next_text(app, options));
}

// Leaves only the snapshot asked for: what is damaged in a newer one is then not needed.
Status choose_snapshot(Catalog& catalog, const std::string& wanted) {
  const auto other = [&](const postgres::Snapshot& snapshot) {
    return !snapshot.stored.commit.snapshot.hex().starts_with(wanted);
  };
  const auto matches = catalog.snapshots.size() - std::ranges::count_if(catalog.snapshots, other);
  if (matches != 1)
    return Error{Errc::kRefused,
                 fmt::format("{} snapshots of {} begin with '{}'", matches == 0 ? "no" : "several",
                             catalog.datastore, wanted),
                 fmt::format("`daruma points {}` lists them", catalog.datastore)};
  std::erase_if(catalog.snapshots, other);
  return {};
}

// A point that cannot be reached: nothing failed, and nothing was touched. Unless something does not
// verify: it may be what is missed.
Result<RecoveryPoint> resolve_or_refuse(const App& app, const Invocation& invocation, const Catalog& catalog,
                                        const postgres::Wish& wish) {
  auto point = resolve(catalog, wish, invocation.number("--timeline").value_or(0), app.clock.now());
  if (!point.is(Errc::kNotFound) || !catalog.damage.empty()) return point;
  Error error = std::move(point).error();
  error.code = Errc::kRefused;
  return error;
}

void add_hint(Error& error, const std::string& hint) {
  error.hint += (error.hint.empty() ? "" : "\n") + hint;
}

// What is missing or damaged in the newest snapshot may be whole in an older one.
Error with_way_around(Error error, const std::vector<postgres::Snapshot>& all, const RecoveryPoint& point) {
  if (error.code != Errc::kCorrupt && error.code != Errc::kNotFound) return error;
  const postgres::Snapshot* older = nullptr;
  for (const postgres::Snapshot& snapshot : all)
    if (snapshot.meta.end < point.snapshot->meta.end) older = &snapshot;
  if (older)
    add_hint(error,
             fmt::format("an older snapshot and more of the log lead to the same moment: --snapshot {}",
                         older->stored.commit.snapshot.hex().substr(0, 8)));
  return error;
}

// What a restore that ended half-way has left.
Error unfinished(Error error, const RestoreOptions& options) {
  if (error.code != Errc::kRefused)
    add_hint(error,
             fmt::format("what is in {} is incomplete and cannot start: remove it, or restore elsewhere",
                         options.target.string()));
  return error;
}

Result<int> restore_datastore(App& app, const Invocation& invocation) {
  const std::string& datastore = invocation.arguments.front();
  DR_TRY(const postgres::Wish wish, postgres::parse_wish(invocation.value("--at").value_or("latest")));
  DR_TRY(RestoreOptions options, options_of(app, invocation));
  DR_TRY(const Session session, open_session(app));
  DR_TRY(Catalog catalog, postgres::load_catalog(*session.repository, datastore));
  const auto all = catalog.snapshots;
  if (const auto wanted = invocation.value("--snapshot")) DR_OK(choose_snapshot(catalog, *wanted));
  DR_TRY(const RecoveryPoint point, resolve_or_refuse(app, invocation, catalog, wish));
  options.restore_command = postgres::wal_get_command(this_program(), *app.config, datastore, point);
  const auto size = [&]() -> Result<uint64_t> {
    DR_TRY(const auto snapshot, SnapshotReader::open(*session.repository, point.snapshot->stored));
    return postgres::restored_bytes(*snapshot);
  }();
  if (!size.ok()) return with_way_around(size.error(), all, point);
  const uint64_t bytes = *size;
  if (!app.json) app.out.write(plan_text(app, catalog, wish, point, options, bytes));
  DR_OK(check_target(app.fs, options, point.snapshot->meta, bytes + point.wal_bytes));
  if (invocation.has("--plan")) {
    if (app.json)
      app.out.write(plan_json(point, options, bytes).pretty());
    else
      app.out.write("nothing was touched\n");
    return static_cast<int>(kDone);
  }
  auto result = [&] {
    Progress progress(app.err, app.clock, "restore " + datastore);
    options.progress = [&](const postgres::RestoreProgress& at) {
      progress.update(at.bytes_done, at.bytes_total);
    };
    return restore(app.fs, app.clock, *session.repository, catalog, point, options, app.stop);
  }();
  if (!result.ok()) return with_way_around(unfinished(std::move(result).error(), options), all, point);
  remember_rate(app, *result);
  print_result(app, point, options, *result, bytes);
  return static_cast<int>(kDone);
}

}  // namespace

int run_restore(App& app, const Invocation& invocation) {
  const auto code = restore_datastore(app, invocation);
  return code.ok() ? *code : report_error(app, code.error());
}

}  // namespace daruma
