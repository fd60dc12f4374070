// run/steps/redis_parts.h: what the steps that deal with a Redis share.
//
// Threads: plain functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "probe/redis.h"
#include "run/step_type.h"

namespace daruma::run {

using RedisFields = std::map<std::string, std::string, std::less<>>;

// A connection to the Redis that input `datastore` names.
Result<probe::RedisTalk> talk_to_redis(StepContext& context);
// Keeps a copy of all its data with the attempt, proven whole by its check sum: outputs `snapshot`, `bytes`.
Result<Value::Map> keep_redis_copy(StepContext& context);

// Fields of INFO: 0 or "" when there is none of this name.
int64_t redis_number(const RedisFields& fields, std::string_view name);
std::string redis_text(const RedisFields& fields, std::string_view name);
// The sum over all databases.
int64_t redis_keys(const RedisFields& fields);

// redis-cli with these words, as a person types it; the password stays a reference. `by`: what runs it.
std::string redis_cli(const StepContext& context, const std::vector<std::string>& words,
                      std::vector<std::string> by = {});
std::string redis_copy_line(const StepContext& context);

}  // namespace daruma::run
