#include "support/redis_server.h"

#include <hiredis/hiredis.h>
#include <signal.h>

#include <fmt/format.h>

#include "support/free_port.h"

namespace daruma {

namespace {
constexpr Duration kPatience = 30s;
constexpr Duration kBetweenTries = 5ms;
}  // namespace

RedisServer::RedisServer(std::string password) : password_(std::move(password)), port_(free_port()) {}

void RedisServer::start() {
  DR_CHECK(!process_);
  std::string lines = fmt::format("port {}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly no\n", port_,
                                  scratch_.path().native());
  if (!password_.empty()) lines += "requirepass \"" + password_ + "\"\n";
  const Path file = scratch_.path() / "redis.conf";
  DR_CHECK(replace_file(scratch_.fs(), file, as_bytes(lines)).ok());

  Command command{{"setpriv", "--pdeathsig", "KILL", "redis-server", file}};
  command.output = scratch_.path() / "server.log";
  auto started = processes_->start(command);
  DR_CHECK(started.ok());
  process_ = *std::move(started);
  const Deadline deadline = clock_->after(kPatience);
  while (!answers()) {
    DR_CHECK(!deadline.passed(clock_->mono()));
    DR_CHECK(process_->wait(clock_->after(kBetweenTries)).is(Errc::kCancelled));  // it still runs
  }
}

void RedisServer::kill9() {
  DR_CHECK(process_ && process_->signal(SIGKILL).ok());
  DR_CHECK(process_->wait(clock_->after(kPatience)).ok());
  process_.reset();
}

void RedisServer::freeze() { DR_CHECK(process_ && process_->signal(SIGSTOP).ok()); }

void RedisServer::thaw() { DR_CHECK(process_ && process_->signal(SIGCONT).ok()); }

bool RedisServer::answers() const {
  const timeval patience{1, 0};
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(
      redisConnectWithTimeout("127.0.0.1", port_, patience), &redisFree);
  if (!context || context->err != 0) return false;
  // An error (no password yet) is an answer.
  const std::unique_ptr<void, decltype(&freeReplyObject)> reply(redisCommand(context.get(), "PING"),
                                                                &freeReplyObject);
  return reply != nullptr;
}

}  // namespace daruma
