// cli/demo/bookings.h: a load of bookings through the API, and a witness outside the database.
//
// The witness is a file. A booking counts as acknowledged only when the API answered 201 *and* its line is in
// that file: then somebody outside the database can hold the database to it.
// Threads: Load has threads of its own; everything else one at a time.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "cli/demo/hotel_api.h"

namespace daruma {

using Bookings = std::map<std::string, Booking>;  // by the id that the API gave

// What the demo books lies after everything that was made up, so that nobody is in its way.
inline constexpr const char* kFirstNight = "2024-12-01";
inline constexpr const char* kAfterRecovery = "2025-07-01";  // the first booking after each recovery

class Witness {
 public:
  static Result<std::unique_ptr<Witness>> create(FileSystem& fs, const Path& file);
  Status record(const std::string& id, const Booking& booking);
  // Everything recorded so far, read back from the file.
  Result<Bookings> all();

 private:
  Witness(FileSystem& fs, Path path) : fs_(fs), path_(std::move(path)) {}
  struct Open {
    std::unique_ptr<File> file;
    uint64_t end = 0;
  };
  FileSystem& fs_;
  Path path_;
  Guarded<Open> open_;
};

// Clients that book, each on a connection of its own, until stopped or until an answer is no 201.
class Load {
 public:
  // Each books other rooms and nights than the rest: `rooms` in turn, then the next night.
  Load(const HotelApi& api, Witness& witness, std::vector<std::string> rooms, int clients);
  ~Load() { end(); }
  uint64_t acknowledged() const { return acknowledged_; }
  void end();

 private:
  void client(std::stop_token stop, size_t number, size_t clients, std::unique_ptr<BookingClient> api);
  Witness& witness_;
  const std::vector<std::string> rooms_;
  std::atomic<uint64_t> acknowledged_{0};
  std::vector<std::jthread> clients_;
};

struct Comparison {
  uint64_t acknowledged = 0;
  uint64_t found = 0;
  uint64_t missing = 0;
  uint64_t different = 0;
  uint64_t unannounced = 0;  // committed, but nobody had been told yet when the server died
  bool exact() const { return missing == 0 && different == 0; }
};
// Every booking that the witness recorded, one by one, with the database.
Result<Comparison> compare(LocalPostgres& server, Witness& witness);

}  // namespace daruma
