// provider/behaviour.h: how HotelDataAPI behaves at the moment: it can be told to be slow, wrong, silent or
// out of service, as third parties are.
//
// Format:  {"latencyMs":0,"errorPercent":0,"silent":false,"outage":false}. Silent: connections are taken
//          and nothing is answered until that ends. Outage: everything is answered with 503 at once.
// Threads: one object a worker; the cells are shared by all workers, so one answer for the whole service.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "service/shared_region.h"

namespace lastminutestay {

struct Behaviour {
  daruma::Duration latency{};
  uint32_t error_percent = 0;
  bool silent = false;
  bool outage = false;

  bool operator==(const Behaviour&) const = default;
};

std::string to_json(const Behaviour& behaviour);
// Keys that are not there stay as in `before`. kInvalid: not such an object, an unknown key, a value out of
// range.
daruma::Result<Behaviour> parse_behaviour(std::string_view json, Behaviour before);

class SharedBehaviour {
 public:
  static daruma::Result<SharedBehaviour> in(daruma::service::SharedRegion& region);
  Behaviour get() const;
  void set(const Behaviour& behaviour);

 private:
  explicit SharedBehaviour(std::span<daruma::service::Cell> cells) : cells_(cells) {}
  std::span<daruma::service::Cell> cells_;
};

}  // namespace lastminutestay
