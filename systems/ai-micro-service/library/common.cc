#include "library/common.h"

#include "base/digest.h"

namespace aimicro {

using daruma::Clock;
using daruma::Deadline;
using daruma::Errc;
using daruma::Error;
using daruma::service::Claims;
using daruma::service::Handler;
using daruma::service::HealthAnswer;
using daruma::service::HealthCheck;
using daruma::service::HealthState;
using daruma::service::Method;
using daruma::service::PostgresPool;
using daruma::service::problem;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Router;
using daruma::service::Statement;
using daruma::service::Task;
using daruma::service::TokenKey;
using daruma::service::Worker;

namespace {

constexpr Statement kPing{"ping", "SELECT 1"};

Task<HealthAnswer> ask_postgres(PostgresPool& pool, const Clock& clock) {
  const auto answer = co_await pool.run(kPing, {}, clock.after(std::chrono::seconds(1)));
  HealthAnswer health;
  if (!answer.ok()) {
    health.state = HealthState::kFail;
    health.output = answer.error().what;
  }
  co_return health;
}

Response metrics_answer(Worker& worker) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = worker.metrics.text();
  return response;
}

std::string uuid_text(std::array<std::byte, 16> bytes, unsigned version) {
  bytes[6] = static_cast<std::byte>((std::to_integer<unsigned>(bytes[6]) & 0x0f) | (version << 4));
  bytes[8] = static_cast<std::byte>((std::to_integer<unsigned>(bytes[8]) & 0x3f) | 0x80);
  std::string text = daruma::to_hex(bytes);
  for (const size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
  return text;
}

void log_error(Worker& worker, const Request& request, const char* dependency, const Error& error) {
  daruma::service::ErrorLine line;
  line.request_id = request.id;
  line.dependency = dependency;
  line.message = error.what;
  worker.log.error(line);
}

}  // namespace

void add_monitoring(Router& router, Worker& worker) {
  const auto add = [&](const char* pattern, const char* name, daruma::service::InstantHandler handler) {
    Route route;
    route.method = Method::kGet;
    route.pattern = pattern;
    route.name = name;
    route.handle_at_once = std::move(handler);
    router.add(std::move(route));
  };
  add("/health", "health", [&worker](Request&) { return worker.health.brief(); });
  add("/health/detailed", "health.detailed", [&worker](Request&) { return worker.health.detailed(); });
  add("/metrics", "metrics", [&worker](Request&) { return metrics_answer(worker); });
}

void watch_postgres(Worker& worker, PostgresPool& pool) {
  HealthCheck check;
  check.name = "PostgreSQL";
  check.component = "datastore";
  check.needed = true;
  check.ask = [&pool, &clock = worker.clock] { return ask_postgres(pool, clock); };
  worker.health.add(std::move(check));
}

Handler signed_in(const TokenKey& key, const Clock& clock, SignedInHandler answer) {
  return [&key, &clock, answer = std::move(answer)](Request& request) -> Task<Response> {
    const auto claims = daruma::service::bearer(request, key, clock.now());
    if (!claims.ok()) co_return daruma::service::unauthorized(claims.error());
    co_return co_await answer(request, *claims);
  };
}

Response unavailable(Worker& worker, const Request& request, const char* dependency, const Error& error) {
  log_error(worker, request, dependency, error);
  Response response = problem(503, std::string(dependency) + " cannot be reached now; try again soon");
  response.headers.push_back({"Retry-After", "2"});
  return response;
}

Response database_problem(Worker& worker, const Request& request, const Error& error) {
  if (error.code == Errc::kUnavailable) return unavailable(worker, request, "PostgreSQL", error);
  if (error.code == Errc::kInvalid) return problem(400, "a value does not fit: it is too long or malformed");
  log_error(worker, request, "PostgreSQL", error);
  return problem(500, "the database refused this; the request id finds the reason in the log");
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string new_uuid(daruma::Random& random) {
  std::array<std::byte, 16> bytes;
  random.fill(bytes);
  return uuid_text(bytes, 4);
}

std::string uuid_of(std::string_view name) {
  const auto digest = daruma::sha256(daruma::as_bytes(name));
  std::array<std::byte, 16> bytes;
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  return uuid_text(bytes, 8);
}

std::optional<size_t> characters_in(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    const auto first = static_cast<unsigned char>(text[at]);
    const size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() - at < length) return std::nullopt;
    for (size_t i = 1; i < length; ++i)
      if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return std::nullopt;
    at += length;
  }
  return count;
}

}  // namespace aimicro
