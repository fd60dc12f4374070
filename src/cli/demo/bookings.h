// cli/demo/bookings.h: a hotel-booking database, a load of bookings against it, and a witness outside it.
//
// The witness is a file. A booking counts as acknowledged only when COMMIT has returned *and* its line is in
// that file: then somebody outside the database can hold the database to it.
// Threads: Load has threads of its own; everything else one at a time.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "cli/demo/local_postgres.h"

namespace daruma {

// Hotels, rooms and some weeks of bookings: about 50 MB.
Status make_hotels(LocalPostgres& server);

struct Booking {
  std::string room;
  std::string check_in;
  std::string guests;
  std::string price;
  bool operator==(const Booking&) const = default;
};
using Bookings = std::map<std::string, Booking>;  // by reference, the client's own

class Witness {
 public:
  static Result<std::unique_ptr<Witness>> create(FileSystem& fs, const Path& file);
  Status record(const std::string& reference, const Booking& booking);
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

// Clients that book, each on a connection of its own, until stopped or until the server is gone.
class Load {
 public:
  Load(LocalPostgres& server, Witness& witness, int clients, const std::string& name);
  ~Load() { end(); }
  uint64_t acknowledged() const { return acknowledged_; }
  void end();

 private:
  void client(std::stop_token stop, int number);
  LocalPostgres& server_;
  Witness& witness_;
  const std::string name_;
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
