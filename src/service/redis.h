// service/redis.h: a worker's connection to Redis: hiredis, asynchronous, pipelined, with deadlines.
//
// All commands share one connection; those issued in the same turn of the event loop leave in one write.
// Without Redis every command fails at once with kUnavailable while the connection is made anew in the
// background with back-off and jitter: a cache that is away must not slow anybody down (requirement L12).
// A command whose deadline passes fails alone. A connection on which commands wait and nothing moves for
// `silence_max` is given up, and with it all that wait. A command that failed with kUnavailable may or may
// not have happened.
// Not for commands that change how the connection speaks (SUBSCRIBE, MONITOR, BLPOP, MULTI across commands).
// Errors:  kUnavailable: not connected, connection lost, deadline passed, shed; kFailed: Redis said so.
// Metrics: redis_commands_total{outcome}, redis_command_duration_seconds, redis_connected.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/clock.h"
#include "os/random.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/task.h"

namespace daruma::service {

struct RedisSettings {
  std::string name = "Redis";
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string password = {};        // "" where none is needed
  size_t outstanding_max = 10'000;  // more commands at a time are shed
  Duration connect_time_max = 1s;
  Duration silence_max = 1s;
};

struct RedisReply {
  enum class Kind : uint8_t { kNil, kText, kNumber, kList } kind = Kind::kNil;
  std::string text;
  int64_t number = 0;
  std::vector<RedisReply> list;
};

class Redis {
 public:
  static std::unique_ptr<Redis> create(boost::asio::io_context& io, RedisSettings settings,
                                       const Clock& clock, Random& random, Log& log, Metrics& metrics);
  virtual ~Redis() = default;

  // One command, as an argument list: {"SET", key, value, "EX", "30"}.
  virtual Task<Result<RedisReply>> command(std::vector<std::string> arguments, Deadline deadline) = 0;
  virtual bool connected() const = 0;
  // Ends when what was sent is answered; new commands fail. Otherwise outlives whoever waits on it.
  virtual Task<void> close() = 0;
};

}  // namespace daruma::service
