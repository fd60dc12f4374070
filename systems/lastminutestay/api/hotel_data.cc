#include "lastminutestay/api/hotel_data.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

namespace lastminutestay {
namespace {

using daruma::Breaker;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::Status;
using daruma::service::HttpAnswer;
using daruma::service::Method;
using daruma::service::Task;

constexpr const char* kMembers[] = {"rating", "reviews", "photos", "amenities", "hint"};
constexpr size_t kFactsMax = 4096;  // bytes a hotel

std::string target_of(const std::vector<int32_t>& hotels) {
  std::string target = "/v1/hotels?ids=";
  for (const int32_t hotel : hotels) target += fmt::format("{}{}", target.back() == '=' ? "" : ",", hotel);
  return target;
}

// Boost.JSON would write 4.3 as 4.3E0.
std::string text_of(const boost::json::value& value) {
  return value.is_double() ? fmt::format("{}", value.get_double()) : boost::json::serialize(value);
}

std::string members_of(const boost::json::object& hotel) {
  std::string members;
  for (const char* name : kMembers)
    if (const boost::json::value* value = hotel.if_contains(name))
      members += fmt::format("{}\"{}\":{}", members.empty() ? "" : ",", name, text_of(*value));
  return members.size() > kFactsMax ? std::string() : members;
}

Error of_no_use(const std::string& why) { return {Errc::kUnavailable, std::string(kHotelData) + " " + why}; }

}  // namespace

Result<HotelFacts> parse_hotel_facts(std::string_view json) {
  boost::system::error_code malformed;
  const boost::json::value answer = boost::json::parse({json.data(), json.size()}, malformed);
  if (malformed) return Error{Errc::kInvalid, "not JSON: " + malformed.message()};
  const boost::json::object* object = answer.if_object();
  const boost::json::value* list = object == nullptr ? nullptr : object->if_contains("hotels");
  if (list == nullptr || !list->is_array()) return Error{Errc::kInvalid, "no array 'hotels'"};
  HotelFacts facts;
  for (const boost::json::value& hotel : list->get_array()) {
    const boost::json::object* known = hotel.if_object();
    const boost::json::value* id = known == nullptr ? nullptr : known->if_contains("id");
    if (id == nullptr || !id->is_int64()) return Error{Errc::kInvalid, "a hotel without a number 'id'"};
    facts[static_cast<int32_t>(id->get_int64())] = members_of(*known);
  }
  return facts;
}

Task<Result<HotelFacts>> HotelData::call(std::string target) {
  const Result<HttpAnswer> answer =
      co_await client_.ask(Method::kGet, std::move(target), {}, {}, clock_.after(time_max_));
  if (!answer.ok()) co_return of_no_use("did not answer: " + answer.error().what);
  if (answer->status != 200) co_return of_no_use(fmt::format("answered {}", answer->status));
  auto facts = parse_hotel_facts(answer->body);
  if (!facts.ok()) co_return of_no_use("answered what is of no use: " + facts.error().what);
  co_return facts;
}

Task<Result<HotelFacts>> HotelData::ask(Breaker::Permit permit, std::vector<int32_t> hotels) {
  const auto begun = clock_.mono();
  auto facts = co_await call(target_of(hotels));
  const auto now = clock_.mono();
  breaker_.record(permit, facts.ok() ? Breaker::Outcome::kSuccess : Breaker::Outcome::kFailure, now - begun,
                  now);
  co_return facts;
}

Task<Status> HotelData::knock() {
  const Result<HttpAnswer> answer =
      co_await client_.ask(Method::kGet, "/health", {}, {}, clock_.after(time_max_));
  if (!answer.ok()) co_return of_no_use("did not answer: " + answer.error().what);
  if (answer->status != 200) co_return of_no_use(fmt::format("answered {}", answer->status));
  co_return Status{};
}

}  // namespace lastminutestay
