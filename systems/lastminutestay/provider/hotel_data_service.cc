#include "lastminutestay/provider/hotel_data_service.h"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "lastminutestay/provider/behaviour.h"
#include "lastminutestay/provider/hotel_facts.h"

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using namespace daruma::service;
using daruma::Duration;
using daruma::Status;

constexpr Duration kSilenceChecked = 50ms;
constexpr Duration kSilenceMax = 10min;

class HotelDataService final : public Service {
 public:
  explicit HotelDataService(Worker& worker) : worker_(worker) {}

  Status start(Router& router) override {
    DR_TRY(auto behaviour, SharedBehaviour::in(worker_.region));
    behaviour_ = behaviour;
    const auto misbehaving = [this](auto answer) {
      return [this, answer](Request& request) { return answer_as_told(request, answer); };
    };
    router.add(
        {.pattern = "/v1/hotels", .name = "hotels", .handle = misbehaving(&facts), .time_max = kSilenceMax});
    router.add(
        {.pattern = "/health", .name = "health", .handle = misbehaving(&healthy), .time_max = kSilenceMax});
    router.add({.pattern = "/admin/behaviour",
                .name = "behaviour",
                .handle_at_once = [this](Request& request) { return tell(request); }});
    router.add({.method = Method::kPut,
                .pattern = "/admin/behaviour",
                .name = "behaviour.change",
                .handle_at_once = [this](Request& request) { return change(request); }});
    return {};
  }

 private:
  static Response facts(Request& request) {
    const auto ids = parse_hotel_ids(request.parameter("ids").value_or(""));
    if (!ids.ok()) return problem(400, ids.error().what);
    return json(200, hotel_facts_json(*ids));
  }
  static Response healthy(Request&) { return json(200, R"({"status":"pass"})"); }

  Task<void> pause(Duration duration) {
    boost::asio::steady_timer timer(worker_.io, duration);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }

  Task<Response> answer_as_told(Request& request, Response (*answer)(Request&)) {
    if (const Duration latency = behaviour_->get().latency; latency > Duration{0}) co_await pause(latency);
    while (behaviour_->get().silent) co_await pause(kSilenceChecked);
    const Behaviour told = behaviour_->get();
    if (told.outage) co_return problem(503, "HotelDataAPI is out of service");
    if (chance_in_hundred() < told.error_percent) co_return problem(500, "HotelDataAPI failed");
    co_return answer(request);
  }

  uint32_t chance_in_hundred() {
    std::array<std::byte, 2> bytes{};
    worker_.random.fill(bytes);
    return (std::to_integer<uint32_t>(bytes[0]) << 8 | std::to_integer<uint32_t>(bytes[1])) % 100;
  }

  Response tell(const Request& request) const {
    if (!request.from_this_host) return problem(403, "the behaviour is the business of this host");
    return json(200, to_json(behaviour_->get()));
  }

  Response change(const Request& request) {
    if (!request.from_this_host) return problem(403, "the behaviour is changed from this host only");
    const auto changed = parse_behaviour(request.body, behaviour_->get());
    if (!changed.ok()) return problem(422, changed.error().what);
    behaviour_->set(*changed);
    return json(200, to_json(*changed));
  }

  Worker& worker_;
  std::optional<SharedBehaviour> behaviour_;
};

}  // namespace

std::unique_ptr<Service> make_hotel_data_service(Worker& worker) {
  return std::make_unique<HotelDataService>(worker);
}

}  // namespace lastminutestay
