#include "run/steps/redis_parts.h"

#include <fmt/format.h>

#include <charconv>

#include "base/shell_word.h"
#include "base/size.h"
#include "run/steps/inputs.h"

namespace daruma::run {

Result<probe::RedisTalk> talk_to_redis(StepContext& context) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kRedis));
  DR_TRY(const std::string password, password_of(context, datastore->connection));
  return probe::RedisTalk::connect(datastore->connection, password, context.clock, context.deadline);
}

// All data into the run's folder, proven whole by its check sum; on a connection of its own.
Result<Value::Map> keep_redis_copy(StepContext& context) {
  DR_TRY(auto talk, talk_to_redis(context));
  const Path file = context.directory / (text_input(context, "datastore") + ".rdb");
  context.say("copies all data of Redis");
  DR_TRY(const uint64_t bytes, talk.copy_data(context.fs, file, context.deadline));
  fmt::print("kept all data before: {} ({})\n", file.native(), human_bytes(bytes));
  return Value::Map{{"snapshot", file.native()}, {"bytes", Value(bytes)}};
}

int64_t redis_number(const RedisFields& fields, std::string_view name) {
  const auto found = fields.find(name);
  int64_t number = 0;
  if (found != fields.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  return number;
}

std::string redis_text(const RedisFields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

// "db0" → "keys=3,expires=0,avg_ttl=0"; the sum over all databases.
int64_t redis_keys(const RedisFields& fields) {
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

std::string redis_cli(const StepContext& context, const std::vector<std::string>& words,
                      std::vector<std::string> by) {
  const auto datastore = datastore_input(context, DatastoreKind::kRedis);
  if (!datastore.ok()) return "# " + datastore.error().what;
  const ConnectionConfig& connection = (*datastore)->connection;
  std::vector<std::string> argv = std::move(by);
  argv.emplace_back("redis-cli");
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

std::string redis_copy_line(const StepContext& context) {
  return redis_cli(context, {"--rdb", text_input(context, "datastore") + ".rdb"});
}

}  // namespace daruma::run
