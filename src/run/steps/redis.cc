// redis.*: whether it answers, what it holds, and taking away what must not stay.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "probe/redis.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/percentiles.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;
using Fields = std::map<std::string, std::string, std::less<>>;

constexpr int64_t kScanCount = 500;
constexpr size_t kPatternsMost = 20;

constexpr InputRow kDatastore{"datastore", Kind::kDatastore, true, {}, "a datastore of kind redis"};
constexpr InputRow kPing[] = {kDatastore};
constexpr InputRow kInfo[] = {
    kDatastore,
    {"memory_most", Kind::kText, false, {}, "fails when it uses more, as in 512MiB"},
    {"clients_most", Kind::kInteger, false, {}, "fails when more are connected"},
};
constexpr InputRow kSave[] = {kDatastore};
constexpr InputRow kFlush[] = {kDatastore};
constexpr InputRow kDrop[] = {
    kDatastore,
    {"patterns", Kind::kList, true, {}, "which keys go, as in [\"refresh:*\", \"cache:*\"]"},
    {"database", Kind::kInteger, false, "0", "the number of the logical database"},
};

constexpr std::string_view kPingOutputs[] = {"ms"};
constexpr std::string_view kInfoOutputs[] = {"version", "role", "memory_bytes", "memory_most_bytes",
                                             "clients", "keys", "evicted_keys", "uptime_seconds"};
constexpr std::string_view kSaveOutputs[] = {"snapshot", "bytes"};
constexpr std::string_view kFlushOutputs[] = {"snapshot", "bytes", "keys"};
constexpr std::string_view kDropOutputs[] = {"snapshot", "bytes", "deleted"};

Result<probe::RedisTalk> talk_to(StepContext& context) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kRedis));
  DR_TRY(const std::string password, password_of(context, datastore->connection));
  return probe::RedisTalk::connect(datastore->connection, password, context.clock, context.deadline);
}

int64_t number_at(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  int64_t number = 0;
  if (found != fields.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  return number;
}

std::string text_at(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

// "db0" → "keys=3,expires=0,avg_ttl=0"; the sum over all databases.
int64_t keys_in(const Fields& fields) {
  static constexpr std::string_view kKeys = "keys=";
  int64_t keys = 0;
  for (const auto& [name, value] : fields) {
    if (!name.starts_with("db") || !value.starts_with(kKeys)) continue;
    int64_t number = 0;
    std::from_chars(value.data() + kKeys.size(), value.data() + value.size(), number);
    keys += number;
  }
  return keys;
}

Result<Value> ping(StepContext& context) {
  const MonoInstant begin = context.clock.mono();
  DR_TRY(auto talk, talk_to(context));
  DR_TRY(const Value answer, talk.ask({"PING"}, context.deadline));
  if (answer != Value("PONG")) return Error{Errc::kFailed, "PING is answered with " + to_json(answer)};
  const Duration took = context.clock.mono() - begin;
  fmt::print("PONG in {}\n", human_duration(took));
  return Value(Value::Map{{"ms", Value(ms_of(took))}});
}

Result<Value> info(StepContext& context) {
  DR_TRY(auto talk, talk_to(context));
  DR_TRY(const Fields fields, talk.info(context.deadline));
  const int64_t memory = number_at(fields, "used_memory"), clients = number_at(fields, "connected_clients");
  const int64_t keys = keys_in(fields);
  fmt::print("Redis {}, {}: memory {}, {} clients, {} keys, {} evicted\n", text_at(fields, "redis_version"),
             text_at(fields, "role"), human_bytes(static_cast<uint64_t>(memory)), clients, keys,
             number_at(fields, "evicted_keys"));
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
  return Value(Value::Map{{"version", text_at(fields, "redis_version")},
                          {"role", text_at(fields, "role")},
                          {"memory_bytes", Value(memory)},
                          {"memory_most_bytes", Value(number_at(fields, "maxmemory"))},
                          {"clients", Value(clients)},
                          {"keys", Value(keys)},
                          {"evicted_keys", Value(number_at(fields, "evicted_keys"))},
                          {"uptime_seconds", Value(number_at(fields, "uptime_in_seconds"))}});
}

// All data into the run's folder, proven whole by its check sum; on a connection of its own.
Result<Value::Map> keep_copy(StepContext& context) {
  DR_TRY(auto talk, talk_to(context));
  const Path file = context.directory / (text_input(context, "datastore") + ".rdb");
  context.say("copies all data of Redis");
  DR_TRY(const uint64_t bytes, talk.copy_data(context.fs, file, context.deadline));
  fmt::print("kept all data before: {} ({})\n", file.native(), human_bytes(bytes));
  return Value::Map{{"snapshot", file.native()}, {"bytes", Value(bytes)}};
}

Result<Value> save(StepContext& context) {
  DR_TRY(Value::Map copy, keep_copy(context));
  return Value(std::move(copy));
}

Result<Value> flush(StepContext& context) {
  DR_TRY(auto talk, talk_to(context));
  DR_TRY(const Fields before, talk.info(context.deadline));
  DR_TRY(Value::Map outputs, keep_copy(context));
  DR_OK(talk.ask({"FLUSHALL"}, context.deadline));
  const int64_t keys = keys_in(before);
  fmt::print("flushed: {} keys\n", keys);
  outputs.emplace("keys", Value(keys));
  return Value(std::move(outputs));
}

Result<std::vector<std::string>> patterns_input(const StepContext& context) {
  DR_TRY(auto patterns, texts_input(context, "patterns"));
  if (patterns.empty() || patterns.size() > kPatternsMost)
    return Error{Errc::kInvalid, fmt::format("input 'patterns': give 1 to {}", kPatternsMost)};
  for (const std::string& pattern : patterns)
    if (pattern.find_first_not_of("*?") == std::string::npos)
      return Error{Errc::kInvalid, fmt::format("input 'patterns': '{}' is every key", pattern),
                   "use redis.flush"};
  return patterns;
}

// Calls `each` with every portion of keys that match; a key may come twice.
template <class Each>
Status scan(probe::RedisTalk& talk, const std::string& pattern, Deadline deadline, Each each) {
  std::string cursor = "0";
  do {
    DR_TRY(const Value answer,
           talk.ask({"SCAN", cursor, "MATCH", pattern, "COUNT", std::to_string(kScanCount)}, deadline));
    const Value::List* pair = answer.list();
    if (!pair || pair->size() != 2 || !(*pair)[1].list())
      return Error{Errc::kFailed, "SCAN is answered with " + to_json(answer)};
    cursor = to_text((*pair)[0]);
    std::vector<std::string> keys;
    for (const Value& key : *(*pair)[1].list()) keys.push_back(to_text(key));
    if (!keys.empty()) DR_OK(each(std::move(keys)));
  } while (cursor != "0");
  return {};
}

Status choose_database(StepContext& context, probe::RedisTalk& talk) {
  const int64_t database = integer_input(context, "database");
  if (database == 0) return {};
  DR_OK(talk.ask({"SELECT", std::to_string(database)}, context.deadline));
  return {};
}

Result<Value> drop(StepContext& context) {
  DR_TRY(const auto patterns, patterns_input(context));
  DR_TRY(Value::Map outputs, keep_copy(context));
  DR_TRY(auto talk, talk_to(context));
  DR_OK(choose_database(context, talk));
  int64_t deleted = 0;
  for (const std::string& pattern : patterns)
    DR_OK(scan(talk, pattern, context.deadline, [&](std::vector<std::string> keys) -> Status {
      keys.insert(keys.begin(), "UNLINK");
      DR_TRY(const Value count, talk.ask(keys, context.deadline));
      deleted += count.integer() ? *count.integer() : 0;
      return {};
    }));
  fmt::print("deleted {} keys like {}\n", deleted, fmt::join(patterns, ", "));
  outputs.emplace("deleted", Value(deleted));
  return Value(std::move(outputs));
}

std::string cli(const StepContext& context, const std::vector<std::string>& words) {
  const auto datastore = datastore_input(context, DatastoreKind::kRedis);
  if (!datastore.ok()) return "# " + datastore.error().what;
  const ConnectionConfig& connection = (*datastore)->connection;
  std::vector<std::string> argv{"redis-cli"};
  if (connection.host.starts_with('/'))
    argv.insert(argv.end(), {"-s", connection.host});
  else
    argv.insert(argv.end(), {"-h", connection.host, "-p", std::to_string(connection.port)});
  if (!connection.user.empty()) argv.insert(argv.end(), {"--user", connection.user});
  argv.insert(argv.end(), words.begin(), words.end());
  std::string line;
  if (const auto& password = connection.password)
    line = password->environment.empty()
               ? fmt::format("REDISCLI_AUTH=\"$(cat {})\" ", shell_word(password->file.native()))
               : fmt::format("REDISCLI_AUTH=\"${}\" ", password->environment);
  return line + shell_line(argv);
}

std::string copy_line(const StepContext& context) {
  return cli(context, {"--rdb", text_input(context, "datastore") + ".rdb"});
}

std::vector<std::string> ping_by_hand(const StepContext& context) { return {cli(context, {"PING"})}; }
std::vector<std::string> info_by_hand(const StepContext& context) {
  return {cli(context, {"INFO", "memory"}), cli(context, {"INFO", "clients"})};
}
std::vector<std::string> save_by_hand(const StepContext& context) { return {copy_line(context)}; }
std::vector<std::string> flush_by_hand(const StepContext& context) {
  return {copy_line(context), cli(context, {"FLUSHALL"})};
}
std::vector<std::string> drop_by_hand(const StepContext& context) {
  std::vector<std::string> lines{copy_line(context)};
  const std::string database = std::to_string(integer_input(context, "database"));
  if (const auto patterns = texts_input(context, "patterns"); patterns.ok())
    for (const std::string& pattern : *patterns)
      lines.push_back(fmt::format("{} | xargs -r -d '\\n' {}",
                                  cli(context, {"-n", database, "--scan", "--pattern", pattern}),
                                  cli(context, {"-n", database, "UNLINK"})));
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

Result<Preview> preview_flush(StepContext& context) {
  DR_TRY(auto talk, talk_to(context));
  DR_TRY(const Fields fields, talk.info(context.deadline));
  return Preview{
      .would = {"keep a copy of all data of Redis with the run",
                fmt::format("delete all {} keys of {}", keys_in(fields), text_input(context, "datastore"))},
      .by_hand = flush_by_hand(context)};
}

Result<Preview> preview_drop(StepContext& context) {
  DR_TRY(const auto patterns, patterns_input(context));
  DR_TRY(auto talk, talk_to(context));
  DR_OK(choose_database(context, talk));
  Preview preview{.would = {"keep a copy of all data of Redis with the run"},
                  .by_hand = drop_by_hand(context)};
  for (const std::string& pattern : patterns) {
    size_t keys = 0;
    DR_OK(scan(talk, pattern, context.deadline, [&](const std::vector<std::string>& found) -> Status {
      keys += found.size();
      return {};
    }));
    preview.would.push_back(fmt::format("delete about {} keys like {}", keys, pattern));
  }
  return preview;
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
    {.name = "redis.flush",
     .summary = "deletes all keys of a Redis, after a copy of them was kept with the run",
     .effect = Effect::kDestroy,
     .timeout = std::chrono::minutes(10),
     .inputs = kFlush,
     .outputs = kFlushOutputs,
     .act = flush,
     .preview = preview_flush,
     .by_hand = flush_by_hand},
    {.name = "redis.drop",
     .summary = "deletes the keys of a Redis that match patterns, after a copy of all was kept with the run",
     .effect = Effect::kDestroy,
     .timeout = std::chrono::minutes(10),
     .inputs = kDrop,
     .outputs = kDropOutputs,
     .act = drop,
     .preview = preview_drop,
     .by_hand = drop_by_hand},
};

}  // namespace

std::span<const StepType> redis_steps() { return kTypes; }

}  // namespace daruma::run
