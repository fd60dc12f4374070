#include "run/attempt.h"

#include <fmt/format.h>

#include "base/enum_words.h"
#include "os/files.h"

namespace daruma::run {
namespace {

constexpr uint64_t kLargestFile = 64 << 20;

constexpr std::string_view kCalls[] = {"act", "reconcile", "undo"};
constexpr std::string_view kCuts[] = {"not", "late", "died"};

template <class E>
Result<E> known(std::optional<E> found, const Value& value, std::string_view key) {
  if (found) return *found;
  return Error{Errc::kCorrupt, fmt::format("'{}' is '{}'", key, value.text_at(key))};
}

Value inner(const Value& value, std::string_view key) {
  const Value* found = value.find(key);
  return found ? *found : Value();
}

}  // namespace

Status write_value(FileSystem& fs, const Path& file, const Value& value) {
  return replace_file(fs, file, as_bytes(to_json(value) + "\n"));
}

Result<Value> read_value(FileSystem& fs, const Path& file) {
  const auto bytes = read_file(fs, file, kLargestFile);
  if (bytes.is(Errc::kNotFound)) return Value();
  DR_OK(bytes);
  auto value = parse_json(as_text(*bytes));
  if (!value.ok()) return Error{Errc::kCorrupt, fmt::format("{}: {}", file.string(), value.error().what)};
  return value;
}

Status write_assignment(FileSystem& fs, const Path& attempt, const Assignment& assignment) {
  const Order& order = assignment.order;
  Value value;
  value.set("run", assignment.run).set("config", assignment.config.string());
  value.set("run_directory", assignment.run_directory.string());
  value.set("config_hash", assignment.config_hash);
  value.set("step", order.step).set("attempt", order.attempt).set("do", order.type);
  value.set("call", kCalls[static_cast<size_t>(order.call)]).set("with", order.with);
  value.set("recorded", order.recorded).set("outputs", order.outputs);
  value.set("timeout_ns", order.timeout.count()).set("target", to_string(order.target));
  DR_OK(create_dirs(fs, attempt));
  return write_value(fs, attempt / "order.json", value);
}

Result<Assignment> read_assignment(FileSystem& fs, const Path& attempt) {
  const Path file = attempt / "order.json";
  DR_TRY(const Value value, read_value(fs, file));
  if (value.is_null()) return Error{Errc::kNotFound, fmt::format("{}: no such file", file.string())};
  Assignment assignment;
  assignment.run = value.text_at("run");
  assignment.config = value.text_at("config");
  assignment.run_directory = value.text_at("run_directory");
  assignment.config_hash = value.text_at("config_hash");
  Order& order = assignment.order;
  order.step = value.text_at("step");
  order.attempt = static_cast<uint32_t>(value.integer_at("attempt"));
  order.type = value.text_at("do");
  order.with = inner(value, "with");
  order.recorded = inner(value, "recorded");
  order.outputs = inner(value, "outputs");
  order.timeout = Duration(value.integer_at("timeout_ns"));
  DR_TRY(order.call, known(enum_named<Order::Call>(kCalls, value.text_at("call")), value, "call"));
  DR_TRY(order.target, known(target_named(value.text_at("target")), value, "target"));
  return assignment;
}

Status write_result(FileSystem& fs, const Path& attempt, const Ended& ended) {
  Value value;
  value.set("succeeded", ended.outcome == Outcome::kSucceeded).set("no_retry", ended.no_retry);
  value.set("error", ended.error).set("hint", ended.hint).set("outputs", ended.outputs);
  value.set("prepared", ended.prepared).set("output_hash", ended.output_hash);
  value.set("cut", kCuts[static_cast<size_t>(ended.cut)]);
  return write_value(fs, attempt / "result.json", value);
}

Result<std::optional<Ended>> read_result(FileSystem& fs, const Path& attempt) {
  DR_TRY(const Value value, read_value(fs, attempt / "result.json"));
  if (value.is_null()) return std::optional<Ended>();
  const std::string cut_short = value.text_at("cut", std::string(kCuts[0]));
  DR_TRY(const Cut cut, known(enum_named<Cut>(kCuts, cut_short), value, "cut"));
  return std::optional<Ended>({value.boolean_at("succeeded") ? Outcome::kSucceeded : Outcome::kFailed,
                               value.boolean_at("no_retry"), value.text_at("error"), value.text_at("hint"),
                               inner(value, "outputs"), inner(value, "prepared"),
                               value.text_at("output_hash"), cut});
}

Status write_answer(FileSystem& fs, const Path& attempt, const Result<Value>& answer) {
  Value value;
  if (answer.ok())
    value.set("outputs", *answer);
  else
    value.set("code", to_string(answer.error().code))
        .set("what", answer.error().what)
        .set("hint", answer.error().hint);
  return write_value(fs, attempt / "answer.json", value);
}

Result<Value> read_answer(FileSystem& fs, const Path& attempt) {
  DR_TRY(const Value value, read_value(fs, attempt / "answer.json"));
  if (const Value* outputs = value.find("outputs")) return *outputs;
  if (value.is_null()) return Error{Errc::kFailed, "it ended without an answer"};
  DR_TRY(const Errc code, known(errc_named(value.text_at("code")), value, "code"));
  return Error{code, value.text_at("what"), value.text_at("hint")};
}

Result<Remains> look_at(FileSystem& fs, const Path& attempt) {
  DR_OK(create_dirs(fs, attempt));
  const auto lock = fs.lock(attempt / "lock");
  if (lock.is(Errc::kRefused)) return Remains{Left::kRuns, {}};
  DR_OK(lock);
  DR_TRY(auto ended, read_result(fs, attempt));
  if (ended) return Remains{Left::kEnded, std::move(ended)};
  DR_TRY(const bool started, exists(fs, attempt / "started.json"));
  if (started) {
    DR_TRY(Value prepared, read_value(fs, attempt / "prepared.json"));
    return Remains{Left::kVanished, {}, std::move(prepared)};
  }
  DR_OK(replace_file(fs, attempt / "sealed", {}));
  return Remains{Left::kNeverBegan, {}};
}

}  // namespace daruma::run
