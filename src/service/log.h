// service/log.h: http.log and error.log: one JSON object a line (requirements L10).
//
// http.log:  {"time","requestId","method","path","route","statusCode","durationMs","bytes","client",
//            "worker"} and "degraded":true where the answer came from a fallback. Written in batches, at most
//            100 ms late.
// error.log: {"time","level","requestId","service","dependency","message","recovered"}. An error is written
//            when its outcome is known. One that healed (retry, fallback, reconnect) has the word "recovered"
//            on its line ("recovered":"by stale cache"); otherwise the word is nowhere on it, whatever a
//            message or a client's request id says, so that `grep -v recovered` leaves what still hurts.
//            "requestId" and "dependency" are absent where there is none. Written at once, one write a line.
// Rotation: at `rotate_at` bytes FILE becomes FILE.1 … FILE.`keep`; reopened on demand (SIGUSR1), and when
//           somebody else moved the file away. Lines of several processes never mix. A full disk loses
//           lines, never requests: lost lines are counted (log_lines_lost_total), and said in error.log as
//           soon as lines fit again.
// Text:     what is not UTF-8 is replaced by U+FFFD.
// Secrets:  query strings are not logged, nor headers or bodies; a message is the caller's business.
// Threads:  any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/clock.h"
#include "os/file_system.h"
#include "service/metrics.h"

namespace daruma::service {

struct AccessLine {
  std::string_view request_id = {}, method = {}, path = {}, route = {}, client = {};
  int status = 0;
  Duration duration{};
  uint64_t bytes = 0;
  bool degraded = false;
};

enum class Severity : uint8_t { kInfo, kWarning, kError };

struct ErrorLine {
  Severity severity = Severity::kError;
  std::string_view request_id = {};  // "" when no request is to blame
  std::string_view dependency = {};  // "PostgreSQL", "Redis", "HotelDataAPI", "disk"; "" when it is ourselves
  std::string_view message = {};
  std::string_view recovered = {};  // how it healed; "" when it did not
};

struct LogSettings {
  Path directory = "logs";
  std::string service;
  uint64_t rotate_at = 64 << 20;
  unsigned keep = 5;
};

class Log {
 public:
  // Creates the directory and the files where they are missing.
  static Result<std::unique_ptr<Log>> open(LogSettings settings, size_t worker, const Clock& clock,
                                           FileSystem& fs, Metrics& metrics);
  // To nowhere.
  static std::unique_ptr<Log> none();
  virtual ~Log() = default;

  virtual void access(const AccessLine& line) = 0;
  virtual void error(const ErrorLine& line) = 0;
  // Writes what is waiting (the worker calls it every 100 ms and at its end) and follows files that were
  // moved.
  virtual void flush() = 0;
  virtual void reopen() = 0;
};

}  // namespace daruma::service
