#include "service/server_core.h"

#include "service/connection.h"

namespace daruma::service {
namespace {

constexpr Duration kLookEvery = 20ms;  // at most: bounds what many near deadlines cost

}  // namespace

std::string_view label_of(const Route* route) { return route ? std::string_view(route->name) : "none"; }

ServerCore::ServerCore(boost::asio::io_context& context, const Router& routes, ServerSettings limits,
                       const Clock& time, Random& random, Log& to, Metrics& counts)
    : io(context),
      router(routes),
      settings(limits),
      clock(time),
      log(to),
      ids(random),
      in_flight(counts.gauge("http_requests_in_flight", "Requests whose handler has not ended yet.")),
      metrics_(counts),
      gauge_(counts.gauge("http_connections", "Open client connections.")),
      changed_(context),
      alarm_(context) {
  for (size_t i = 0; i <= router.routes().size(); ++i) {
    const Route* route = i < router.routes().size() ? &router.routes()[i] : nullptr;
    counts_.push_back(
        {counts.histogram("http_request_duration_seconds", "From the end of a request's head to its answer.",
                          {{"route", std::string(label_of(route))}}),
         {}});
  }
  tell_open();
}

void ServerCore::add(Connection& connection) {
  connection.place = connections_.size();
  connections_.push_back(&connection);
}

void ServerCore::remove(Connection& connection) {
  connections_.back()->place = connection.place;
  connections_[connection.place] = connections_.back();
  connections_.pop_back();
  changed_.cancel();
}

void ServerCore::opened() {
  ++open_;
  tell_open();
}

void ServerCore::closed() {
  --open_;
  tell_open();
  changed_.cancel();
}

void ServerCore::tell_open() {
  gauge_.set(static_cast<int64_t>(open_));
  if (!settings.balance.empty() && !draining)
    settings.balance[settings.slot].store(open_ + 1, std::memory_order_relaxed);
}

bool ServerCore::ahead_of_others() const {
  for (size_t slot = 0; slot < settings.balance.size(); ++slot) {
    const uint64_t other = settings.balance[slot].load(std::memory_order_relaxed);
    if (other > 0 && slot != settings.slot && open_ > other + other / 16) return true;
  }
  return false;
}

void ServerCore::leave_balance() {
  if (!settings.balance.empty()) settings.balance[settings.slot].store(0, std::memory_order_relaxed);
}

void ServerCore::wake_by(MonoInstant at) {
  if (at < alarm_at_) arm(at);
}

void ServerCore::arm(MonoInstant at) {
  alarm_at_ = std::max(at, looked_at_ + kLookEvery);
  // Waiting for a year is waiting for ever, and does not overflow.
  alarm_.expires_after(std::min<Duration>(Deadline{alarm_at_}.left(clock.mono()), 24h * 365));
  alarm_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto core = error ? nullptr : weak.lock();
    if (core) core->look();
  });
}

void ServerCore::look() {
  const MonoInstant now = clock.mono();
  looked_at_ = now;
  alarm_at_ = {Duration::max()};
  MonoInstant next = alarm_at_;
  for (Connection* connection : connections_) {  // overdue() closes sockets, but ends no connection yet
    if (connection->deadline() <= now) connection->overdue(now);
    next = std::min(next, connection->deadline());
  }
  wake_by(next);
}

std::string_view ServerCore::date(MonoInstant now) {
  if (now >= date_until_) {
    const Instant wall = clock.now();
    date_ = http_date(wall);
    date_until_ = now + std::chrono::microseconds(1'000'000 - wall.micros % 1'000'000);
  }
  return date_;
}

void ServerCore::count(const Route* route, int status, Duration duration) {
  Counts& counts = route ? counts_[static_cast<size_t>(route - router.routes().data())] : counts_.back();
  counts.duration.observe(duration);
  for (const auto& [known, counter] : counts.by_status)
    if (known == status) return counter.add();
  counts.by_status.emplace_back(
      status,
      metrics_.counter("http_requests_total", "Answers, by route and status.",
                       {{"route", std::string(label_of(route))}, {"status", std::to_string(status)}}));
  counts.by_status.back().second.add();
}

void ServerCore::abandon() {
  alarm_.cancel();
  for (Connection* connection : connections_) connection->close();
}

}  // namespace daruma::service
