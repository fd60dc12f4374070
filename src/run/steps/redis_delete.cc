// redis.flush and redis.drop: taking away what must not stay, after a copy of it was kept.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/redis_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr int64_t kScanCount = 500;
constexpr size_t kPatternsMost = 20;

constexpr InputRow kDatastore{"datastore", Kind::kDatastore, true, {}, "a datastore of kind redis"};
constexpr InputRow kFlush[] = {kDatastore};
constexpr InputRow kDrop[] = {
    kDatastore,
    {"patterns", Kind::kList, true, {}, "which keys go, as in [\"refresh:*\", \"cache:*\"]"},
    {"database", Kind::kInteger, false, "0", "the number of the logical database"},
};

constexpr std::string_view kFlushOutputs[] = {"snapshot", "bytes", "keys"};
constexpr std::string_view kDropOutputs[] = {"snapshot", "bytes", "deleted"};

Result<Value> flush(StepContext& context) {
  DR_TRY(auto talk, talk_to_redis(context));
  DR_TRY(const RedisFields before, talk.info(context.deadline));
  DR_TRY(Value::Map outputs, keep_redis_copy(context));
  DR_OK(talk.ask({"FLUSHALL"}, context.deadline));
  const int64_t keys = redis_keys(before);
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
  DR_TRY(Value::Map outputs, keep_redis_copy(context));
  DR_TRY(auto talk, talk_to_redis(context));
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

std::vector<std::string> flush_by_hand(const StepContext& context) {
  return {redis_copy_line(context), redis_cli(context, {"FLUSHALL"})};
}
std::vector<std::string> drop_by_hand(const StepContext& context) {
  std::vector<std::string> lines{redis_copy_line(context)};
  const std::string database = std::to_string(integer_input(context, "database"));
  if (const auto patterns = texts_input(context, "patterns"); patterns.ok())
    for (const std::string& pattern : *patterns)
      lines.push_back(redis_cli(context, {"-n", database, "--scan", "--pattern", pattern}) + " | " +
                      redis_cli(context, {"-n", database, "UNLINK"}, {"xargs", "-r", "-d", "\\n"}));
  return lines;
}

Result<Preview> preview_flush(StepContext& context) {
  DR_TRY(auto talk, talk_to_redis(context));
  DR_TRY(const RedisFields fields, talk.info(context.deadline));
  return Preview{.would = {"keep a copy of all data of Redis with the run",
                           fmt::format("delete all {} keys of {}", redis_keys(fields),
                                       text_input(context, "datastore"))},
                 .by_hand = flush_by_hand(context)};
}

Result<Preview> preview_drop(StepContext& context) {
  DR_TRY(const auto patterns, patterns_input(context));
  DR_TRY(auto talk, talk_to_redis(context));
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

std::span<const StepType> redis_delete_steps() { return kTypes; }

}  // namespace daruma::run
