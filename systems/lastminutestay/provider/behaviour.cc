#include "lastminutestay/provider/behaviour.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace lastminutestay {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;

constexpr int64_t kLatencyMaxMs = 120'000;
enum CellOf : size_t { kLatencyNanos, kErrorPercent, kSilent, kOutage, kCells };

Error wrong(std::string_view key, std::string_view want) {
  return {Errc::kInvalid, fmt::format("'{}': want {}", key, want)};
}

daruma::Status take(Behaviour& behaviour, std::string_view key, const boost::json::value& value) {
  const int64_t* number = value.if_int64();
  const bool* yes = value.if_bool();
  if (key == "latencyMs") {
    if (number == nullptr || *number < 0 || *number > kLatencyMaxMs)
      return wrong(key, "milliseconds, 0 to 120000");
    behaviour.latency = std::chrono::milliseconds(*number);
  } else if (key == "errorPercent") {
    if (number == nullptr || *number < 0 || *number > 100) return wrong(key, "a number, 0 to 100");
    behaviour.error_percent = static_cast<uint32_t>(*number);
  } else if (key == "silent" || key == "outage") {
    if (yes == nullptr) return wrong(key, "true or false");
    (key == "silent" ? behaviour.silent : behaviour.outage) = *yes;
  } else {
    return wrong(key, "latencyMs, errorPercent, silent or outage");
  }
  return {};
}

}  // namespace

std::string to_json(const Behaviour& behaviour) {
  return fmt::format(R"({{"latencyMs":{},"errorPercent":{},"silent":{},"outage":{}}})",
                     std::chrono::duration_cast<std::chrono::milliseconds>(behaviour.latency).count(),
                     behaviour.error_percent, behaviour.silent, behaviour.outage);
}

Result<Behaviour> parse_behaviour(std::string_view json, Behaviour before) {
  boost::system::error_code malformed;
  const boost::json::value value = boost::json::parse({json.data(), json.size()}, malformed);
  if (malformed || !value.is_object()) return Error{Errc::kInvalid, "the body is not a JSON object"};
  for (const auto& [key, member] : value.get_object()) DR_OK(take(before, {key.data(), key.size()}, member));
  return before;
}

Result<SharedBehaviour> SharedBehaviour::in(daruma::service::SharedRegion& region) {
  DR_TRY(const auto cells, region.cells("provider.behaviour", kCells));
  return SharedBehaviour(cells);
}

Behaviour SharedBehaviour::get() const {
  return {.latency = daruma::Duration(static_cast<int64_t>(cells_[kLatencyNanos].load())),
          .error_percent = static_cast<uint32_t>(cells_[kErrorPercent].load()),
          .silent = cells_[kSilent].load() != 0,
          .outage = cells_[kOutage].load() != 0};
}

void SharedBehaviour::set(const Behaviour& behaviour) {
  cells_[kLatencyNanos] = static_cast<uint64_t>(behaviour.latency.count());
  cells_[kErrorPercent] = behaviour.error_percent;
  cells_[kSilent] = behaviour.silent ? 1 : 0;
  cells_[kOutage] = behaviour.outage ? 1 : 0;
}

}  // namespace lastminutestay
