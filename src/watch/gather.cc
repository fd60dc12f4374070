#include "watch/gather.h"

#include <fmt/format.h>

#include <charconv>
#include <thread>

#include "os/files.h"
#include "probe/http.h"
#include "probe/json_lines.h"
#include "probe/postgres.h"
#include "probe/redis.h"
#include "run/library.h"
#include "run/run_place.h"
#include "run/step_type.h"
#include "server/state.h"
#include "watch/ask_all.h"

namespace daruma::watch {
namespace {

constexpr Duration kProbeWithin = 2s, kAllWithin = 4s;
constexpr std::string_view kSilent = "no answer within 4 s";
constexpr Duration kLogsBack = std::chrono::minutes(5);
constexpr uint64_t kLogBytesMost = 4 * kMiB;
constexpr size_t kGroupsMost = 3, kRunsMost = 20;
constexpr Duration kPublishedWithin = 10s;  // `serve` does so every second
constexpr std::string_view kHealed = "recovered";

Answer unseen(std::string what) {
  return [what = std::move(what)](Facts& facts) { facts.unseen.push_back(what); };
}

std::unique_ptr<runtime::ServiceRuntime> runtime_of(const World& world, const Config& config,
                                                    const ServiceConfig& service) {
  return runtime::make_runtime({world.fs, world.clock, world.processes, config.state, world.daruma_program},
                               service);
}

class Gatherer {
 public:
  Gatherer(const World& world, const Config& config) : world_(world), config_(config) {}

  Gathered gather() {
    Gathered out;
    out.facts.at = world_.clock.now();
    out.facts.processors = std::max(1U, std::thread::hardware_concurrency());
    for (const ServiceConfig& service : config_.services) ask_service(service, out.facts);
    for (const DatastoreConfig& datastore : config_.datastores) ask_datastore(datastore, out.facts);
    ask_disk(config_.state, "", out.facts);
    ask_machine();
    ask_runs();
    ask_plans();
    out.left_behind =
        !ask_all(std::move(questions_), out.facts, world_.clock, world_.clock.after(kAllWithin));
    return out;
  }

 private:
  void ask(std::function<Answer()> question, Answer unanswered) {
    questions_.push_back({std::move(question), std::move(unanswered)});
  }
  Deadline soon() const { return world_.clock.after(kProbeWithin); }

  void ask_service(const ServiceConfig& service, Facts& facts);
  void ask_status(const ServiceConfig& service, size_t at);
  void ask_health(const HealthConfig& health, size_t at);
  void ask_breakers(const std::string& url, size_t at);
  void ask_errors(const Path& file, size_t at, Instant now);
  void ask_datastore(const DatastoreConfig& datastore, Facts& facts);
  void ask_capture(const std::string& datastore, Facts& facts);
  void ask_disk(const Path& path, const std::string& datastore, Facts& facts);
  void ask_machine();
  void ask_runs();
  void ask_plans();

  World world_;  // questions own a copy of it, and of what they ask for: see ask_all.h
  const Config& config_;
  std::vector<Question> questions_;
};

void Gatherer::ask_service(const ServiceConfig& service, Facts& facts) {
  const size_t at = facts.services.size();
  ServiceFacts& made = facts.services.emplace_back();
  made.config = service;
  const auto runtime = runtime_of(world_, config_, service);
  made.start = runtime->by_hand("start");
  made.restart = runtime->by_hand("restart");
  ask_status(service, at);
  if (service.health && service.health->datastore.empty()) ask_health(*service.health, at);
  if (!service.breakers.empty()) ask_breakers(service.breakers, at);
  if (service.logs && !service.logs->error.empty()) ask_errors(service.logs->error, at, facts.at);
}

void Gatherer::ask_status(const ServiceConfig& service, size_t at) {
  const auto deadline = soon();
  std::shared_ptr<runtime::ServiceRuntime> runtime = runtime_of(world_, config_, service);
  ask(
      [runtime, deadline, at]() -> Answer {
        auto status = runtime->status(deadline);
        return [status = std::move(status), at](Facts& facts) {
          ServiceFacts& service_facts = facts.services[at];
          if (status.ok())
            service_facts.status = *status;
          else
            service_facts.status_error = status.error().what;
          service_facts.missing = status.is(Errc::kNotFound);
        };
      },
      [at](Facts& facts) { facts.services[at].status_error = kSilent; });
}

// "" when it is well.
std::string what_ails(const HealthConfig& health, Clock& clock, Deadline deadline) {
  if (!health.tcp.empty()) {
    const auto took = probe::ask_tcp(health.tcp, clock, deadline);
    if (took.ok()) return "";
    return took.is(Errc::kCancelled) ? health.tcp + ": no answer within 2 s" : took.error().what;
  }
  const auto answer = probe::ask_http({.url = health.http}, clock, deadline);
  if (answer.is(Errc::kCancelled)) return health.http + ": no answer within 2 s";
  if (!answer.ok()) return answer.error().what;
  return answer->status == 200 ? "" : fmt::format("{}: status {}", health.http, answer->status);
}

void Gatherer::ask_health(const HealthConfig& health, size_t at) {
  ask(
      [&clock = world_.clock, health, deadline = soon(), at]() -> Answer {
        return [ails = what_ails(health, clock, deadline), at](Facts& facts) {
          facts.services[at].well = ails.empty();
          facts.services[at].health_error = ails;
        };
      },
      // Not even a bounded question came back: as a client would find it.
      [at](Facts& facts) {
        facts.services[at].well = false;
        facts.services[at].health_error = kSilent;
      });
}

struct Breakers {
  std::vector<OpenBreaker> open;
  std::string error;
};

Breakers read_breakers(const std::string& url, Clock& clock, Deadline deadline) {
  const auto answer = probe::ask_http({.url = url}, clock, deadline);
  if (!answer.ok()) return {.open = {}, .error = answer.error().what};
  const auto json = parse_json(answer->body);
  const Value* list = json.ok() ? json->find("circuitBreakers") : nullptr;
  if (answer->status != 200 || !list || !list->list())
    return {.open = {}, .error = fmt::format("{}: status {}, and no list", url, answer->status)};
  Breakers out;
  for (const Value& breaker : *list->list()) {
    if (!breaker.text_at("state").ends_with("OPEN")) continue;  // half-open and forced open too
    const auto since = parse_rfc3339(breaker.text_at("since"));
    out.open.push_back({breaker.text_at("name"), since.ok() ? std::optional(*since) : std::nullopt});
  }
  return out;
}

void Gatherer::ask_breakers(const std::string& url, size_t at) {
  ask(
      [&clock = world_.clock, url, deadline = soon(), at]() -> Answer {
        return [breakers = read_breakers(url, clock, deadline), at](Facts& facts) {
          facts.services[at].open_breakers = breakers.open;
          facts.services[at].breakers_error = breakers.error;
        };
      },
      [at](Facts& facts) { facts.services[at].breakers_error = kSilent; });
}

std::optional<Instant> time_of(const std::string& text) {
  const auto time = parse_rfc3339(text);
  return time.ok() ? std::optional(*time) : std::nullopt;
}

void Gatherer::ask_errors(const Path& file, size_t at, Instant now) {
  ask(
      [&fs = world_.fs, file, now, at]() -> Answer {
        const auto read = probe::read_json_lines(
            fs, file,
            {.since = now + -kLogsBack, .without = std::string(kHealed), .bytes_most = kLogBytesMost});
        if (read.is(Errc::kNotFound)) return [](Facts&) {};  // no error yet
        if (!read.ok()) return unseen(fmt::format("{}: {}", file.native(), read.error().what));
        std::vector<ErrorGroup> groups;
        for (const probe::LineGroup& group : probe::grouped(read->lines)) {
          if (groups.size() == kGroupsMost) break;
          groups.push_back({static_cast<uint64_t>(group.count), group.dependency, group.message,
                            time_of(group.first), time_of(group.last)});
        }
        return [groups = std::move(groups), at](Facts& facts) { facts.services[at].errors = groups; };
      },
      unseen(fmt::format("{}: {}", file.native(), kSilent)));
}

DatastoreFacts ask_postgres(const ConnectionConfig& connection, const std::string& password, Clock& clock,
                            Deadline deadline) {
  DatastoreFacts out;
  const auto sql =
      postgres::connect_sql(probe::settings_of(connection, password), clock, deadline, kProbeWithin);
  const auto rows = sql.ok() ? (*sql)->query(
                                   "SELECT (SELECT count(*) FROM pg_stat_activity WHERE "
                                   "backend_type = 'client backend'), "
                                   "current_setting('max_connections')")
                             : Result<std::vector<postgres::SqlRow>>(sql.error());
  out.answers = rows.ok();
  if (!rows.ok()) {
    out.error = rows.error().what;
    return out;
  }
  const auto number = [&](size_t column) -> std::optional<uint64_t> {
    if (rows->empty() || rows->front().size() <= column || !rows->front()[column]) return std::nullopt;
    const std::string& digits = *rows->front()[column];
    uint64_t value = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return end.ec == std::errc() ? std::optional(value) : std::nullopt;
  };
  out.connections = number(0);
  out.connections_most = number(1);
  return out;
}

DatastoreFacts ask_redis(const ConnectionConfig& connection, const std::string& password, Clock& clock,
                         Deadline deadline) {
  auto talk = probe::RedisTalk::connect(connection, password, clock, deadline);
  const Result<Value> pong = talk.ok() ? talk->ask({"PING"}, deadline) : Result<Value>(talk.error());
  DatastoreFacts out;
  out.answers = pong.ok();
  if (!pong.ok()) out.error = pong.error().what;
  return out;
}

void Gatherer::ask_datastore(const DatastoreConfig& datastore, Facts& facts) {
  const size_t at = facts.datastores.size();
  facts.datastores.emplace_back().config = datastore;
  ask(
      [&fs = world_.fs, &clock = world_.clock, datastore, deadline = soon(), at]() -> Answer {
        const ConnectionConfig& connection = datastore.connection;
        const auto password =
            connection.password ? read_secret(fs, *connection.password) : Result<std::string>(std::string());
        if (!password.ok())  // it cannot be asked, which says nothing about it
          return [what = password.error().what, at](Facts& seen) { seen.datastores[at].error = what; };
        DatastoreFacts said = datastore.kind == DatastoreKind::kRedis
                                  ? ask_redis(connection, *password, clock, deadline)
                                  : ask_postgres(connection, *password, clock, deadline);
        return [said = std::move(said), at](Facts& seen) {
          DatastoreFacts& mine = seen.datastores[at];
          mine.answers = said.answers, mine.error = said.error;
          mine.connections = said.connections, mine.connections_most = said.connections_most;
        };
      },
      [at](Facts& seen) {
        seen.datastores[at].answers = false;
        seen.datastores[at].error = kSilent;
      });
  if (datastore.data_directory) ask_disk(*datastore.data_directory, datastore.name, facts);
  if (datastore.capture) ask_capture(datastore.name, facts);
}

CaptureFacts read_capture(const World& world, const Path& state, const std::string& datastore) {
  CaptureFacts out{.datastore = datastore};
  // Opening makes what is not there, and nothing is to be made here.
  const auto used = exists(world.fs, state / "writer");
  if (!used.ok() || !*used) return out;
  auto directory = StateDirectory::open(world.fs, world.clock, world.random, state);
  if (!directory.ok()) return out;
  const auto running = directory->is_running(Activity::kCapture, datastore);
  out.serving = running.ok() && *running;
  const auto published = directory->published("capture-" + datastore + ".json");
  if (!published.ok() || !*published) return out;
  const auto said = parse_json(**published);
  if (!said.ok()) return out;
  out.state = said->text_at("state");
  out.problem = said->text_at("problem");
  const auto at = time_of(said->text_at("at"));
  if (out.serving && (!at || world.clock.now() - *at > kPublishedWithin)) {
    out.state = "silent";
    out.problem = "it last wrote its state at " + said->text_at("at", "?");
  }
  return out;
}

void Gatherer::ask_capture(const std::string& datastore, Facts& facts) {
  const size_t at = facts.captures.size();
  facts.captures.push_back({.datastore = datastore});
  ask(
      [world = world_, state = config_.state, datastore, at]() -> Answer {
        return [said = read_capture(world, state, datastore), at](Facts& seen) { seen.captures[at] = said; };
      },
      [at](Facts& seen) { seen.captures[at].problem = kSilent; });
}

void Gatherer::ask_disk(const Path& path, const std::string& datastore, Facts& facts) {
  const size_t at = facts.disks.size();
  facts.disks.push_back({.path = path, .datastore = datastore, .reading = {}, .error = {}});
  ask(
      [&fs = world_.fs, path, at]() -> Answer {
        const auto there = exists(fs, path);
        // Before the first start there is no state yet: its folder's disk is what will hold it.
        const bool above = there.ok() && !*there;
        return [reading = probe::read_disk(fs, above ? path.parent_path() : path), at](Facts& seen) {
          if (reading.ok())
            seen.disks[at].reading = *reading;
          else
            seen.disks[at].error = reading.error().what;
        };
      },
      [at](Facts& seen) { seen.disks[at].error = kSilent; });
}

void Gatherer::ask_machine() {
  ask(
      [&fs = world_.fs]() -> Answer {
        const auto reading = probe::read_system(fs);
        if (!reading.ok()) return unseen(reading.error().what);
        return [machine = *reading](Facts& facts) { facts.machine = machine; };
      },
      unseen(fmt::format("/proc: {}", kSilent)));
}

bool waits_for_person(const run::RunState& state) {
  for (const run::Step& step : state.steps()) {
    const run::StepState& at = state.at(step.id);
    if (at.phase == run::StepPhase::kPerson) return true;
    if (at.phase == run::StepPhase::kAsking && at.approval && !at.approval->granted) return true;
  }
  return false;
}

struct Runs {
  std::vector<RunFacts> open;
  std::optional<std::string> halted;
};

Result<Runs> read_runs(const World& world, const Path& state) {
  Runs out;
  DR_TRY(const bool used, exists(world.fs, state / kJournalFile));
  if (!used) return out;
  DR_TRY(run::RunPlace place, run::RunPlace::open(world.fs, world.clock, state));
  DR_TRY(out.halted, place.halted());
  DR_TRY(const auto ids, place.newest_and_open(kRunsMost, run::find_step_type));
  for (const std::string& id : ids) {
    DR_TRY(const run::RunState state_of, run::load_run(place.journal(), id, run::find_step_type));
    if (state_of.end()) continue;
    const auto carried = place.is_carried(id);
    out.open.push_back({.id = id,
                        .plan = state_of.created().plan.plan.name,
                        .is = waits_for_person(state_of) ? RunIs::kWaitsForPerson
                              : carried.ok() && *carried ? RunIs::kCarried
                                                         : RunIs::kStandsStill,
                        .since = state_of.started_at()});
  }
  return out;
}

void Gatherer::ask_runs() {
  ask(
      [world = world_, state = config_.state]() -> Answer {
        const auto runs = read_runs(world, state);
        if (!runs.ok()) return unseen("the journal: " + runs.error().what);
        return [runs = *runs](Facts& facts) {
          facts.runs = runs.open;
          facts.halted = runs.halted;
        };
      },
      unseen(fmt::format("the journal: {}", kSilent)));
}

void Gatherer::ask_plans() {
  const Path base = config_.file.empty() ? world_.working_directory : config_.file.parent_path();
  ask(
      [&fs = world_.fs, base, patterns = config_.plans]() -> Answer {
        const auto library = run::load_library(fs, base, patterns);
        if (!library.ok()) return unseen(library.error().what);
        return [plans = library->plans](Facts& facts) { facts.plans = plans; };
      },
      unseen(fmt::format("the plans: {}", kSilent)));
}

}  // namespace

Gathered gather(const World& world, const Config& config) { return Gatherer(world, config).gather(); }

}  // namespace daruma::watch
