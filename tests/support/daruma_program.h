// tests/support/daruma_program.h: the real `daruma`, run as the server's user in the directory of a real
// server, with a daruma.yaml there that protects that server as datastore `bookings`.
//
// A command that must succeed and does not ends the program with what it said; what a test asks about comes
// back as a value. The program is copied into the server's directory, so that the server's user can run it
// as its restore_command from wherever it was built.
// Owns:    `daruma serve`, which ends with it. The server is borrowed.
// Threads: one; it must outlive `daruma serve`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "support/postgres_server.h"

namespace daruma {

// What daruma.yaml says. Paths stand on the server's directory.
struct DarumaSetup {
  std::string repository = "repository";
  std::string key = "daruma.key";
  std::string state = "state";
  std::string connection = "user: postgres";  // what connection: says besides host and port
  bool capture = true;
  std::string more = "";  // lines below `bookings:`, indented by four
};

class DarumaProgram {
 public:
  explicit DarumaProgram(PostgresServer& server, const DarumaSetup& setup = {});
  ~DarumaProgram();
  DarumaProgram(const DarumaProgram&) = delete;
  DarumaProgram& operator=(const DarumaProgram&) = delete;

  void configure(const DarumaSetup& setup);  // writes daruma.yaml anew
  void write_configuration(const std::string& yaml);
  static std::string configuration(const PostgresServer& server, const DarumaSetup& setup);

  // Its exit code, and standard output and error together.
  ProcessExit run(const std::vector<std::string>& arguments);
  // Standard output of a command that must succeed.
  std::string must(const std::vector<std::string>& arguments);
  // The same with --json.
  boost::json::value json(std::vector<std::string> arguments);

  void start_serving();
  void kill_serving();         // SIGKILL
  ProcessExit stop_serving();  // SIGTERM, and waits
  std::string serve_log();     // of all of them

  // `daruma status` says green.
  bool green();
  // The state of the capture out of `daruma status --json`, as text: one of its strings.
  std::string status(const std::string& field);
  void wait_for_green();
  // From then on a COMMIT that returned is in the repository. Waits for green first.
  void make_synchronous();

  // Tries until it holds; ends the program after a minute, naming `what`.
  void wait_until(const std::string& what, const std::function<bool()>& holds);

  // Sets the data directory of the dead or stopped server aside, restores it to `at` in its old place, starts
  // the server, and returns when that takes writes.
  void recover(const std::string& at, const std::vector<std::string>& options = {});

  Clock& clock() { return *clock_; }
  FileSystem& fs() { return *fs_; }
  PostgresServer& server() { return server_; }
  const Path& directory() const { return server_.directory(); }

 private:
  Command command(const std::vector<std::string>& arguments) const;
  [[noreturn]] void fail(const std::string& what);

  PostgresServer& server_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<FileSystem> fs_ = real_file_system();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  Path program_;
  int set_aside_ = 0;
  std::unique_ptr<Process> serving_;
};

}  // namespace daruma
