#include "service/postgres.h"

#include <libpq-fe.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <deque>

#include "service/lazy_timer.h"
#include "service/postgres_connection.h"
#include "service/reconnect.h"

namespace daruma::service {
namespace asio = boost::asio;

// --- rows

namespace {

int as_int(size_t index) { return static_cast<int>(index); }

}  // namespace

void Rows::Clear::operator()(void* result) const { PQclear(static_cast<PGresult*>(result)); }

size_t Rows::size() const {
  return static_cast<size_t>(PQntuples(static_cast<const PGresult*>(result_.get())));
}

size_t Rows::affected() const {
  const std::string_view text = PQcmdTuples(static_cast<PGresult*>(result_.get()));
  size_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool Rows::is_null(size_t row, size_t column) const {
  const auto* result = static_cast<const PGresult*>(result_.get());
  DR_CHECK(row < size() && as_int(column) < PQnfields(result));
  return PQgetisnull(result, as_int(row), as_int(column)) != 0;
}

std::string_view Rows::text(size_t row, size_t column) const {
  const auto* result = static_cast<const PGresult*>(result_.get());
  DR_CHECK(row < size() && as_int(column) < PQnfields(result));
  return {PQgetvalue(result, as_int(row), as_int(column)),
          static_cast<size_t>(PQgetlength(result, as_int(row), as_int(column)))};
}

int64_t Rows::number(size_t row, size_t column) const {
  const std::string_view digits = text(row, column);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  DR_CHECK(error == std::errc() && end == digits.data() + digits.size());
  return value;
}

namespace {

// --- what is counted

enum class Outcome : uint8_t { kOk, kExists, kInvalid, kFailed, kUnavailable, kLate, kAway, kShed };
constexpr std::array kOutcomes = {"ok", "exists", "invalid", "failed", "unavailable", "late", "away", "shed"};

Outcome outcome_of(const PostgresBatch& batch) {
  if (batch.status.ok()) return Outcome::kOk;
  if (batch.late) return Outcome::kLate;
  switch (batch.status.error().code) {
    case Errc::kExists:
      return Outcome::kExists;
    case Errc::kInvalid:
      return Outcome::kInvalid;
    case Errc::kUnavailable:
      return Outcome::kUnavailable;
    default:
      return Outcome::kFailed;
  }
}

class Counts {
 public:
  explicit Counts(Metrics& metrics)
      : duration_(metrics.histogram("postgres_statement_duration_seconds",
                                    "Time from asking for a statement or transaction to its end, waiting "
                                    "for a connection included.")),
        idle_(connections(metrics, "idle")),
        busy_(connections(metrics, "busy")),
        away_(connections(metrics, "away")) {
    for (size_t i = 0; i < kOutcomes.size(); ++i)
      outcomes_[i] =
          metrics.counter("postgres_statements_total",
                          "Statements and transactions by outcome: ok, exists (unique or exclusion "
                          "violation), invalid, failed, unavailable (connection lost, conflict), "
                          "late (deadline passed), away (no server), shed.",
                          {{"outcome", kOutcomes[i]}});
  }

  void ended(Outcome outcome, Duration took) const {
    outcomes_[static_cast<size_t>(outcome)].add();
    duration_.observe(took);
  }
  void show(size_t idle, size_t busy, size_t away) {
    shift(idle_, shown_idle_, idle);
    shift(busy_, shown_busy_, busy);
    shift(away_, shown_away_, away);
  }

 private:
  static Gauge connections(Metrics& metrics, const char* state) {
    return metrics.gauge("postgres_pool_connections",
                         "Connections of the pools by state: idle, busy, away (being made anew).",
                         {{"state", state}});
  }
  // By differences: a worker may have several pools.
  static void shift(const Gauge& gauge, size_t& shown, size_t now) {
    if (shown != now) gauge.add(static_cast<int64_t>(now) - static_cast<int64_t>(shown));
    shown = now;
  }

  std::array<Counter, kOutcomes.size()> outcomes_;
  Histogram duration_;
  Gauge idle_, busy_, away_;
  size_t shown_idle_ = 0, shown_busy_ = 0, shown_away_ = 0;
};

// --- the pool: what the event loop may still hold when the PostgresPool is gone

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& io, PostgresSettings settings, const Clock& clock, Random& random, Log& log,
       Metrics& metrics)
      : io_(io),
        settings_(std::move(settings)),
        clock_(clock),
        counts_(metrics),
        outage_(settings_.name, clock, log),
        backoff_(random),
        deadlines_(io, clock, [this] { return end_late(); }),
        drained_(io) {}

  void start();
  void shut();
  Task<Result<Rows>> run(const Statement& statement, SqlValues values, Deadline deadline);
  Task<Result<std::vector<Rows>>> run_all(std::vector<std::pair<const Statement*, SqlValues>> statements,
                                          Deadline deadline);
  Task<void> close();
  size_t open() const { return idle_.size() + busy_; }
  size_t busy() const { return busy_; }

 private:
  struct Slot {
    explicit Slot(asio::io_context& io) : news(io) {}
    std::shared_ptr<PostgresConnection> connection;  // shared with the event loop
    asio::steady_timer news;                         // cancelled when keep() should look again
  };

  static Task<void> keep(std::shared_ptr<Core> self, Slot& slot);
  static Task<void> pause(asio::steady_timer& timer, Duration time);
  bool is_prober(const Slot& slot) const { return prober_ == &slot; }
  void came_up(Slot& slot);
  void stayed_away(const std::string& cause);
  void gone(const PostgresConnection& connection);

  void trying(bool now) {
    trying_ = now;
    tried_ = clock_.mono();
  }
  bool may_be_back();
  void begin(PostgresBatch& batch);
  bool send(PostgresConnection& connection, PostgresBatch& batch);
  void free(PostgresConnection& connection);
  void batch_ended(PostgresConnection& connection, PostgresBatch& batch);
  void refuse(PostgresBatch& batch, Outcome outcome, const std::string& why);
  Deadline end_late();
  void show() { counts_.show(idle_.size(), busy_, slots_.size() - open()); }

  asio::io_context& io_;
  const PostgresSettings settings_;
  const Clock& clock_;
  Counts counts_;
  Outage outage_;
  Backoff backoff_;
  LazyTimer deadlines_;
  asio::steady_timer drained_;  // cancelled when nothing runs or waits any more
  std::deque<Slot> slots_;
  std::vector<PostgresConnection*> idle_;  // the last one used is used first
  size_t busy_ = 0;
  std::deque<PostgresBatch*> waiting_;
  bool away_ = false;       // the last try to connect failed
  Slot* prober_ = nullptr;  // who alone tries while that is so
  bool trying_ = false;     // it does, since or until tried_
  MonoInstant tried_;
  bool closing_ = false;
  bool shut_ = false;
};

void Core::start() {
  for (size_t i = 0; i < settings_.connections; ++i) {
    Slot& slot = slots_.emplace_back(io_);
    slot.connection = std::make_shared<PostgresConnection>(
        io_, settings_, clock_,
        PostgresConnection::Events{
            .ended = [this](PostgresConnection& its, PostgresBatch& batch) { batch_ended(its, batch); },
            .lost =
                [this](PostgresConnection& its, const std::string&) {
                  std::erase(idle_, &its);
                  gone(its);
                }});
    asio::co_spawn(io_, keep(shared_from_this(), slot), asio::detached);
  }
  show();
}

// --- connections come and go

Task<void> Core::keep(std::shared_ptr<Core> self, Slot& slot) {
  PostgresConnection& connection = *slot.connection;
  while (!self->shut_) {
    if (self->away_) {
      if (self->prober_ != nullptr && !self->is_prober(slot)) {
        co_await pause(slot.news, Duration::max());
        continue;
      }
      self->prober_ = &slot;
      co_await pause(slot.news, self->backoff_.after_failure());
      if (self->shut_) break;
    }
    self->trying(true);
    const Status status = co_await connection.connect();
    self->trying(false);
    if (self->shut_) break;
    if (!status.ok()) {
      self->stayed_away(status.error().what);
      continue;
    }
    self->came_up(slot);
    while (connection.open() && !self->shut_) co_await pause(slot.news, Duration::max());
  }
}

Task<void> Core::pause(asio::steady_timer& timer, Duration time) {
  timer.expires_after(time);
  boost::system::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void Core::came_up(Slot& slot) {
  outage_.over();
  backoff_.succeeded();
  prober_ = nullptr;
  if (std::exchange(away_, false))
    for (Slot& other : slots_) other.news.cancel();
  free(*slot.connection);
  show();
}

void Core::stayed_away(const std::string& cause) {
  outage_.try_failed(cause);
  away_ = true;
  if (open() > 0) return;  // what waits is served by those
  std::deque<PostgresBatch*> refused;
  refused.swap(waiting_);
  for (PostgresBatch* batch : refused) refuse(*batch, Outcome::kAway, "away: " + cause);
}

// A connection is closed, and not among the idle ones.
void Core::gone(const PostgresConnection& connection) {
  if (!connection.lost_cause().empty()) outage_.lost(connection.lost_cause());
  for (Slot& slot : slots_)
    if (slot.connection.get() == &connection) slot.news.cancel();
  show();
}

// --- statements

Task<Result<Rows>> Core::run(const Statement& statement, SqlValues values, Deadline deadline) {
  Rows rows;
  const PostgresBatch::Part part{&statement, &values};
  PostgresBatch batch{.parts = {&part, 1}, .rows = {&rows, 1}, .deadline = deadline};
  begin(batch);
  if (!batch.complete) co_await batch.done.wait();
  if (!batch.status.ok()) co_return std::move(batch.status).error();
  co_return rows;
}

Task<Result<std::vector<Rows>>> Core::run_all(std::vector<std::pair<const Statement*, SqlValues>> statements,
                                              Deadline deadline) {
  std::vector<Rows> rows(statements.size());
  std::vector<PostgresBatch::Part> parts;
  for (const auto& [statement, values] : statements) parts.push_back({statement, &values});
  PostgresBatch batch{.parts = parts, .rows = rows, .deadline = deadline};
  begin(batch);
  if (!batch.complete) co_await batch.done.wait();
  if (!batch.status.ok()) co_return std::move(batch.status).error();
  co_return rows;
}

void Core::begin(PostgresBatch& batch) {
  batch.begun = clock_.mono();
  if (closing_) return refuse(batch, Outcome::kAway, "closing");
  if (batch.deadline.passed(batch.begun)) return refuse(batch, Outcome::kLate, "the deadline has passed");
  deadlines_.by(batch.deadline);
  while (!idle_.empty()) {
    PostgresConnection& connection = *idle_.back();
    idle_.pop_back();
    if (send(connection, batch)) return;
  }
  if (away_ && open() == 0 && !may_be_back()) return refuse(batch, Outcome::kAway, "away");
  if (waiting_.size() >= settings_.waiting_max)
    return refuse(batch, Outcome::kShed, "too many statements wait for a connection");
  waiting_.push_back(&batch);
}

// A statement that comes while the server is away may find it back before the prober does: it has a try
// made, once in a while, and waits for it; nobody waits for a try that takes long.
bool Core::may_be_back() {
  const Duration since = clock_.mono() - tried_;
  if (trying_) return since < Backoff::kFirst;
  if (since < Backoff::kFirst) return false;
  if (prober_ != nullptr) prober_->news.cancel();
  return true;
}

// False: the connection was lost before; the batch may go elsewhere.
bool Core::send(PostgresConnection& connection, PostgresBatch& batch) {
  ++busy_;
  if (connection.send(batch)) {
    show();
    return true;
  }
  --busy_;
  gone(connection);
  return false;
}

// Gives a connection to who has waited longest.
void Core::free(PostgresConnection& connection) {
  if (waiting_.empty()) return idle_.push_back(&connection);
  PostgresBatch* next = waiting_.front();
  waiting_.pop_front();
  if (!send(connection, *next)) waiting_.push_front(next);
}

void Core::batch_ended(PostgresConnection& connection, PostgresBatch& batch) {
  const auto self = shared_from_this();
  --busy_;
  if (connection.open())
    free(connection);
  else
    gone(connection);
  counts_.ended(outcome_of(batch), clock_.mono() - batch.begun);
  show();
  if (closing_ && busy_ == 0 && waiting_.empty()) drained_.cancel();
  batch.complete = true;
  batch.done.wake();
}

void Core::refuse(PostgresBatch& batch, Outcome outcome, const std::string& why) {
  batch.status = Error{Errc::kUnavailable, settings_.name + ": " + why};
  counts_.ended(outcome, clock_.mono() - batch.begun);
  batch.complete = true;
  batch.done.wake();
}

Deadline Core::end_late() {
  const auto self = shared_from_this();
  const MonoInstant now = clock_.mono();
  const auto late = [now](const PostgresBatch* batch) { return batch->deadline.passed(now); };
  std::vector<PostgresBatch*> refused;
  std::copy_if(waiting_.begin(), waiting_.end(), std::back_inserter(refused), late);
  std::erase_if(waiting_, late);
  for (PostgresBatch* batch : refused)
    refuse(*batch, Outcome::kLate, "no connection was free before the deadline");
  for (Slot& slot : slots_)
    if (slot.connection->batch() != nullptr && late(slot.connection->batch())) slot.connection->cancel();

  Deadline next = Deadline::never();
  for (const PostgresBatch* batch : waiting_) next.at = std::min(next.at, batch->deadline.at);
  for (const Slot& slot : slots_)
    if (slot.connection->batch() != nullptr)
      next.at = std::min(next.at, slot.connection->batch()->deadline.at);
  return next;
}

// --- the end

Task<void> Core::close() {
  const auto self = shared_from_this();
  closing_ = true;
  while (busy_ > 0 || !waiting_.empty()) co_await pause(drained_, Duration::max());
  shut();
}

void Core::shut() {
  if (std::exchange(shut_, true)) return;
  closing_ = true;
  deadlines_.stop();
  for (PostgresBatch* batch : waiting_) batch->done.drop();
  waiting_.clear();
  idle_.clear();
  busy_ = 0;
  for (Slot& slot : slots_) {
    if (slot.connection->batch() != nullptr) slot.connection->batch()->done.drop();
    slot.connection->end();
    slot.news.cancel();
  }
  counts_.show(0, 0, 0);
}

class PoolOfCore final : public PostgresPool {
 public:
  explicit PoolOfCore(std::shared_ptr<Core> core) : core_(std::move(core)) { core_->start(); }
  ~PoolOfCore() override { core_->shut(); }

  Task<Result<Rows>> run(const Statement& statement, SqlValues values, Deadline deadline) override {
    return core_->run(statement, std::move(values), deadline);
  }
  Task<Result<std::vector<Rows>>> run_all(std::vector<std::pair<const Statement*, SqlValues>> statements,
                                          Deadline deadline) override {
    return core_->run_all(std::move(statements), deadline);
  }
  size_t open() const override { return core_->open(); }
  size_t busy() const override { return core_->busy(); }
  Task<void> close() override { return core_->close(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<PostgresPool> PostgresPool::create(asio::io_context& io, PostgresSettings settings,
                                                   const Clock& clock, Random& random, Log& log,
                                                   Metrics& metrics) {
  return std::make_unique<PoolOfCore>(
      std::make_shared<Core>(io, std::move(settings), clock, random, log, metrics));
}

}  // namespace daruma::service
