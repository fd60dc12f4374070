// tests/support/redis_server.h: a real Redis of a test's own, on a port of 127.0.0.1 that was free, keeping
// nothing.
//
// What a test takes for granted and does not get ends the program with the reason.
//
// Owns:    the server, which ends even when the program dies, and its directory.
// Threads: one at a time; the thread that calls start() must outlive the server.
#pragma once

#include <memory>
#include <string>

#include "os/process.h"
#include "os/scratch_dir.h"

namespace daruma {

class RedisServer {
 public:
  // Not started.
  explicit RedisServer(std::string password = "");

  void start();  // returns when it answers
  void kill9();
  // Stops answering, its connections stay; goes on.
  void freeze();
  void thaw();
  int port() const { return port_; }

 private:
  bool answers() const;

  const std::string password_;
  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace daruma
