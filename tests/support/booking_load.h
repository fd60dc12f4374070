// tests/support/booking_load.h: clients that book against a real server, and a witness outside it.
//
// A booking is acknowledged when its COMMIT returned without a warning; then its line is in the witness's
// file, and the database can be held to it. Each client numbers its bookings, one transaction each, which
// also counts them elsewhere: what a recovery brings back must be the beginning of what each client did,
// without a hole, and every transaction whole or not at all.
// Threads: a load has threads of its own; everything else one at a time.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/postgres_server.h"

namespace daruma {

class BookingWitness {
 public:
  // A new file.
  BookingWitness(FileSystem& fs, Path file);
  void record(const std::string& client, uint64_t number, const std::string& payload);
  // Everything recorded, read back from the file: client and number, payload.
  std::map<std::pair<std::string, uint64_t>, std::string> all();

 private:
  struct Open {
    std::unique_ptr<File> file;
    uint64_t end = 0;
  };
  FileSystem& fs_;
  Path path_;
  Guarded<Open> open_;
};

// The tables. Once for a server.
void create_booking_tables(PostgresServer& server);

class BookingLoad {
 public:
  // `name` begins the names of its clients: no two loads of a server have the same one.
  BookingLoad(const postgres::ConnectionSettings& to, BookingWitness& witness, int clients,
              const std::string& name, uint64_t seed);
  ~BookingLoad() { end(); }
  BookingLoad(const BookingLoad&) = delete;
  BookingLoad& operator=(const BookingLoad&) = delete;

  uint64_t acknowledged() const { return acknowledged_; }
  // Clients that met an error and gave up.
  int failed() const { return failed_; }
  // Waits for the transactions under way.
  void end();

 private:
  void client(std::stop_token stop, const std::string& client, uint64_t seed);

  const postgres::ConnectionSettings to_;
  BookingWitness& witness_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<int> failed_{0};
  std::vector<std::jthread> clients_;
};

struct BookingComparison {
  uint64_t acknowledged = 0;
  uint64_t found = 0;        // of the acknowledged
  uint64_t missing = 0;      // of the acknowledged
  uint64_t different = 0;    // there, with another payload
  uint64_t unannounced = 0;  // committed, but nobody had been told yet
  uint64_t holes = 0;        // clients of whose bookings an earlier one is missing and a later one there
  uint64_t torn = 0;         // clients whose bookings are not as many as were counted
};
// Every booking of the witness, one by one, with what the server has.
BookingComparison compare_bookings(PostgresServer& server, BookingWitness& witness);

}  // namespace daruma
