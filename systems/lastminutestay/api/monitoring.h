// api/monitoring.h: /monitoring/…: health, circuit breakers and their reset, metrics (requirements L4 to L8).
//
// Everything is answered from memory, so it answers while PostgreSQL, Redis and HotelDataAPI hang. A reset
// is allowed without a token from this host itself (setting reset_from_this_host), as the manual types it,
// but not to a browser that some page sent here (it says so by "Origin"); from elsewhere with a token of
// the role `operator`. Each is written to error.log and to the table audit_log.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>

#include "breaker/breaker.h"
#include "os/clock.h"
#include "service/health.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/postgres.h"
#include "service/router.h"
#include "service/token.h"

namespace lastminutestay {

// {"circuitBreakers":[{"name":"HotelDataAPI","state":"OPEN",…}]}
std::string breakers_json(const std::vector<daruma::Breaker*>& breakers, daruma::Instant now,
                          daruma::MonoInstant mono);

class Monitoring {
 public:
  // All of it outlives the monitoring.
  struct Parts {
    boost::asio::io_context& io;
    daruma::service::Health& health;
    daruma::service::Metrics& metrics;
    std::vector<daruma::Breaker*> breakers;
    daruma::service::PostgresPool& postgres;
    const daruma::service::TokenKey& key;
    const daruma::Clock& clock;
    daruma::service::Log& log;
    bool reset_from_this_host = true;
  };
  explicit Monitoring(Parts parts);
  void add_routes(daruma::service::Router& router);

 private:
  daruma::service::Response breakers() const;
  daruma::service::Response reset(const daruma::service::Request& request);
  // Who may reset; an error is the answer.
  std::variant<std::string, daruma::service::Response> actor_of(
      const daruma::service::Request& request) const;
  daruma::service::Task<void> audit(std::string actor, std::string client, std::string detail,
                                    std::string request_id);

  const Parts parts_;
};

}  // namespace lastminutestay
