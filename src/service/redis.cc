#include "service/redis.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>

#include "service/lazy_timer.h"
#include "service/reconnect.h"
#include "service/redis_link.h"
#include "service/resolve.h"
#include "service/wakeup.h"

namespace daruma::service {
namespace asio = boost::asio;

namespace {

// A command on its way; lives in the coroutine that waits for it.
struct Operation {
  explicit Operation(Deadline its_deadline) : deadline(its_deadline) {}

  const Deadline deadline;
  Result<RedisReply> result = Error{Errc::kUnavailable, "not sent"};
  Wakeup done;
};

struct Counts {
  explicit Counts(Metrics& metrics)
      : ok(outcome(metrics, "ok")),
        refused(outcome(metrics, "refused")),
        away(outcome(metrics, "away")),
        late(outcome(metrics, "late")),
        shed(outcome(metrics, "shed")),
        duration(metrics.histogram("redis_command_duration_seconds", "Time from a command to its reply.")),
        connected(metrics.gauge("redis_connected", "Connections to Redis that are up.")) {}

  static Counter outcome(Metrics& metrics, const char* name) {
    return metrics.counter("redis_commands_total",
                           "Commands by outcome: ok, refused (an error of Redis'), away (no connection, or "
                           "lost), late (deadline passed), shed.",
                           {{"outcome", name}});
  }

  const Counter ok, refused, away, late, shed;
  const Histogram duration;
  const Gauge connected;
};

RedisReply copy_of(const redisReply& reply) {
  RedisReply copy;
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      break;
    case REDIS_REPLY_INTEGER:
      copy.kind = RedisReply::Kind::kNumber;
      copy.number = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      copy.kind = RedisReply::Kind::kList;
      copy.list.reserve(reply.elements);
      for (size_t i = 0; i < reply.elements; ++i) copy.list.push_back(copy_of(*reply.element[i]));
      break;
    default:  // texts, and errors within a list
      copy.kind = RedisReply::Kind::kText;
      copy.text.assign(reply.str, reply.len);
  }
  return copy;
}

// What the event loop may still hold when the Redis is gone.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& io, RedisSettings settings, const Clock& clock, Random& random, Log& log,
       Metrics& metrics)
      : io_(io),
        settings_(std::move(settings)),
        clock_(clock),
        counts_(metrics),
        outage_(settings_.name, clock, log),
        backoff_(random),
        deadlines_(io, clock, [this] { return end_late(); }),
        news_(io),
        drained_(io) {}

  void start() { asio::co_spawn(io_, keep_connected(shared_from_this()), asio::detached); }
  void shut();
  bool connected() const { return connected_; }
  Task<Result<RedisReply>> command(std::vector<std::string> arguments, Deadline deadline);
  Task<void> close();

 private:
  struct Sent {
    Operation* operation;  // nullptr: nobody waits for it any more
    MonoInstant at;
  };

  static Task<void> keep_connected(std::shared_ptr<Core> self);
  Task<Status> connect();
  Task<Status> greet();
  static Task<void> pause(asio::steady_timer& timer, Duration time);
  bool send(const std::vector<std::string>& arguments, Operation& operation);
  void replied(const redisReply* reply);
  void settled();
  Deadline end_late();
  void finish(Operation& operation, Result<RedisReply> result);
  void forget();
  // Of the commands of others only: not what connect() says to Redis.
  void count(const Counter& counter) const {
    if (connected_) counter.add();
  }
  Error away(const std::string& cause) const { return {Errc::kUnavailable, settings_.name + ": " + cause}; }

  asio::io_context& io_;
  const RedisSettings settings_;
  const Clock& clock_;
  const Counts counts_;
  Outage outage_;
  Backoff backoff_;
  LazyTimer deadlines_;
  asio::steady_timer news_;          // cancelled when the connection is lost
  asio::steady_timer drained_;       // cancelled when nothing waits any more
  std::shared_ptr<RedisLink> link_;  // shared with the event loop
  std::deque<Sent> sent_;            // by link_, in order
  std::vector<Operation*> finished_;
  MonoInstant moved_;  // when Redis last gave or took something
  size_t waiting_ = 0;
  bool connected_ = false;
  bool closing_ = false;
  bool shut_ = false;
};

// --- commands

Task<Result<RedisReply>> Core::command(std::vector<std::string> arguments, Deadline deadline) {
  DR_CHECK(!arguments.empty());
  if (!connected_ || closing_) {
    counts_.away.add();
    co_return away(closing_ ? "closing" : "not connected");
  }
  if (waiting_ >= settings_.outstanding_max) {
    counts_.shed.add();
    co_return away("too many commands at a time");
  }
  Operation operation(deadline);
  if (!send(arguments, operation)) {
    counts_.away.add();
    co_return away("not connected");
  }
  co_await operation.done.wait();
  co_return std::move(operation.result);
}

bool Core::send(const std::vector<std::string>& arguments, Operation& operation) {
  if (!link_->send(arguments)) return false;
  const MonoInstant now = clock_.mono();
  sent_.push_back({&operation, now});
  ++waiting_;
  deadlines_.by(std::min(operation.deadline, Deadline{now + settings_.silence_max},
                         [](Deadline a, Deadline b) { return a.at < b.at; }));
  return true;
}

void Core::replied(const redisReply* reply) {
  DR_CHECK(!sent_.empty());
  const Sent sent = sent_.front();
  sent_.pop_front();
  if (sent.operation == nullptr) return;
  if (connected_) counts_.duration.observe(clock_.mono() - sent.at);
  if (reply == nullptr) {
    count(counts_.away);
    finish(*sent.operation, away(link_->cause()));
  } else if (reply->type == REDIS_REPLY_ERROR) {
    count(counts_.refused);
    finish(*sent.operation,
           Error{Errc::kFailed, settings_.name + ": " + std::string(reply->str, reply->len)});
  } else {
    count(counts_.ok);
    finish(*sent.operation, copy_of(*reply));
  }
}

void Core::finish(Operation& operation, Result<RedisReply> result) {
  operation.result = std::move(result);
  finished_.push_back(&operation);
  --waiting_;
}

// Wakes whose commands have ended: last of all, since they may do anything.
void Core::settled() {
  const auto self = shared_from_this();
  std::vector<Operation*> finished;
  finished.swap(finished_);
  for (Operation* operation : finished) operation->done.wake();
  if (finished_.empty()) {
    finished.clear();
    finished_.swap(finished);  // its memory serves again
  }
  if (closing_ && waiting_ == 0) drained_.cancel();
}

Deadline Core::end_late() {
  const auto self = shared_from_this();
  const MonoInstant now = clock_.mono();
  Deadline next = Deadline::never();
  for (Sent& sent : sent_) {
    if (sent.operation == nullptr) continue;
    if (sent.operation->deadline.passed(now)) {
      count(counts_.late);
      finish(*std::exchange(sent.operation, nullptr), away("no answer before the deadline"));
    } else {
      next.at = std::min(next.at, sent.operation->deadline.at);
    }
  }
  if (!sent_.empty()) {
    const Deadline silence{std::max(sent_.front().at, moved_) + settings_.silence_max};
    if (silence.passed(now))
      link_->abandon("no answer for " + human_duration(settings_.silence_max));
    else
      next.at = std::min(next.at, silence.at);
  }
  settled();
  return next;
}

// --- the connection

Task<void> Core::keep_connected(std::shared_ptr<Core> self) {
  while (!self->shut_) {
    const Status status = co_await self->connect();
    if (self->shut_) break;
    if (!status.ok()) {
      self->outage_.try_failed(status.error().what);
      co_await pause(self->news_, self->backoff_.after_failure());
      continue;
    }
    self->backoff_.succeeded();
    self->outage_.over();
    while (self->connected_) co_await pause(self->news_, Duration::max());
  }
}

Task<Status> Core::connect() {
  const auto self = shared_from_this();
  const Deadline deadline = clock_.after(settings_.connect_time_max);
  auto addresses = co_await resolve(io_, settings_.host, clock_, deadline);
  if (!addresses.ok()) co_return std::move(addresses).error();
  Status status;
  for (const std::string& address : *addresses) {
    if (shut_) break;
    auto opened = RedisLink::open(io_, address, settings_.port,
                                  {.replied = [this](const redisReply* reply) { replied(reply); },
                                   .moved = [this] { moved_ = clock_.mono(); },
                                   .ended =
                                       [this] {
                                         if (!std::exchange(connected_, false)) return;
                                         counts_.connected.add(-1);
                                         outage_.lost(link_->cause());
                                         news_.cancel();
                                       },
                                   .settled = [this] { settled(); }});
    if (!opened.ok()) {
      status = std::move(opened).error();
      continue;
    }
    link_ = *std::move(opened);
    status = co_await greet();
    if (status.ok()) break;
    forget();
  }
  co_return status;
}

// From a connection to one that may be used: somebody who speaks Redis answers, and lets us in.
Task<Status> Core::greet() {
  const Deadline deadline = clock_.after(settings_.connect_time_max);
  Operation password(deadline);
  Operation ping(deadline);
  const bool sent =
      (settings_.password.empty() || send({"AUTH", settings_.password}, password)) && send({"PING"}, ping);
  if (!sent) {
    forget();  // while what was sent is still here
    co_return Error{Errc::kUnavailable, link_->cause()};
  }
  co_await ping.done.wait();
  if (!settings_.password.empty() && !password.result.ok()) co_return std::move(password.result).error();
  if (!ping.result.ok()) co_return std::move(ping.result).error();
  if (shut_) co_return Error{Errc::kUnavailable, "closing"};
  connected_ = true;
  counts_.connected.add(1);
  co_return Status();
}

Task<void> Core::pause(asio::steady_timer& timer, Duration time) {
  timer.expires_after(time);
  boost::system::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

// --- the end

Task<void> Core::close() {
  const auto self = shared_from_this();
  closing_ = true;
  while (waiting_ > 0) co_await pause(drained_, Duration::max());
  shut();
}

void Core::shut() {
  if (std::exchange(shut_, true)) return;
  closing_ = true;
  if (std::exchange(connected_, false)) counts_.connected.add(-1);
  deadlines_.stop();
  news_.cancel();
  forget();
}

// Leaves the connection, and whoever still waits for it.
void Core::forget() {
  if (link_) link_->drop();
  for (const Sent& sent : sent_) {
    if (sent.operation == nullptr) continue;
    sent.operation->done.drop();
    --waiting_;
  }
  sent_.clear();
}

class RedisOfCore final : public Redis {
 public:
  explicit RedisOfCore(std::shared_ptr<Core> core) : core_(std::move(core)) { core_->start(); }
  ~RedisOfCore() override { core_->shut(); }

  Task<Result<RedisReply>> command(std::vector<std::string> arguments, Deadline deadline) override {
    return core_->command(std::move(arguments), deadline);
  }
  bool connected() const override { return core_->connected(); }
  Task<void> close() override { return core_->close(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<Redis> Redis::create(asio::io_context& io, RedisSettings settings, const Clock& clock,
                                     Random& random, Log& log, Metrics& metrics) {
  return std::make_unique<RedisOfCore>(
      std::make_shared<Core>(io, std::move(settings), clock, random, log, metrics));
}

}  // namespace daruma::service
