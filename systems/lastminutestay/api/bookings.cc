#include "lastminutestay/api/bookings.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::service::Claims;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Rows;
using daruma::service::Severity;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

constexpr Statement kBook = {"book_room",
                             "SELECT outcome, sleeps, booking->>'id', booking::text"
                             " FROM book_room($1::uuid, $2, $3, $4::date, $5::date, $6::int, $7, $8::bytea)"};
constexpr Statement kShow = {
    "show_booking",
    "SELECT booking_json(b.id)::text FROM bookings b JOIN customers c ON c.id = b.customer_id"
    " WHERE b.id = $1::uuid AND ($2::text IS NULL OR c.subject = $2)"};
constexpr Statement kCancel = {"cancel_booking",
                               "SELECT outcome, booking::text FROM cancel_booking($1::uuid, $2, $3::date)"};

constexpr daruma::Duration kPauses[] = {30ms, 60ms, 120ms, 240ms};

Response no_such_booking() { return daruma::service::problem(404, "there is no such booking of yours"); }

// Whose bookings the claims give access to; nullopt: everybody's.
std::optional<std::string> owner_of(const Claims& claims) {
  if (claims.has_role(kOperator)) return std::nullopt;
  return claims.subject;
}

}  // namespace

Bookings::Bookings(Parts parts) : parts_(std::move(parts)) {
  for (size_t i = 0; i < std::size(kOutcomes); ++i)
    outcomes_[i] =
        parts_.metrics.counter("bookings_total", "Requests to book or cancel, by what came of them",
                               {{"outcome", std::string(kOutcomes[i])}});
}

Task<Response> Bookings::create(Request& request) {
  const auto claims = daruma::service::bearer(request, parts_.key, parts_.clock.now());
  if (!claims.ok()) co_return daruma::service::unauthorized(claims.error());
  const auto wanted = parse_booking(request.body, parts_.today());
  if (!wanted.ok())
    co_return daruma::service::problem(wanted.is(Errc::kInvalid) ? 400 : 422, wanted.error().what);
  const std::string_view key = request.header("Idempotency-Key");
  if (!key.empty() && !is_idempotency_key(key))
    co_return daruma::service::problem(422,
                                       "Idempotency-Key: want 1 to 200 printable characters without spaces");

  SqlValues values(8);
  values[0] = new_id();
  values[1] = claims->subject;
  values[2] = wanted->room;
  values[3] = to_text(wanted->check_in);
  values[4] = to_text(wanted->check_out);
  values[5] = std::to_string(wanted->guests);
  if (!key.empty()) {
    values[6] = std::string(key);
    values[7] = "\\x" + wanted->hash();
  }
  const auto rows = co_await ask(kBook, std::move(values), request.id);
  if (!rows.ok()) co_return unavailable(rows.error(), request);
  co_return created(*rows, *wanted);
}

Response Bookings::created(const Rows& rows, const BookingRequest& wanted) {
  const std::string_view outcome = rows.text(0, 0);
  count(outcome);
  if (outcome == "created" || outcome == "repeated") {
    Response response = daruma::service::json(201, std::string(rows.text(0, 3)));
    response.headers.push_back({"Location", fmt::format("/api/bookings/{}", rows.text(0, 2))});
    if (outcome == "repeated") response.headers.push_back({"Idempotency-Replayed", "true"});
    return response;
  }
  if (outcome == "taken")
    return daruma::service::problem(409, fmt::format("room '{}' is taken between {} and {}", wanted.room,
                                                     to_text(wanted.check_in), to_text(wanted.check_out)));
  if (outcome == "too_many")
    return daruma::service::problem(
        422, fmt::format("guests: room '{}' sleeps {}, not {}", wanted.room, rows.text(0, 1), wanted.guests));
  if (outcome == "no_room")
    return daruma::service::problem(422, fmt::format("roomId: there is no room '{}'", wanted.room));
  return daruma::service::problem(422, "Idempotency-Key: it came with another request before; use a new one");
}

Task<Response> Bookings::show(Request& request) {
  const auto claims = daruma::service::bearer(request, parts_.key, parts_.clock.now());
  if (!claims.ok()) co_return daruma::service::unauthorized(claims.error());
  const std::string& id = request.path_parameter("id");
  if (!is_uuid(id)) co_return no_such_booking();
  SqlValues values(2);
  values[0] = id;
  values[1] = owner_of(*claims);
  const auto rows = co_await ask(kShow, std::move(values), request.id);
  if (!rows.ok()) co_return unavailable(rows.error(), request);
  if (rows->size() == 0) co_return no_such_booking();
  co_return daruma::service::json(200, std::string(rows->text(0, 0)));
}

Task<Response> Bookings::cancel(Request& request) {
  const auto claims = daruma::service::bearer(request, parts_.key, parts_.clock.now());
  if (!claims.ok()) co_return daruma::service::unauthorized(claims.error());
  const std::string& id = request.path_parameter("id");
  if (!is_uuid(id)) co_return no_such_booking();
  SqlValues values(3);
  values[0] = id;
  values[1] = owner_of(*claims);
  values[2] = to_text(parts_.today());
  const auto rows = co_await ask(kCancel, std::move(values), request.id);
  if (!rows.ok()) co_return unavailable(rows.error(), request);
  const std::string_view outcome = rows->text(0, 0);
  if (outcome == "not_found") co_return no_such_booking();
  if (outcome == "begun")
    co_return daruma::service::problem(409, "the stay has begun: it cannot be cancelled any more");
  if (outcome == "cancelled") count(outcome);
  co_return daruma::service::json(200, std::string(rows->text(0, 1)));
}

// Every statement here may run again: it finds what it did the first time. A connection that broke is most
// often there again in a moment.
Task<Result<Rows>> Bookings::ask(const Statement& statement, SqlValues values, std::string request_id) {
  const daruma::Deadline deadline = parts_.clock.after(parts_.time_max);
  auto rows = co_await parts_.postgres.run(statement, values, deadline);
  if (!rows.is(Errc::kUnavailable)) co_return rows;
  const std::string first = rows.error().what;
  boost::asio::steady_timer timer(parts_.io);
  for (const daruma::Duration pause : kPauses) {
    timer.expires_after(pause);
    co_await timer.async_wait(boost::asio::use_awaitable);
    rows = co_await parts_.postgres.run(statement, values, deadline);
    if (!rows.is(Errc::kUnavailable)) break;
  }
  if (rows.ok())
    parts_.log.error({.severity = Severity::kWarning,
                      .request_id = request_id,
                      .dependency = "PostgreSQL",
                      .message = "booking: " + first,
                      .recovered = "by asking again"});
  co_return rows;
}

Response Bookings::unavailable(const Error& error, const Request& request) {
  count("failed");
  parts_.log.error({.severity = Severity::kError,
                    .request_id = request.id,
                    .dependency = "PostgreSQL",
                    .message = "booking: " + error.what,
                    .recovered = ""});
  if (error.code != Errc::kUnavailable)
    return daruma::service::problem(500, "the booking failed: tell us the requestId");
  Response response = daruma::service::problem(
      503, "bookings are not possible at the moment: try again with the same Idempotency-Key");
  response.headers.push_back({"Retry-After", "1"});
  return response;
}

void Bookings::count(std::string_view outcome) const {
  for (size_t i = 0; i < std::size(kOutcomes); ++i)
    if (kOutcomes[i] == outcome) outcomes_[i].add();
}

// A random UUID, version 4.
std::string Bookings::new_id() {
  auto id = parts_.random.id<daruma::Id<Bookings>>();
  id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = id.hex();
  for (const size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  return text;
}

}  // namespace lastminutestay
