#include "lastminutestay/api/monitoring.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lastminutestay/api/bookings.h"

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Breaker;
using daruma::BreakerState;
using daruma::BreakerView;
using daruma::Instant;
using daruma::MonoInstant;
using daruma::service::Method;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Router;
using daruma::service::Severity;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

constexpr Statement kAudit = {"audit",
                              "INSERT INTO audit_log (actor, client, action, detail, request_id)"
                              " VALUES ($1, $2, 'circuit-breaker.reset', $3, $4)"};

// In the words of the manual: "OPEN".
const char* word_of(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed:
      return "CLOSED";
    case BreakerState::kOpen:
      return "OPEN";
    case BreakerState::kHalfOpen:
      return "HALF_OPEN";
    case BreakerState::kForcedOpen:
      return "FORCED_OPEN";
    case BreakerState::kDisabled:
      return "DISABLED";
    case BreakerState::kMetricsOnly:
      return "METRICS_ONLY";
  }
  return "";
}

std::string number_or_null(const std::optional<double>& number) {
  return number ? fmt::format("{:.3f}", *number) : "null";
}

class Times {
 public:
  Times(Instant now, MonoInstant mono) : now_(now), mono_(mono) {}
  std::string of(const std::optional<MonoInstant>& at) const {
    if (!at) return "null";
    return "\"" + daruma::to_rfc3339(now_ + (*at - mono_)) + "\"";
  }

 private:
  const Instant now_;
  const MonoInstant mono_;
};

std::string breaker_json(const Breaker& breaker, const Times& times, MonoInstant mono) {
  const BreakerView view = breaker.view(mono);
  return fmt::format(R"({{"name":"{}","state":"{}","reason":"{}","since":{},"tryAgainAt":{},)"
                     R"("counts":{{"calls":{},"failed":{},"slow":{},"notPermitted":{}}},)"
                     R"("failureRate":{},"slowRate":{},"trials":{{"running":{},"passed":{},"needed":{}}}}})",
                     breaker.name(), word_of(view.state), daruma::name_of(view.reason), times.of(view.since),
                     times.of(view.try_again_at), view.counts.calls, view.counts.failures, view.counts.slow,
                     view.not_permitted, number_or_null(view.failure_rate), number_or_null(view.slow_rate),
                     view.trials_running, view.trials_passed, breaker.settings().trials);
}

Response not_cached(Response response) {
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

}  // namespace

std::string breakers_json(const std::vector<Breaker*>& breakers, Instant now, MonoInstant mono) {
  const Times times(now, mono);
  std::string list;
  for (const Breaker* breaker : breakers)
    list += (list.empty() ? "" : ",") + breaker_json(*breaker, times, mono);
  return R"({"circuitBreakers":[)" + list + R"(],"time":)" + times.of(mono) + "}";
}

Monitoring::Monitoring(Parts parts) : parts_(std::move(parts)) {
  for (const Breaker* breaker : parts_.breakers) {
    for (const BreakerState state :
         {BreakerState::kClosed, BreakerState::kOpen, BreakerState::kHalfOpen, BreakerState::kForcedOpen,
          BreakerState::kDisabled, BreakerState::kMetricsOnly})
      parts_.metrics.gauge_of("circuit_breaker_state", "1 for the state the circuit breaker is in",
                              {{"name", breaker->name()}, {"state", word_of(state)}},
                              [breaker, state] { return breaker->state() == state ? 1.0 : 0.0; });
    parts_.metrics.gauge_of(
        "circuit_breaker_not_permitted",
        "Calls the circuit breaker has turned away since the service started", {{"name", breaker->name()}},
        [this, breaker] { return static_cast<double>(breaker->view(parts_.clock.mono()).not_permitted); });
  }
}

void Monitoring::add_routes(Router& router) {
  router.add({.pattern = "/monitoring/health", .name = "health", .handle_at_once = [this](Request&) {
                return not_cached(parts_.health.brief());
              }});
  router.add({.pattern = "/monitoring/health/detailed",
              .name = "health.detailed",
              .handle_at_once = [this](Request&) { return not_cached(parts_.health.detailed()); }});
  router.add({.pattern = "/monitoring/circuit-breakers",
              .name = "breakers",
              .handle_at_once = [this](Request&) { return breakers(); }});
  router.add({.method = Method::kPost,
              .pattern = "/monitoring/circuit-breakers/{name}/reset",
              .name = "breaker.reset",
              .handle_at_once = [this](Request& request) { return reset(request); }});
  router.add({.pattern = "/monitoring/metrics", .name = "metrics", .handle_at_once = [this](Request&) {
                Response response = daruma::service::text(200, parts_.metrics.text());
                response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                return not_cached(std::move(response));
              }});
}

Response Monitoring::breakers() const {
  return not_cached(
      daruma::service::json(200, breakers_json(parts_.breakers, parts_.clock.now(), parts_.clock.mono())));
}

std::variant<std::string, Response> Monitoring::actor_of(const Request& request) const {
  const bool by_a_page = !request.header("Origin").empty();
  const bool has_token = !request.header("Authorization").empty();
  if (!has_token && parts_.reset_from_this_host && request.from_this_host && !by_a_page)
    return std::string("somebody on this host");
  const auto claims = daruma::service::bearer(request, parts_.key, parts_.clock.now());
  if (!claims.ok()) return daruma::service::unauthorized(claims.error());
  if (!claims->has_role(kOperator))
    return daruma::service::problem(403, "a reset needs a token with the role 'operator'");
  return claims->subject;
}

Response Monitoring::reset(const Request& request) {
  const auto actor = actor_of(request);
  if (const Response* refused = std::get_if<Response>(&actor)) return *refused;
  const std::string& name = request.path_parameter("name");
  for (Breaker* breaker : parts_.breakers) {
    if (breaker->name() != name) continue;
    const std::string detail = fmt::format("{} was {}", name, word_of(breaker->state()));
    breaker->reset(parts_.clock.mono());
    const std::string by = std::get<std::string>(actor);
    const std::string message = fmt::format("circuit breaker reset by {}: {}", by, detail);
    parts_.log.error({.severity = Severity::kInfo,
                      .request_id = request.id,
                      .dependency = name,
                      .message = message,
                      .recovered = "by hand"});
    boost::asio::co_spawn(parts_.io, audit(by, request.client, detail, request.id), boost::asio::detached);
    return breakers();
  }
  return daruma::service::problem(404, fmt::format("there is no circuit breaker '{}'", name));
}

// The line in error.log is there already: that the database does not answer must not stop a reset.
Task<void> Monitoring::audit(std::string actor, std::string client, std::string detail,
                             std::string request_id) {
  SqlValues values(4);
  values[0] = std::move(actor);
  values[1] = std::move(client);
  values[2] = std::move(detail);
  values[3] = request_id;
  const auto written = co_await parts_.postgres.run(kAudit, std::move(values), parts_.clock.after(5s));
  if (!written.ok())
    parts_.log.error({.severity = Severity::kWarning,
                      .request_id = request_id,
                      .dependency = "PostgreSQL",
                      .message = "the reset is not in the table audit_log: " + written.error().what,
                      .recovered = ""});
}

}  // namespace lastminutestay
