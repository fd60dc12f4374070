// api/bookings.h: POST /api/bookings, GET and DELETE /api/bookings/{id} (requirement L3).
//
// One round trip to PostgreSQL each, and nothing else is asked: what cache and provider do never matters
// here. A request whose connection broke is asked again, under the same id, so that it happened once or
// not at all.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <iterator>
#include <string_view>

#include "lastminutestay/api/booking_request.h"
#include "os/clock.h"
#include "os/random.h"
#include "service/http.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/postgres.h"
#include "service/task.h"
#include "service/token.h"

namespace lastminutestay {

constexpr const char* kOperator = "operator";  // the role that sees and does more than its own

class Bookings {
 public:
  // All of it outlives the bookings.
  struct Parts {
    boost::asio::io_context& io;
    daruma::service::PostgresPool& postgres;
    const daruma::service::TokenKey& key;
    const daruma::Clock& clock;
    daruma::Random& random;
    daruma::service::Log& log;
    daruma::service::Metrics& metrics;
    std::function<Date()> today;
    daruma::Duration time_max;
  };
  explicit Bookings(Parts parts);

  // 201, 200 (repeated), 400, 401, 409, 422, 503.
  daruma::service::Task<daruma::service::Response> create(daruma::service::Request& request);
  // 200, 401, 404, 503.
  daruma::service::Task<daruma::service::Response> show(daruma::service::Request& request);
  // 200, 401, 404, 409, 503.
  daruma::service::Task<daruma::service::Response> cancel(daruma::service::Request& request);

 private:
  daruma::service::Task<daruma::Result<daruma::service::Rows>> ask(
      const daruma::service::Statement& statement, daruma::service::SqlValues values, std::string request_id);
  daruma::service::Response created(const daruma::service::Rows& rows, const BookingRequest& wanted);
  daruma::service::Response unavailable(const daruma::Error& error, const daruma::service::Request& request);
  void count(std::string_view outcome) const;
  std::string new_id();

  static constexpr std::string_view kOutcomes[] = {"created",  "repeated",   "taken",     "no_room",
                                                   "too_many", "key_reused", "cancelled", "failed"};

  const Parts parts_;
  daruma::service::Counter outcomes_[std::size(kOutcomes)];
};

}  // namespace lastminutestay
