#include "service/postgres_connection.h"

#include <sys/socket.h>

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "service/postgres_error.h"
#include "service/resolve.h"

namespace daruma::service {
namespace asio = boost::asio;

namespace {

// A network that went silent is noticed after about these, also when nothing is to be sent.
constexpr int kKeepAliveIdleSeconds = 10;
constexpr int kKeepAliveIntervalSeconds = 3;
constexpr int kKeepAliveCount = 3;
constexpr int kUnacknowledgedMillisecondsMax = 10'000;

bool is_unix(const std::string& host) { return host.starts_with('/'); }

bool is_this_host(const std::string& address) {
  return address.empty() || address.starts_with("127.") || address == "::1";
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

PostgresConnection::PostgresConnection(asio::io_context& io, const PostgresSettings& settings,
                                       const Clock& clock, Events events)
    : io_(io), settings_(settings), clock_(clock), events_(std::move(events)), socket_(io), timer_(io) {}

// --- connecting

Task<Status> PostgresConnection::connect() {
  DR_CHECK(connection_ == nullptr);
  if (is_unix(settings_.host)) co_return co_await connect_to("");
  const Deadline deadline = clock_.after(settings_.connect_time_max);
  auto addresses = co_await resolve(io_, settings_.host, clock_, deadline);
  if (!addresses.ok()) co_return std::move(addresses).error();
  Status status;
  for (const std::string& address : *addresses) {
    if (ended_) co_return Error{Errc::kUnavailable, "closed"};
    status = co_await connect_to(address);
    if (status.ok()) break;
  }
  co_return status;
}

std::vector<std::pair<const char*, std::string>> PostgresConnection::parameters(
    const std::string& address) const {
  // On a server of PostgreSQL's these may be set by anybody for his own session.
  const std::string options = fmt::format(
      "-c client_connection_check_interval={}ms -c tcp_keepalives_idle={} -c "
      "tcp_keepalives_interval={} -c tcp_keepalives_count={}",
      PostgresPool::kNoticedAfter / 1ms, kKeepAliveIdleSeconds, kKeepAliveIntervalSeconds, kKeepAliveCount);
  return {{"host", settings_.host},
          {"hostaddr", address},
          {"port", std::to_string(settings_.port)},
          {"user", settings_.user},
          {"dbname", settings_.database},
          {"password", settings_.password},
          {"client_encoding", "UTF8"},
          {"application_name", "daruma-service"},
          {"options", options},
          {"sslmode", is_this_host(address) ? "disable" : "prefer"},
          {"gssencmode", "disable"},
          {"keepalives_idle", std::to_string(kKeepAliveIdleSeconds)},
          {"keepalives_interval", std::to_string(kKeepAliveIntervalSeconds)},
          {"keepalives_count", std::to_string(kKeepAliveCount)},
          {"tcp_user_timeout", std::to_string(kUnacknowledgedMillisecondsMax)}};
}

Task<Status> PostgresConnection::connect_to(std::string address) {
  const auto given = parameters(address);
  std::vector<const char*> names, values;
  for (const auto& [name, value] : given) {
    names.push_back(name);
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_ = PQconnectStartParams(names.data(), values.data(), 0);
  if (connection_ == nullptr) co_return Error{Errc::kUnavailable, "no memory for a connection"};
  Status status = co_await poll_until_open();
  if (status.ok()) status = start_using();
  if (!status.ok()) close();
  co_return status;
}

Task<Status> PostgresConnection::poll_until_open() {
  const auto self = shared_from_this();
  const uint64_t generation = ++generation_;
  bool late = false;
  timer_.expires_after(settings_.connect_time_max);
  timer_.async_wait([self, generation, &late](const boost::system::error_code& cancelled) {
    if (cancelled || self->generation_ != generation) return;
    late = true;
    self->socket_.cancel();
  });
  PostgresPollingStatusType state =
      PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    const bool ended = !co_await ready(state == PGRES_POLLING_WRITING);
    if (generation_ != generation) co_return Error{Errc::kUnavailable, "closed"};
    if (ended || late) {
      ++generation_;
      co_return Error{Errc::kUnavailable,
                      "no connection within " + human_duration(settings_.connect_time_max)};
    }
    state = PQconnectPoll(connection_);
  }
  ++generation_;  // the timer finds that it comes too late
  timer_.cancel();
  if (state == PGRES_POLLING_FAILED) co_return Error{Errc::kUnavailable, message()};
  co_return Status();
}

// libpq may have taken another socket, even one of the same number, so it is looked at anew each time.
Task<bool> PostgresConnection::ready(bool to_write) {
  if (socket_.is_open()) socket_.release();
  socket_.assign(PQsocket(connection_));
  boost::system::error_code error;
  co_await socket_.async_wait(to_write ? socket_.wait_write : socket_.wait_read,
                              asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

Status PostgresConnection::start_using() {
  if (socket_.is_open()) socket_.release();
  socket_.assign(PQsocket(connection_));
  PQsetNoticeReceiver(
      connection_, [](void*, const PGresult*) {}, nullptr);
  if (PQsetnonblocking(connection_, 1) != 0 || PQenterPipelineMode(connection_) != 1)
    return Error{Errc::kUnavailable, message()};
  ++generation_;
  prepared_.clear();
  lost_cause_.clear();
  useless_ = false;
  waiting_for_room_ = false;
  wait_for_answer();
  return {};
}

void PostgresConnection::close() {
  ++generation_;
  timer_.cancel();
  if (socket_.is_open()) socket_.release();  // libpq closes it
  if (connection_ != nullptr) PQfinish(std::exchange(connection_, nullptr));
}

void PostgresConnection::end() {
  ended_ = true;
  close();
}

// --- a batch goes out

bool PostgresConnection::send(PostgresBatch& batch) {
  DR_CHECK(connection_ != nullptr && batch_ == nullptr);
  if (!server_is_there()) {
    lost_cause_ = message();
    close();
    return false;
  }
  batch_ = &batch;
  expected_.clear();
  answered_ = 0;
  filled_ = 0;
  bool sent = true;
  for (const PostgresBatch::Part& part : batch.parts) sent = sent && append(part);
  // Only the sync sends what was appended, all in one write.
  sent = sent && PQpipelineSync(connection_) == 1;
  if (!sent || !flush()) fail(message());
  return true;
}

// The end of the connection may lie in the kernel, not yet seen by the event loop. To a server that is gone
// nothing must be sent: then the statement surely did not happen, and may go elsewhere.
bool PostgresConnection::server_is_there() {
  for (;;) {
    char byte = 0;
    const ssize_t read = ::recv(PQsocket(connection_), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (read < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    // Something unasked-for: a notice, or the reason for the end that follows it.
    if (PQconsumeInput(connection_) != 1 || read == 0) return false;
    PQisBusy(connection_);
  }
}

bool PostgresConnection::append(const PostgresBatch::Part& part) {
  const Statement& statement = *part.statement;
  const bool fresh = prepared_.insert(&statement).second;
  if (fresh) {
    if (PQsendPrepare(connection_, statement.name, statement.sql, 0, nullptr) != 1) return false;
    expected_.push_back({&statement, true, true});
  }
  values_.clear();
  for (const SqlValue& value : *part.values) values_.push_back(value ? value->c_str() : nullptr);
  expected_.push_back({&statement, false, fresh});
  return PQsendQueryPrepared(connection_, statement.name, static_cast<int>(values_.size()), values_.data(),
                             nullptr, nullptr, 0) == 1;
}

bool PostgresConnection::flush() {
  const int left = PQflush(connection_);
  if (left > 0) wait_for_room();
  return left >= 0;
}

void PostgresConnection::wait_for_room() {
  if (std::exchange(waiting_for_room_, true)) return;
  socket_.async_wait(socket_.wait_write, [self = shared_from_this(),
                                          generation = generation_](const boost::system::error_code& error) {
    if (error || self->generation_ != generation) return;
    self->waiting_for_room_ = false;
    if (self->batch_ != nullptr && !self->flush()) self->fail(self->message());
  });
}

// --- its answers come in

// Always waited for, also while the connection is idle: its end is an event too.
void PostgresConnection::wait_for_answer() {
  socket_.async_wait(socket_.wait_read, [self = shared_from_this(),
                                         generation = generation_](const boost::system::error_code& error) {
    if (!error && self->generation_ == generation) self->on_readable();
  });
}

void PostgresConnection::on_readable() {
  const bool alive = PQconsumeInput(connection_) == 1;
  if (batch_ == nullptr) {
    PQisBusy(connection_);  // takes in what needs no answer
    if (alive) return wait_for_answer();
    return fail(message());
  }
  const bool complete = read_results();
  if (!complete && !alive) return fail(message());
  if (!complete && !flush()) return fail(message());
  if (!complete) return wait_for_answer();
  if (!alive) lost_cause_ = message();
  if (useless_ || !alive)
    close();
  else
    wait_for_answer();
  events_.ended(*this, *std::exchange(batch_, nullptr));
}

// True: the batch's last answer was read.
bool PostgresConnection::read_results() {
  int nothing = 0;  // one of these ends each command's results; two mean that there is no more for now
  while (nothing < 2 && PQisBusy(connection_) == 0) {
    PGresult* result = PQgetResult(connection_);
    if (result == nullptr) {
      ++nothing;
      continue;
    }
    nothing = 0;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
      PQclear(result);
      return true;
    }
    take(result);
  }
  return false;
}

void PostgresConnection::take(PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
    const bool is_answer = answered_ < expected_.size() && !expected_[answered_].preparation;
    ++answered_;
    if (is_answer) batch_->rows[filled_++].result_.reset(result);
    if (!is_answer) PQclear(result);
    return;
  }
  if (status == PGRES_PIPELINE_ABORTED) {
    // Skipped for the error before it; if that was to prepare it, it is not prepared.
    if (answered_ < expected_.size() && expected_[answered_].preparation)
      prepared_.erase(expected_[answered_].statement);
  } else {
    take_error(result);
  }
  ++answered_;
  PQclear(result);
}

void PostgresConnection::take_error(const PGresult* result) {
  const auto field = [&](int which) {
    const char* text = PQresultErrorField(result, which);
    return std::string(text != nullptr ? text : "");
  };
  std::string sqlstate = field(PG_DIAG_SQLSTATE);
  std::string text = field(PG_DIAG_MESSAGE_PRIMARY);
  if (text.empty()) text = trimmed(PQresultErrorMessage(result));
  if (batch_->status.ok()) batch_->status = postgres_error(settings_.name, sqlstate, text);
  if (answered_ >= expected_.size()) return;
  const Expected& at = expected_[answered_];
  if (at.preparation) prepared_.erase(at.statement);
  if (!at.fresh && is_stale_plan(sqlstate)) {
    useless_ = true;
    batch_->status = Error{Errc::kUnavailable, batch_->status.error().what};
  }
}

// --- it fails

void PostgresConnection::cancel() {
  DR_CHECK(batch_ != nullptr);
  const auto self = shared_from_this();
  close();
  batch_->status = Error{Errc::kUnavailable, settings_.name + ": no answer before the deadline"};
  batch_->late = true;
  events_.ended(*this, *std::exchange(batch_, nullptr));
}

void PostgresConnection::fail(const std::string& cause) {
  const auto self = shared_from_this();
  lost_cause_ = cause;
  close();
  if (batch_ == nullptr) return events_.lost(*this, cause);
  if (batch_->status.ok())
    batch_->status = Error{Errc::kUnavailable, fmt::format("{}: connection lost: {}", settings_.name, cause)};
  events_.ended(*this, *std::exchange(batch_, nullptr));
}

std::string PostgresConnection::message() const {
  std::string text = trimmed(PQerrorMessage(connection_));
  // Several lines at most: the first says what happened.
  if (const size_t end = text.find('\n'); end != std::string::npos) text.resize(end);
  return text.empty() ? "the connection ended" : text;
}

}  // namespace daruma::service
