// redis.ping, info, save and restart.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/percentiles.h"
#include "run/steps/redis_parts.h"
#include "run/steps/service_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr Duration kBetweenLooks = 100ms;

constexpr InputRow kDatastore{"datastore", Kind::kDatastore, true, {}, "a datastore of kind redis"};
constexpr InputRow kPing[] = {kDatastore};
constexpr InputRow kInfo[] = {
    kDatastore,
    {"memory_most", Kind::kText, false, {}, "fails when it uses more, as in 512MiB"},
    {"clients_most", Kind::kInteger, false, {}, "fails when more are connected"},
};
constexpr InputRow kSave[] = {kDatastore};
constexpr InputRow kRestart[] = {kDatastore};

constexpr std::string_view kPingOutputs[] = {"ms"};
constexpr std::string_view kInfoOutputs[] = {"version", "role", "memory_bytes", "memory_most_bytes",
                                             "clients", "keys", "evicted_keys", "uptime_seconds"};
constexpr std::string_view kSaveOutputs[] = {"snapshot", "bytes"};
constexpr std::string_view kRestartOutputs[] = {"ms", "keys"};

Result<Value> ping(StepContext& context) {
  const MonoInstant begin = context.clock.mono();
  DR_TRY(auto talk, talk_to_redis(context));
  DR_TRY(const Value answer, talk.ask({"PING"}, context.deadline));
  if (answer != Value("PONG")) return Error{Errc::kFailed, "PING is answered with " + to_json(answer)};
  const Duration took = context.clock.mono() - begin;
  fmt::print("PONG in {}\n", human_duration(took));
  return Value(Value::Map{{"ms", Value(ms_of(took))}});
}

Result<Value> info(StepContext& context) {
  DR_TRY(auto talk, talk_to_redis(context));
  DR_TRY(const RedisFields fields, talk.info(context.deadline));
  const int64_t memory = redis_number(fields, "used_memory"),
                clients = redis_number(fields, "connected_clients");
  const int64_t keys = redis_keys(fields);
  fmt::print("Redis {}, {}: memory {}, {} clients, {} keys, {} evicted\n",
             redis_text(fields, "redis_version"), redis_text(fields, "role"),
             human_bytes(static_cast<uint64_t>(memory)), clients, keys, redis_number(fields, "evicted_keys"));
  if (const std::string most = text_input(context, "memory_most"); !most.empty()) {
    DR_TRY(const uint64_t bytes_most, parse_bytes(most));
    if (static_cast<uint64_t>(memory) > bytes_most)
      return Error{Errc::kFailed,
                   fmt::format("Redis uses {} of memory, more than {}",
                               human_bytes(static_cast<uint64_t>(memory)), human_bytes(bytes_most))};
  }
  if (input(context, "clients_most") && clients > integer_input(context, "clients_most"))
    return Error{Errc::kFailed, fmt::format("{} clients are connected to Redis, more than {}", clients,
                                            integer_input(context, "clients_most"))};
  return Value(Value::Map{{"version", redis_text(fields, "redis_version")},
                          {"role", redis_text(fields, "role")},
                          {"memory_bytes", Value(memory)},
                          {"memory_most_bytes", Value(redis_number(fields, "maxmemory"))},
                          {"clients", Value(clients)},
                          {"keys", Value(keys)},
                          {"evicted_keys", Value(redis_number(fields, "evicted_keys"))},
                          {"uptime_seconds", Value(redis_number(fields, "uptime_in_seconds"))}});
}

Result<Value> save(StepContext& context) {
  DR_TRY(Value::Map copy, keep_redis_copy(context));
  return Value(std::move(copy));
}

// The service that runs the datastore.
Result<const ServiceConfig*> service_of(const StepContext& context) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kRedis));
  if (const ServiceConfig* service = context.config.service(datastore->service)) return service;
  return Error{Errc::kInvalid, fmt::format("input 'datastore': no service runs '{}'", datastore->name),
               fmt::format("set datastores.{}.service in daruma.yaml", datastore->name)};
}

// Which life of the server this is: Redis draws a new id each time it starts. "" when it does not answer.
std::string life_of(StepContext& context, Deadline deadline) {
  const Deadline own = context.deadline;
  context.deadline = deadline;
  auto talk = talk_to_redis(context);
  context.deadline = own;
  if (!talk.ok()) return "";
  const auto fields = talk->info(deadline);
  return fields.ok() ? redis_text(*fields, "run_id") : "";
}

Deadline soon(const StepContext& context) {
  return {std::min(context.deadline.at, context.clock.after(2s).at)};
}

Result<Value> record_life(StepContext& context) {
  DR_OK(service_of(context));
  return Value(Value::Map{{"life", life_of(context, soon(context))}});
}

Result<Happened> was_restarted(StepContext& context) {
  const std::string now = life_of(context, soon(context));
  if (now.empty()) return Happened::kNo;  // it is down: starting it again is what is wanted
  return now == context.recorded.text_at("life") ? Happened::kNo : Happened::kYes;
}

Result<Value> restart(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_of(context));
  const MonoInstant begin = context.clock.mono();
  context.say("restart " + service->name);
  DR_OK(context.runtime_of(*service)->restart(context.deadline));
  for (;;) {
    auto talk = talk_to_redis(context);
    const auto fields = talk.ok() ? talk->info(context.deadline) : Result<RedisFields>(talk.error());
    // While it reads its data from disk it answers, and knows no keys yet.
    if (fields.ok() && redis_number(*fields, "loading") == 0) {
      const Duration took = context.clock.mono() - begin;
      fmt::print("{} answers again after {}, with {} keys\n", service->name, human_duration(took),
                 redis_keys(*fields));
      return Value(Value::Map{{"ms", Value(ms_of(took))}, {"keys", Value(redis_keys(*fields))}});
    }
    if (!fields.ok() && fields.is(Errc::kRefused)) return fields.error();
    const std::string why = fields.ok() ? "it reads its data from disk" : fields.error().what;
    context.say(fmt::format("waits for {}: {}", service->name, why));
    if (context.deadline.passed(context.clock.mono()) || !context.clock.pause(kBetweenLooks, context.stop))
      return Error{Errc::kCancelled,
                   fmt::format("{} was restarted and does not answer: {}", service->name, why),
                   fmt::format("its last words: daruma service logs {}", shell_word(service->name))};
  }
}

std::vector<std::string> ping_by_hand(const StepContext& context) { return {redis_cli(context, {"PING"})}; }
std::vector<std::string> info_by_hand(const StepContext& context) {
  return {redis_cli(context, {"INFO", "memory"}), redis_cli(context, {"INFO", "clients"})};
}
std::vector<std::string> save_by_hand(const StepContext& context) { return {redis_copy_line(context)}; }
std::vector<std::string> restart_by_hand(const StepContext& context) {
  const auto service = service_of(context);
  if (!service.ok()) return {"# " + service.error().what};
  std::vector<std::string> lines = context.runtime_of(**service)->by_hand("restart");
  lines.push_back(redis_cli(context, {"PING"}));
  return lines;
}

Result<Preview> preview_ping(StepContext& context) {
  return Preview{.would = {"ask Redis whether it answers"}, .by_hand = ping_by_hand(context)};
}
Result<Preview> preview_info(StepContext& context) {
  return Preview{.would = {"read what Redis says of its memory and clients"},
                 .by_hand = info_by_hand(context)};
}
Result<Preview> preview_save(StepContext& context) {
  return Preview{.would = {"keep a copy of all data of Redis with the run"},
                 .by_hand = save_by_hand(context)};
}

Result<Preview> preview_restart(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_of(context));
  const auto now = context.runtime_of(*service)->status(context.deadline);
  return Preview{.would = {fmt::format("restart {} ({}, {})", service->name, runtime_word(service->runtime),
                                       now.ok() ? describe(*now) : now.error().what)},
                 .by_hand = restart_by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "redis.ping",
     .summary = "sees whether a Redis answers",
     .timeout = std::chrono::seconds(10),
     .inputs = kPing,
     .outputs = kPingOutputs,
     .act = ping,
     .preview = preview_ping,
     .by_hand = ping_by_hand},
    {.name = "redis.info",
     .summary = "reads memory, clients and keys of a Redis",
     .timeout = std::chrono::seconds(10),
     .inputs = kInfo,
     .outputs = kInfoOutputs,
     .act = info,
     .preview = preview_info,
     .by_hand = info_by_hand},
    {.name = "redis.save",
     .summary = "keeps a copy of all data of a Redis with the run, as an RDB file whose check sum holds",
     .timeout = std::chrono::minutes(10),
     .inputs = kSave,
     .outputs = kSaveOutputs,
     .act = save,
     .preview = preview_save,
     .by_hand = save_by_hand},
    {.name = "redis.restart",
     .summary = "restarts the service that runs a Redis, and waits until it answers with its data",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kReconcile,
     .timeout = std::chrono::minutes(2),
     .inputs = kRestart,
     .outputs = kRestartOutputs,
     .prepare = record_life,
     .act = restart,
     .preview = preview_restart,
     .reconcile = was_restarted,
     .by_hand = restart_by_hand},
};

}  // namespace

std::span<const StepType> redis_steps() { return kTypes; }

}  // namespace daruma::run
