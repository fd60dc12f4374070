// cli/demo/hotel_api.h: LastMinuteStay's booking API as a process of the demo's own, and a client of it.
//
// The API is asked over HTTP like anybody's: what it answers 201 is acknowledged, whatever happens next.
// Threads: HotelApi one at a time; each thread has a BookingClient of its own.
#pragma once

#include <memory>
#include <string>

#include "cli/demo/local_postgres.h"

namespace daruma {

struct Booking {
  std::string room;
  std::string check_in;  // YYYY-MM-DD
  std::string check_out;
  std::string guests;
  std::string total;  // yen, as the API answered; "" before
  bool operator==(const Booking&) const = default;
};

struct Booked {
  std::string id;
  std::string total;
};

// One kept connection to the API.
class BookingClient {
 public:
  virtual ~BookingClient() = default;
  // One POST /api/bookings. kUnavailable: no answer, or one of 500 and above: nothing was acknowledged.
  // kFailed: another answer than 201, in its words.
  virtual Result<Booked> book(const Booking& booking, const std::string& idempotency_key) = 0;
};

class HotelApi {
 public:
  // kNotFound: the program is not beside this one.
  static Result<HotelApi> create(App& app, const Path& scratch);

  // The schema and a made-up country of hotels, in a database made for them.
  Status fill(LocalPostgres& server);
  // Returns when it is ready to serve.
  Status start();
  Status stop();

  std::string url() const;
  std::unique_ptr<BookingClient> client() const;

 private:
  HotelApi(App& app, Path scratch, Path program)
      : app_(&app), scratch_(std::move(scratch)), program_(std::move(program)) {}
  // The program with its settings, then `arguments`.
  Command command(std::vector<std::string> arguments) const;
  Result<std::string> run(std::vector<std::string> arguments);

  App* app_;
  Path scratch_;
  Path program_;
  std::string secret_;
  std::string token_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace daruma
