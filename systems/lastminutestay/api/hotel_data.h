// api/hotel_data.h: what the third party HotelDataAPI knows about hotels, asked through the breaker of that
// name.
//
// Every call has a deadline; its outcome is recorded in the breaker, which all workers share.
// Threads: the worker's one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "breaker/breaker.h"
#include "os/clock.h"
#include "service/http_client.h"
#include "service/task.h"

namespace lastminutestay {

constexpr const char* kHotelData = "HotelDataAPI";

// By hotel, members of a JSON object without the braces: "rating":4.3,"reviews":812,…
using HotelFacts = std::unordered_map<int32_t, std::string>;

// Only members that are known are taken over, so that a third party cannot write into our answers what it
// likes. kInvalid: not the answer that was agreed on.
daruma::Result<HotelFacts> parse_hotel_facts(std::string_view json);

class HotelData {
 public:
  HotelData(daruma::service::HttpClient& client, daruma::Breaker& breaker, const daruma::Clock& clock,
            daruma::Duration time_max)
      : client_(client), breaker_(breaker), clock_(clock), time_max_(time_max) {}

  // nullopt: the breaker does not permit a call now.
  std::optional<daruma::Breaker::Permit> admit() { return breaker_.admit(clock_.mono()); }
  void drop(const daruma::Breaker::Permit& permit) { breaker_.drop(permit); }
  // The call that was permitted. kUnavailable: no answer in time, or one that is no use.
  daruma::service::Task<daruma::Result<HotelFacts>> ask(daruma::Breaker::Permit permit,
                                                        std::vector<int32_t> hotels);
  // Whether it answers at all, whatever the breaker thinks: for health, and before a reset.
  daruma::service::Task<daruma::Status> knock();

 private:
  daruma::service::Task<daruma::Result<HotelFacts>> call(std::string target);

  daruma::service::HttpClient& client_;
  daruma::Breaker& breaker_;
  const daruma::Clock& clock_;
  const daruma::Duration time_max_;
};

}  // namespace lastminutestay
