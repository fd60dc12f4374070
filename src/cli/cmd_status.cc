#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/session.h"
#include "datastore/postgres/points.h"
#include "datastore/postgres/sql.h"

namespace daruma {
namespace {

constexpr Duration kAnswerWithin = std::chrono::seconds(2);
constexpr Duration kPublishedWithin = std::chrono::seconds(10);  // `serve` does so every second

// What `serve` published, or that it does not run.
struct Captured {
  bool serving = false;
  std::string state = "not running";
  std::string problem;
  uint32_t timeline = 0;
  std::string flushed = "-";
  std::string server_end = "-";
  std::optional<Instant> caught_up;
};

struct DatastoreStatus {
  std::string name;
  std::string slot;
  bool captured = false;
  Captured capture;
  std::optional<Instant> newest_snapshot;
  uint64_t snapshots = 0;
  std::optional<Duration> rpo_objective;
  std::optional<bool> waited_for;  // by COMMITs, where they are meant to; nullopt: not meant to, or not known
  std::optional<Duration> rpo_now;  // the loss if the server died now; nullopt: not known
  bool green = false;
};

Result<Captured> read_capture(const App& app, StateDirectory& state, const std::string& datastore) {
  Captured out;
  DR_TRY(out.serving, state.is_running(Activity::kCapture, datastore));
  DR_TRY(const auto text, state.published("capture-" + datastore + ".json"));
  if (!text) return out;
  boost::system::error_code bad;
  const boost::json::value parsed = boost::json::parse(*text, bad);
  if (bad || !parsed.is_object())
    return Error{Errc::kCorrupt, "the published status of the capture is damaged",
                 "it is renewed every second by `daruma serve`"};
  const auto word = [&](const char* key) -> std::string {
    const auto* value = parsed.as_object().if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
  };
  if (out.serving) {
    out.state = word("state");
    out.problem = word("problem");
    const auto at = parse_rfc3339(word("at"));
    if (!at.ok() || app.clock.now() - *at > kPublishedWithin) {
      out.state = "silent";
      out.problem = fmt::format("`daruma serve` runs, and last wrote its state at {}", word("at"));
    }
  }
  if (const auto* timeline = parsed.as_object().if_contains("timeline"); timeline && timeline->is_int64())
    out.timeline = static_cast<uint32_t>(timeline->as_int64());
  out.flushed = word("flushed");
  out.server_end = word("server_end");
  const auto caught_up = parse_rfc3339(word("caught_up"));
  if (caught_up.ok() && caught_up->micros > 0) out.caught_up = *caught_up;
  return out;
}

// Whether COMMIT on the server waits for this capture. nullopt: the server cannot be asked.
std::optional<bool> commits_wait(App& app, const DatastoreConfig& config) {
  const auto settings = connection_settings(app, config);
  if (!settings.ok()) return std::nullopt;
  const auto sql = postgres::connect_sql(*settings, app.clock, app.clock.after(kAnswerWithin), kAnswerWithin);
  if (!sql.ok()) return std::nullopt;
  const auto rows = (*sql)->query(
      "SELECT bool_or(sync_state IN ('sync', 'quorum')) FROM pg_stat_replication WHERE application_name = $1",
      {config.capture->slot});
  if (!rows.ok() || rows->empty() || rows->front().empty() || !rows->front().front()) return std::nullopt;
  return *rows->front().front() == "t";
}

Result<DatastoreStatus> status_of(App& app, StateDirectory& state, const Repository& repository,
                                  const DatastoreConfig& config) {
  DatastoreStatus out;
  out.name = config.name;
  out.captured = config.capture.has_value();
  if (config.capture) out.slot = config.capture->slot;
  out.rpo_objective = config.objective.rpo;
  DR_TRY(out.capture, read_capture(app, state, config.name));
  DR_TRY(const auto commits, repository.commits([](const std::string&, const Error&) {}));
  for (const auto& stored : commits) {
    if (stored.commit.datastore != config.name) continue;
    ++out.snapshots;
    out.newest_snapshot = stored.commit.time;
  }
  const bool streaming = out.capture.serving && out.capture.state == "streaming";
  if (streaming && config.capture->synchronous) out.waited_for = commits_wait(app, config);
  if (streaming && out.capture.flushed == out.capture.server_end)
    out.rpo_now = Duration{0};
  else if (out.captured && out.capture.caught_up)
    out.rpo_now = app.clock.now() - *out.capture.caught_up;
  else if (!out.captured && out.newest_snapshot)
    out.rpo_now = app.clock.now() - *out.newest_snapshot;
  const bool protected_now = out.captured ? streaming : true;
  const bool within =
      !out.rpo_objective ||
      (out.rpo_now && *out.rpo_now <= std::max<Duration>(*out.rpo_objective, std::chrono::seconds(1)));
  out.green = out.snapshots > 0 && protected_now && within;
  return out;
}

Json to_json(const DatastoreStatus& status) {
  const auto milliseconds = [](const std::optional<Duration>& duration) {
    return duration ? Json(std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count()) : Json();
  };
  Json out = Json::object();
  out.set("datastore", status.name)
      .set("green", status.green)
      .set("capture", status.captured ? Json(status.capture.state) : Json())
      .set("problem", status.capture.problem)
      .set("commits_wait", status.waited_for ? Json(*status.waited_for) : Json())
      .set("timeline", status.capture.timeline)
      .set("flushed", status.capture.flushed)
      .set("server_end", status.capture.server_end)
      .set("rpo_objective_ms", milliseconds(status.rpo_objective))
      .set("rpo_now_ms", milliseconds(status.rpo_now))
      .set("snapshots", status.snapshots)
      .set("newest_snapshot_at", status.newest_snapshot ? Json(*status.newest_snapshot) : Json());
  return out;
}

std::string loss_text(const DatastoreStatus& status) {
  const auto text = [](Duration duration) {
    return duration == Duration{0} ? "0 s" : human_duration(duration);
  };
  std::string out = !status.rpo_now                  ? "not known"
                    : *status.rpo_now == Duration{0} ? "none"
                                                     : "at most " + human_duration(*status.rpo_now);
  if (status.rpo_objective) out += fmt::format(" (objective {})", text(*status.rpo_objective));
  return out;
}

std::string log_text(const Captured& capture) {
  if (capture.timeline == 0) return "none captured yet";
  std::string out = fmt::format("safe up to {} on timeline {}", capture.flushed, capture.timeline);
  if (!capture.serving) return out + fmt::format("; the server was at {} then", capture.server_end);
  return capture.state == "streaming" ? out + "; the server is at " + capture.server_end : out;
}

void print(App& app, const DatastoreStatus& status) {
  const std::string mark =
      status.green ? paint(app.out, Colour::kGreen, "green") : paint(app.out, Colour::kRed, "RED  ");
  app.out.write(fmt::format("{}  {}\n", mark, paint(app.out, Colour::kBold, status.name)));
  if (status.captured) {
    app.out.write(fmt::format("  capture    {}{}\n", status.capture.state,
                              status.capture.problem.empty() ? "" : ": " + status.capture.problem));
    app.out.write("  log        " + log_text(status.capture) + "\n");
    if (status.waited_for == false)
      app.out.write(fmt::format(
          "  {}   COMMITs do not wait for the repository, and daruma.yaml says they should:\n"
          "             ALTER SYSTEM SET synchronous_standby_names = '{}'; SELECT pg_reload_conf();\n",
          paint(app.out, Colour::kYellow, "warning"), status.slot));
    if (!status.capture.serving)
      app.out.write("  next       start `daruma serve`; without it nothing new is protected\n");
  }
  app.out.write("  loss now   " + loss_text(status) + "\n");
  app.out.write("  snapshots  " +
                (status.newest_snapshot
                     ? fmt::format("{}, the newest {} ago", status.snapshots,
                                   human_duration(app.clock.now() - *status.newest_snapshot))
                     : fmt::format("none yet; `daruma backup {}` takes one", status.name)) +
                "\n");
}

Result<bool> show(App& app) {
  DR_TRY(const Session session, open_session(app));
  DR_TRY(StateDirectory state, open_state(app));
  DR_TRY(const auto datastores, chosen_datastores(app, {}));
  bool green = true;
  Json all = Json::array();
  for (const DatastoreConfig* datastore : datastores) {
    DR_TRY(const DatastoreStatus status, status_of(app, state, *session.repository, *datastore));
    green &= status.green;
    if (app.json)
      all.push(to_json(status));
    else
      print(app, status);
  }
  if (app.json) app.out.write(all.pretty());
  return green;
}

}  // namespace

int run_status(App& app, const Invocation&) {
  const auto green = show(app);
  if (!green.ok()) return report_error(app, green.error());
  return *green ? kDone : kFailed;
}

}  // namespace daruma
