#include "service/http_client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "service/resolve.h"

namespace daruma::service {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr uint32_t kHeaderMax = 64 << 10;  // of an answer, bytes
constexpr Duration kIdleMax = 30s;         // a connection unused for longer is not used again

struct Connection {
  explicit Connection(asio::io_context& io) : stream(io) {}

  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  MonoInstant idle_since;
};

struct Question {
  std::string head;
  std::string body;
  bool is_head = false;
  bool repeatable = false;
};

enum class Outcome : uint8_t { kOk, kServerError, kLate, kAway, kBroken, kShed, kInvalid };
constexpr std::array kOutcomes = {"ok", "server_error", "late", "away", "broken", "shed", "invalid"};

// What came of one try on one connection.
struct Try {
  Outcome outcome = Outcome::kOk;
  HttpAnswer answer = {};
  std::string cause = {};
  bool may_go_again = false;  // it failed before anything came back
};

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

bool closed_or_talking(tcp::socket& socket) {
  char byte = 0;
  const ssize_t read = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return read >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void limit(beast::tcp_stream& stream, Duration left) {
  if (left == Duration::max())
    stream.expires_never();
  else
    stream.expires_after(left);
}

class Client final : public HttpClient {
 public:
  Client(asio::io_context& io, HttpClientSettings settings, const Clock& clock, Log& log, Metrics& metrics)
      : io_(io), settings_(std::move(settings)), clock_(clock), log_(log) {
    const bool v6 = settings_.host.find(':') != std::string::npos;
    host_header_ = (v6 ? "[" + settings_.host + "]" : settings_.host) + ":" + std::to_string(settings_.port);
    for (size_t i = 0; i < kOutcomes.size(); ++i)
      outcomes_[i] =
          metrics.counter("http_client_requests_total",
                          "Questions to other services by outcome: ok (any answer below 500), server_error "
                          "(500 and above), late (deadline passed), away (no connection), broken (the answer "
                          "broke off or was too large), shed, invalid.",
                          {{"peer", settings_.name}, {"outcome", kOutcomes[i]}});
    duration_ =
        metrics.histogram("http_client_request_duration_seconds",
                          "Time from a question to the end of its answer.", {{"peer", settings_.name}});
  }

  Task<Result<HttpAnswer>> ask(Method method, std::string target, std::vector<Header> headers,
                               std::string body, Deadline deadline) override;

 private:
  Result<Question> question(Method method, const std::string& target, const std::vector<Header>& headers,
                            std::string body) const;
  Task<Try> answer_to(const Question& question, Deadline deadline);
  Task<Try> try_on(Connection& connection, const Question& question, Deadline deadline);
  Task<Try> read_answer(Connection& connection, const Question& question);
  Task<Result<std::unique_ptr<Connection>>> connect(Deadline deadline);
  std::unique_ptr<Connection> kept();
  void keep(std::unique_ptr<Connection> connection);
  Duration left(Deadline deadline) const {
    return deadline.at == Deadline::never().at ? Duration::max() : deadline.left(clock_.mono());
  }

  asio::io_context& io_;
  const HttpClientSettings settings_;
  const Clock& clock_;
  Log& log_;
  std::string host_header_;
  std::array<Counter, kOutcomes.size()> outcomes_;
  Histogram duration_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the last one used is used first
  size_t asking_ = 0;
};

Task<Result<HttpAnswer>> Client::ask(Method method, std::string target, std::vector<Header> headers,
                                     std::string body, Deadline deadline) {
  const MonoInstant begun = clock_.mono();
  const auto count = [&](Outcome outcome) { outcomes_[static_cast<size_t>(outcome)].add(); };
  const auto asked = question(method, target, headers, std::move(body));
  if (!asked.ok()) {
    count(Outcome::kInvalid);
    co_return asked.error();
  }
  if (asking_ >= settings_.connections_max) {
    count(Outcome::kShed);
    co_return Error{Errc::kUnavailable,
                    fmt::format("{}: {} questions are being asked already", settings_.name, asking_)};
  }
  ++asking_;
  Try last = co_await answer_to(*asked, deadline);
  --asking_;
  count(last.outcome);
  duration_.observe(clock_.mono() - begun);
  if (last.outcome == Outcome::kOk || last.outcome == Outcome::kServerError) co_return std::move(last.answer);
  co_return Error{Errc::kUnavailable, fmt::format("{}: {}", settings_.name, last.cause)};
}

Result<Question> Client::question(Method method, const std::string& target,
                                  const std::vector<Header>& headers, std::string body) const {
  bool broken = has_line_break(target) || target.find(' ') != std::string::npos;
  for (const Header& header : headers) broken |= has_line_break(header.name) || has_line_break(header.value);
  if (broken)
    return Error{Errc::kInvalid, settings_.name + ": a line break in the target or a header of a question"};

  Question asked;
  asked.is_head = method == Method::kHead;
  asked.repeatable = method == Method::kGet || method == Method::kHead;
  asked.head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", name_of(method), target, host_header_);
  for (const Header& header : headers) asked.head += fmt::format("{}: {}\r\n", header.name, header.value);
  const bool tells_size =
      !body.empty() || method == Method::kPost || method == Method::kPut || method == Method::kPatch;
  if (tells_size) asked.head += fmt::format("Content-Length: {}\r\n", body.size());
  asked.head += "\r\n";
  asked.body = std::move(body);
  return asked;
}

Task<Try> Client::answer_to(const Question& question, Deadline deadline) {
  std::unique_ptr<Connection> connection = kept();
  std::string first_cause;
  for (bool again = false;; again = true) {
    const bool is_new = connection == nullptr;
    if (is_new) {
      auto made = co_await connect(deadline);
      if (!made.ok()) {
        const bool late = deadline.passed(clock_.mono());
        co_return Try{.outcome = late ? Outcome::kLate : Outcome::kAway, .cause = made.error().what};
      }
      connection = *std::move(made);
    }
    Try result = co_await try_on(*connection, question, deadline);
    if (!result.may_go_again || is_new || again) {
      const bool healed = again && result.cause.empty();
      if (healed)
        log_.error({.severity = Severity::kWarning,
                    .request_id = {},
                    .dependency = settings_.name,
                    .message = "a kept connection was closed: " + first_cause,
                    .recovered = "by asking again on a new one"});
      if (connection->stream.socket().is_open()) keep(std::move(connection));
      co_return result;
    }
    first_cause = result.cause;
    connection.reset();
  }
}

Task<Try> Client::try_on(Connection& connection, const Question& question, Deadline deadline) {
  limit(connection.stream, left(deadline));
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(question.head),
                                                     asio::buffer(question.body)};
  boost::system::error_code error;
  const size_t sent = co_await asio::async_write(connection.stream, buffers,
                                                 asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    connection.stream.close();
    const bool late = error == beast::error::timeout;
    co_return Try{.outcome = late ? Outcome::kLate : Outcome::kBroken,
                  .cause = late ? "the question was not taken before the deadline" : error.message(),
                  .may_go_again = !late && (question.repeatable || sent == 0)};
  }
  co_return co_await read_answer(connection, question);
}

Task<Try> Client::read_answer(Connection& connection, const Question& question) {
  for (;;) {
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeaderMax);
    parser.body_limit(settings_.answer_max);
    parser.skip(question.is_head);
    boost::system::error_code error;
    co_await http::async_read(connection.stream, connection.buffer, parser,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      connection.stream.close();
      const bool nothing = !parser.got_some() && connection.buffer.size() == 0;
      if (error == beast::error::timeout)
        co_return Try{.outcome = Outcome::kLate, .cause = "no answer before the deadline"};
      co_return Try{.outcome = Outcome::kBroken,
                    .cause = error == http::error::body_limit
                                 ? fmt::format("the answer is larger than {} bytes", settings_.answer_max)
                                 : "the answer broke off: " + error.message(),
                    .may_go_again = nothing && question.repeatable};
    }
    auto& message = parser.get();
    if (message.result_int() < 200 && message.result_int() != 101) continue;  // only the first of two
    if (!message.keep_alive() || connection.buffer.size() != 0 || message.result_int() == 101)
      connection.stream.close();
    const auto type = message[http::field::content_type];
    Try result;
    result.outcome = message.result_int() >= 500 ? Outcome::kServerError : Outcome::kOk;
    result.answer.status = static_cast<int>(message.result_int());
    result.answer.content_type.assign(type.data(), type.size());
    result.answer.body = std::move(message.body());
    co_return result;
  }
}

Task<Result<std::unique_ptr<Connection>>> Client::connect(Deadline deadline) {
  const auto addresses = co_await resolve(io_, settings_.host, clock_, deadline);
  if (!addresses.ok()) co_return addresses.error();
  std::vector<tcp::endpoint> endpoints;
  for (const std::string& address : *addresses)
    endpoints.emplace_back(asio::ip::make_address(address), static_cast<uint16_t>(settings_.port));
  auto connection = std::make_unique<Connection>(io_);
  limit(connection->stream, left(deadline));
  boost::system::error_code error;
  co_await connection->stream.async_connect(endpoints, asio::redirect_error(asio::use_awaitable, error));
  if (error)
    co_return Error{Errc::kUnavailable, error == beast::error::timeout ? "no connection before the deadline"
                                                                       : "no connection: " + error.message()};
  connection->stream.socket().set_option(tcp::no_delay(true), error);
  co_return connection;
}

// --- kept connections

std::unique_ptr<Connection> Client::kept() {
  const MonoInstant now = clock_.mono();
  while (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (now - connection->idle_since > kIdleMax) {
      idle_.clear();  // the others have been idle for longer
      break;
    }
    if (!closed_or_talking(connection->stream.socket())) return connection;
  }
  return nullptr;
}

void Client::keep(std::unique_ptr<Connection> connection) {
  connection->stream.expires_never();
  connection->idle_since = clock_.mono();
  idle_.push_back(std::move(connection));
}

}  // namespace

std::unique_ptr<HttpClient> HttpClient::create(asio::io_context& io, HttpClientSettings settings,
                                               const Clock& clock, Log& log, Metrics& metrics) {
  return std::make_unique<Client>(io, std::move(settings), clock, log, metrics);
}

}  // namespace daruma::service
