#include "lastminutestay/api/api_service.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "lastminutestay/api/bookings.h"
#include "lastminutestay/api/monitoring.h"
#include "lastminutestay/api/search.h"
#include "lastminutestay/api/settings.h"

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using namespace daruma::service;
using daruma::Breaker;
using daruma::BreakerChange;
using daruma::BreakerState;
using daruma::Duration;
using daruma::Status;

constexpr Statement kSchema = {"schema", "SELECT max(number) FROM schema_migrations"};
constexpr Statement kForgetKeys = {
    "forget_keys", "DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days'"};
constexpr Duration kForgetKeysEvery = 1h;

class ApiService final : public Service {
 public:
  explicit ApiService(Worker& worker) : worker_(worker) {}

  Status start(Router& router) override {
    const Settings& settings = worker_.settings;
    DR_TRY(pinned_, business_date(settings));
    DR_TRY(key_, TokenKey::shared_secret(settings.secret("token.secret")));
    key_->expect(settings.text("token.issuer"), "");
    DR_OK(make_breaker());
    make_clients();
    make_parts();
    add_health_checks();
    add_routes(router);
    boost::asio::co_spawn(worker_.io, forget_old_keys(), boost::asio::detached);
    return {};
  }

  Task<void> stop() override {
    co_await postgres_->close();
    co_await redis_->close();
  }

 private:
  Date today() const { return pinned_ ? *pinned_ : day_in_japan(worker_.clock.now()); }

  Status make_breaker() {
    DR_TRY(const auto settings, breaker_settings(worker_.settings));
    DR_TRY(const auto cells,
           worker_.region.cells(Breaker::cells_name(kHotelData, settings), Breaker::cells_needed(settings)));
    breaker_ = std::make_unique<Breaker>(kHotelData, settings, cells, worker_.slot,
                                         [this](const BreakerChange& change) { tell(change); });
    return {};
  }

  void make_clients() {
    const Settings& settings = worker_.settings;
    postgres_ = PostgresPool::create(worker_.io, postgres_settings(settings), worker_.clock, worker_.random,
                                     worker_.log, worker_.metrics);
    redis_ = Redis::create(worker_.io, redis_settings(settings), worker_.clock, worker_.random, worker_.log,
                           worker_.metrics);
    provider_ = HttpClient::create(worker_.io, provider_settings(settings), worker_.clock, worker_.log,
                                   worker_.metrics);
  }

  void make_parts() {
    const Settings& settings = worker_.settings;
    const auto today_here = [this] { return today(); };
    hotel_data_ = std::make_unique<HotelData>(*provider_, *breaker_, worker_.clock,
                                              settings.duration("provider.deadline"));
    cache_ = std::make_unique<SearchCache>(cache_settings(settings), *redis_, worker_.clock);
    search_ = std::make_unique<Search>(Search::Parts{worker_.io, *postgres_, *hotel_data_, *cache_,
                                                     worker_.clock, worker_.log, worker_.metrics, today_here,
                                                     settings.duration("search.deadline")});
    bookings_ = std::make_unique<Bookings>(
        Bookings::Parts{worker_.io, *postgres_, *key_, worker_.clock, worker_.random, worker_.log,
                        worker_.metrics, today_here, settings.duration("booking.deadline")});
    monitoring_ = std::make_unique<Monitoring>(Monitoring::Parts{worker_.io,
                                                                 worker_.health,
                                                                 worker_.metrics,
                                                                 {breaker_.get()},
                                                                 *postgres_,
                                                                 *key_,
                                                                 worker_.clock,
                                                                 worker_.log,
                                                                 settings.on("reset_from_this_host")});
  }

  void add_routes(Router& router) {
    router.add({.pattern = "/api/hotels/search",
                .name = "search",
                .handle = [this](Request& request) { return search_->handle(request); },
                .try_at_once = [this](Request& request) { return search_->try_at_once(request); }});
    router.add({.method = Method::kPost,
                .pattern = "/api/bookings",
                .name = "booking.create",
                .handle = [this](Request& request) { return bookings_->create(request); },
                .body_max = 4096});
    router.add({.pattern = "/api/bookings/{id}", .name = "booking.show", .handle = [this](Request& request) {
                  return bookings_->show(request);
                }});
    router.add({.method = Method::kDelete,
                .pattern = "/api/bookings/{id}",
                .name = "booking.cancel",
                .handle = [this](Request& request) { return bookings_->cancel(request); }});
    monitoring_->add_routes(router);
  }

  void add_health_checks() {
    Health& health = worker_.health;
    health.add({.name = "PostgreSQL",
                .component = "datastore",
                .needed = true,
                .every = 1s,
                .time_max = 2s,
                .ask = [this] { return ask_postgres(); }});
    health.add({.name = "Redis", .component = "datastore", .every = 1s, .time_max = 1s, .ask = [this] {
                  return ask_redis();
                }});
    health.add({.name = kHotelData, .component = "component", .every = 2s, .time_max = 2s, .ask = [this] {
                  return ask_provider();
                }});
  }

  Task<HealthAnswer> ask_postgres() {
    const auto rows = co_await postgres_->run(kSchema, {}, worker_.clock.after(2s));
    if (!rows.ok()) co_return HealthAnswer{.state = HealthState::kFail, .output = rows.error().what};
    co_return HealthAnswer{};
  }

  Task<HealthAnswer> ask_redis() {
    std::vector<std::string> ping = {"PING"};
    const auto reply = co_await redis_->command(std::move(ping), worker_.clock.after(1s));
    if (!reply.ok()) co_return HealthAnswer{.state = HealthState::kFail, .output = reply.error().what};
    co_return HealthAnswer{};
  }

  // Whether it answers is asked beside the breaker: that tells whether a reset makes sense.
  Task<HealthAnswer> ask_provider() {
    const Status answers = co_await hotel_data_->knock();
    const BreakerState state = breaker_->state();
    if (!answers.ok()) co_return HealthAnswer{.state = HealthState::kFail, .output = answers.error().what};
    if (state == BreakerState::kOpen || state == BreakerState::kHalfOpen ||
        state == BreakerState::kForcedOpen)
      co_return HealthAnswer{
          .state = HealthState::kWarn,
          .output = fmt::format("it answers; its circuit breaker is {}", daruma::name_of(state))};
    co_return HealthAnswer{};
  }

  // Opening is an error that hurts until it closes; closing is what says that it healed. What happens in
  // between is in the metrics.
  void tell(const BreakerChange& change) {
    const bool closed = change.to == BreakerState::kClosed;
    if (!closed && change.from != BreakerState::kClosed) return;
    std::string message = fmt::format("circuit breaker {} is {}: {}", change.breaker,
                                      daruma::name_of(change.to), daruma::name_of(change.reason));
    if (!closed)
      message += fmt::format(" ({} of {} calls failed, {} were slow)", change.counts.failures,
                             change.counts.calls, change.counts.slow);
    worker_.log.error({.severity = closed ? Severity::kInfo : Severity::kError,
                       .request_id = "",
                       .dependency = kHotelData,
                       .message = message,
                       .recovered = closed ? "the circuit breaker is closed" : ""});
  }

  // Every worker does: deleting what is deleted already costs nothing.
  Task<void> forget_old_keys() {
    boost::asio::steady_timer timer(worker_.io);
    for (;;) {
      timer.expires_after(kForgetKeysEvery);
      co_await timer.async_wait(boost::asio::use_awaitable);
      const auto forgotten = co_await postgres_->run(kForgetKeys, {}, worker_.clock.after(1min));
      if (!forgotten.ok())
        worker_.log.error({.severity = Severity::kWarning,
                           .request_id = "",
                           .dependency = "PostgreSQL",
                           .message = "old idempotency keys stay for another hour: " + forgotten.error().what,
                           .recovered = ""});
    }
  }

  Worker& worker_;
  std::optional<Date> pinned_;
  std::unique_ptr<TokenKey> key_;
  std::unique_ptr<Breaker> breaker_;
  std::unique_ptr<PostgresPool> postgres_;
  std::unique_ptr<Redis> redis_;
  std::unique_ptr<HttpClient> provider_;
  std::unique_ptr<HotelData> hotel_data_;
  std::unique_ptr<SearchCache> cache_;
  std::unique_ptr<Search> search_;
  std::unique_ptr<Bookings> bookings_;
  std::unique_ptr<Monitoring> monitoring_;
};

}  // namespace

std::unique_ptr<Service> make_api_service(Worker& worker) { return std::make_unique<ApiService>(worker); }

}  // namespace lastminutestay
