#include "runtime/shim_talk.h"

#include "base/enum_words.h"

namespace daruma::runtime {
namespace {

constexpr std::string_view kOrders[] = {"status", "start", "stop", "restart", "reload", "scale"};
constexpr size_t kMessageMax = 4000;  // of 4096 that a socket's message may have

}  // namespace

std::string encode(const ShimRequest& request) {
  return to_json(Value::Map{{"do", kOrders[static_cast<size_t>(request.order)]},
                            {"patience_ns", request.patience.count()},
                            {"instances", request.instances}});
}

Result<ShimRequest> parse_request(std::string_view text) {
  DR_TRY(const Value value, parse_json(text));
  const auto order = enum_named<Order>(kOrders, value.text_at("do"));
  const int64_t patience_ns = value.integer_at("patience_ns");
  const int64_t instances = value.integer_at("instances");
  if (!order || patience_ns < 0 || instances < 0 || instances > UINT32_MAX)
    return Error{Errc::kInvalid, "this is not a request to a shim"};
  return ShimRequest{*order, Duration(patience_ns), static_cast<uint32_t>(instances)};
}

std::string encode(const ServiceRecord& record) { return to_json(Value::Map{{"record", to_value(record)}}); }

std::string encode(const Status& outcome) {
  if (outcome.ok()) return "{}";
  const Error& error = outcome.error();
  std::string what = error.what;
  for (;;) {
    std::string text = to_json(Value::Map{
        {"error",
         Value::Map{{"code", to_string(error.code)}, {"what", what}, {"hint", error.hint.substr(0, 400)}}}});
    if (text.size() <= kMessageMax) return text;
    // Its beginning says what failed, its end holds the last lines of output.
    what = error.what.substr(0, what.size() / 4) + " … " +
           error.what.substr(error.what.size() - what.size() / 4);
  }
}

Result<Value> parse_answer(std::string_view text) {
  const auto value = parse_json(text);
  if (!value.ok() || !value->map()) return Error{Errc::kCorrupt, "a shim gave an answer that is none"};
  if (const Value* error = value->find("error")) {
    return Error{errc_named(error->text_at("code")).value_or(Errc::kFailed), error->text_at("what"),
                 error->text_at("hint")};
  }
  const Value* record = value->find("record");
  return record ? *record : Value();
}

}  // namespace daruma::runtime
