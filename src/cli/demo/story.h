// cli/demo/story.h: the story of the demo: an ordinary day, a disaster, a recovery, a wrong DELETE undone.
//
// Source:  requirements A4 (Level 2: the database is gone), L23 (any moment), A9 (objectives beside what
//          was measured).
// Threads: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/demo/bookings.h"

namespace daruma {

// One recovery, as measured.
struct Measured {
  std::string name;
  Comparison bookings;
  Duration outage{};           // from the loss to the first booking that the API took
  Duration restore{};          // `daruma restore`
  Duration replay{};           // start and replay, to the first booking
  Duration protected_again{};  // until capture is back and COMMITs are synchronous again
  uint64_t restored_bytes = 0;
};

class Story {
 public:
  // `out` hears the story.
  Story(App& app, Output& out, Path scratch);
  ~Story();
  // Tells it. An error: it could not be told to the end. Otherwise see failed_checks().
  Status tell();
  // The closing table.
  void print_table();
  std::string json() const;
  const std::vector<std::string>& failed_checks() const { return failed_; }

 private:
  Status ordinary_day();
  Status disaster();
  Status wrong_delete();
  Status verify_repository();

  Status start_serving();
  Status wait_for_protection();
  Status show_green();
  Status start_system();
  Result<std::vector<std::string>> rooms();
  Status recover(const std::string& at, Measured& measured, MonoInstant lost_at);
  Status check_bookings(Measured& measured);
  void check(bool holds, const std::string& what);

  void act(const std::string& title);
  void tell_line(const std::string& text);
  void show(const std::string& typed, std::string_view output);
  // Runs a daruma command, shows it as typed, and shows its output unless `quiet`. kFailed: it failed.
  Result<std::string> daruma(std::vector<std::string> arguments, bool quiet = false);

  App& app_;
  Output& out_;
  const Path scratch_;
  const Path program_;
  int acts_ = 0;
  std::optional<LocalPostgres> server_;
  std::optional<HotelApi> api_;
  std::unique_ptr<Process> serving_;
  std::unique_ptr<Witness> witness_;
  std::vector<Measured> measured_;
  std::vector<std::string> failed_;
  uint64_t database_bytes_ = 0;
  uint64_t repository_bytes_ = 0;
};

}  // namespace daruma
