#include "ai-micro-api-auth/auth_service.h"

#include <fmt/format.h>

#include "library/common.h"
#include "library/database.h"
#include "library/json.h"

namespace aimicro {

using daruma::Duration;
using daruma::Errc;
using daruma::Error;
using daruma::Instant;
using daruma::Status;
using daruma::service::Claims;
using daruma::service::Header;
using daruma::service::HealthAnswer;
using daruma::service::HealthCheck;
using daruma::service::HealthState;
using daruma::service::Method;
using daruma::service::problem;
using daruma::service::Redis;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Router;
using daruma::service::Setting;
using daruma::service::SettingKind;
using daruma::service::Settings;
using daruma::service::Task;
using daruma::service::Worker;

namespace {

constexpr std::string_view kCookie = "ai_micro_refresh";
constexpr size_t kBodyMax = 8 << 10;

std::string cookie_of(const Request& request) {
  std::string_view rest = request.header("Cookie");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > kCookie.size() && pair.starts_with(kCookie) && pair[kCookie.size()] == '=')
      return std::string(pair.substr(kCookie.size() + 1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

Response too_often(Duration wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  Response response = problem(429, fmt::format("too many attempts; try again in {} s", seconds));
  response.headers.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

Task<HealthAnswer> ask_redis(Redis& redis, const daruma::Clock& clock) {
  std::vector<std::string> ping;
  ping.emplace_back("PING");
  const auto reply = co_await redis.command(std::move(ping), clock.after(std::chrono::seconds(1)));
  HealthAnswer health;
  if (!reply.ok()) {
    health.state = HealthState::kFail;
    health.output = reply.error().what;
  }
  co_return health;
}

Instant whole_seconds(Instant instant) { return {instant.micros / 1'000'000 * 1'000'000}; }

std::string account_json(const Account& account) {
  return JsonObject()
      .add("id", account.id)
      .add("email", account.email)
      .add_list("roles", account.roles)
      .text();
}

void must_not_be_kept(Response& response) { response.headers.push_back({"Cache-Control", "no-store"}); }

}  // namespace

AuthService::AuthService(Worker& worker)
    : worker_(worker),
      access_time_(worker.settings.duration("token.access_time")),
      cookie_secure_(worker.settings.on("cookie_secure")),
      behind_proxy_(worker.settings.on("behind_proxy")),
      failures_max_(worker.settings.number("limit.account")),
      registrations_max_(worker.settings.number("limit.register")) {}

Status AuthService::start(Router& router) {
  const Settings& settings = worker_.settings;
  DR_OK(check_numbers(settings, {{"password.passes", 100},
                                 {"password.memory_mib", 4096},
                                 {"password.threads", 64},
                                 {"password.waiting", 10'000},
                                 {"postgres.connections", 100},
                                 {"limit.address", 1'000'000},
                                 {"limit.account", 1'000'000},
                                 {"limit.register", 1'000'000}}));
  DR_TRY(origins_, Origins::parse(settings.text("origins")));
  DR_TRY(keys_,
         signing_keys(worker_.fs, settings.path("token.private_key"), settings.path("token.public_key")));
  pool_ = open_pool(worker_);
  daruma::service::RedisSettings redis;
  redis.host = settings.text("redis.host");
  redis.port = static_cast<int>(settings.number("redis.port"));
  redis.password = settings.secret("redis.password");
  redis_ = Redis::create(worker_.io, redis, worker_.clock, worker_.random, worker_.log, worker_.metrics);
  passwords_ = std::make_unique<Passwords>(password_cost(settings),
                                           static_cast<unsigned>(settings.number("password.threads")),
                                           static_cast<size_t>(settings.number("password.waiting")));
  accounts_ = std::make_unique<Accounts>(*pool_, worker_.clock);
  SessionSettings limits;
  limits.refresh_time = settings.duration("token.refresh_time");
  limits.reuse_grace = settings.duration("token.reuse_grace");
  limits.tries_of_address = settings.number("limit.address");
  sessions_ = std::make_unique<Sessions>(*redis_, worker_.random, worker_.clock, limits);
  add_monitoring(router, worker_);
  watch_postgres(worker_, *pool_);
  watch_redis();
  add_routes(router);
  return {};
}

Task<void> AuthService::stop() {
  co_await redis_->close();
  co_await pool_->close();
}

void AuthService::watch_redis() {
  HealthCheck check;
  check.name = "Redis";
  check.component = "datastore";
  check.needed = true;
  check.ask = [this] { return ask_redis(*redis_, worker_.clock); };
  worker_.health.add(std::move(check));
}

void AuthService::add_routes(Router& router) {
  std::vector<Route> routes;
  const auto post = [&](const char* pattern, const char* name,
                        Task<Response> (AuthService::*handler)(Request&)) {
    Route route;
    route.method = Method::kPost;
    route.pattern = pattern;
    route.name = name;
    route.body_max = kBodyMax;
    route.handle = [this, handler](Request& request) { return (this->*handler)(request); };
    routes.push_back(std::move(route));
  };
  post("/auth/register", "register", &AuthService::register_account);
  post("/auth/login", "login", &AuthService::log_in);
  post("/auth/refresh", "refresh", &AuthService::refresh);
  post("/auth/logout", "logout", &AuthService::log_out);
  Route jwks;
  jwks.pattern = "/.well-known/jwks.json";
  jwks.name = "jwks";
  jwks.handle_at_once = [this](Request&) {
    Response response = daruma::service::json(200, keys_.jwks);
    response.headers.push_back({"Cache-Control", "public, max-age=300"});
    return response;
  };
  routes.push_back(std::move(jwks));
  // The pages ask for our health too, to say calmly when nobody can sign in; that answer is no secret.
  Route reachable;
  reachable.pattern = "/auth/reachable";
  reachable.name = "reachable";
  reachable.handle_at_once = [this](Request&) {
    const bool ready = worker_.health.ready();
    return daruma::service::json(ready ? 200 : 503, ready ? R"({"ready":true})" : R"({"ready":false})");
  };
  routes.push_back(std::move(reachable));
  origins_.add_routes(router, std::move(routes));
}

std::string AuthService::client_of(const Request& request) const {
  if (!behind_proxy_) return request.client;
  std::string_view told = request.header("X-Forwarded-For");
  told = told.substr(told.rfind(',') + 1);  // the last is what our own proxy saw; those before are hearsay
  while (told.starts_with(' ')) told.remove_prefix(1);
  return told.empty() || told.size() > 45 ? request.client : std::string(told);
}

std::string AuthService::cookie(const std::string& value, Duration age) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  return fmt::format("{}={}; Path=/auth; HttpOnly; SameSite=Strict; Max-Age={}{}", kCookie, value, seconds,
                     cookie_secure_ ? "; Secure" : "");
}

std::optional<Response> AuthService::refuse_origin(const Request& request) const {
  const std::string_view origin = request.header("Origin");
  if (origin.empty() || origins_.allowed(origin)) return std::nullopt;
  return problem(403, "pages of this origin may not sign anybody in here");
}

Task<std::optional<Response>> AuthService::refuse_haste(Request& request, std::string account,
                                                        int64_t tries_max) {
  const auto wait = co_await sessions_->count_try(client_of(request), std::move(account), tries_max);
  if (!wait.ok()) co_return unavailable(worker_, request, "Redis", wait.error());
  if (*wait > Duration(0)) co_return too_often(*wait);
  co_return std::nullopt;
}

Task<Response> AuthService::register_account(Request& request) {
  if (auto refused = refuse_origin(request)) co_return *std::move(refused);
  const auto fields = read_fields(request.body, {"email", "password"});
  if (!fields.ok()) co_return problem(400, fields.error().what);
  const auto email = normal_email(fields->at("email"));
  if (!email) co_return problem(422, "this is not an e-mail address");
  const std::string& password = fields->at("password");
  if (const std::string fault = fault_of_password(password, *email); !fault.empty())
    co_return problem(422, fault);
  // Counted apart from log-ins: an address of an account never has a blank.
  std::string place = "register " + client_of(request);
  auto refused = co_await refuse_haste(request, std::move(place), registrations_max_);
  if (refused) co_return *std::move(refused);

  const auto hash = co_await passwords_->hash(password);
  if (!hash.ok()) co_return unavailable(worker_, request, "password hashing", hash.error());
  auto account = co_await accounts_->add(*email, *hash);
  if (account.is(Errc::kExists)) co_return problem(409, "there is an account with this e-mail address");
  if (!account.ok()) co_return database_problem(worker_, request, account.error());
  co_return daruma::service::json(201, account_json(*account));
}

Task<Response> AuthService::log_in(Request& request) {
  if (auto refused = refuse_origin(request)) co_return *std::move(refused);
  const auto fields = read_fields(request.body, {"email", "password"});
  if (!fields.ok()) co_return problem(400, fields.error().what);
  const std::string email = normal_email(fields->at("email")).value_or(fields->at("email"));
  const std::string& password = fields->at("password");
  auto refused = co_await refuse_haste(request, email, failures_max_);
  if (refused) co_return *std::move(refused);

  const auto judged = co_await judge(email, password);
  if (!judged.verdict.ok()) {
    // An outage of ours must not use up anybody's attempts.
    co_await sessions_->forgive_try(email);
    co_return judged.database_failed
        ? database_problem(worker_, request, judged.verdict.error())
        : unavailable(worker_, request, "password hashing", judged.verdict.error());
  }
  const auto& account = judged.account;
  const auto& verdict = judged.verdict;
  if (!verdict->right || !account->active)
    co_return problem(401, "the e-mail address or the password is wrong");
  if (!verdict->better_hash.empty()) {
    const auto changed = co_await accounts_->set_password_hash(account->id, verdict->better_hash);
    // The old hash is still right; the next log-in tries again.
    if (!changed.ok()) static_cast<void>(database_problem(worker_, request, changed.error()));
  }
  co_return co_await open_session(request, *account);
}

Task<AuthService::Judged> AuthService::judge(std::string email, std::string password) {
  Judged judged;
  auto account = co_await accounts_->with_email(std::move(email));
  if (!account.ok()) {
    judged.database_failed = true;
    judged.verdict = std::move(account).error();
    co_return judged;
  }
  judged.account = *std::move(account);
  if (judged.account)
    judged.verdict = co_await passwords_->check(std::move(password), judged.account->password_hash);
  else
    judged.verdict = co_await passwords_->check_nobody(std::move(password));
  co_return judged;
}

Task<Response> AuthService::open_session(Request& request, Account account) {
  const auto token = co_await sessions_->begin(account.id, account.email);
  if (!token.ok()) co_return unavailable(worker_, request, "Redis", token.error());
  co_return token_answer(account, *token);
}

Response AuthService::token_answer(const Account& account, const std::string& refresh_token) {
  Claims claims;
  claims.subject = account.id;
  claims.id = new_uuid(worker_.random);
  claims.issuer = kIssuer;
  claims.audience = kAudience;
  claims.roles = account.roles;
  claims.issued = whole_seconds(worker_.clock.now());
  claims.expires = claims.issued + access_time_;
  const auto signed_token = keys_.key->sign(claims);
  DR_CHECK(signed_token.ok());  // it is a private key, start() made sure of that
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(access_time_).count();
  Response response = daruma::service::json(200, JsonObject()
                                                     .add("accessToken", *signed_token)
                                                     .add("tokenType", "Bearer")
                                                     .add_number("expiresIn", seconds)
                                                     .add_json("user", account_json(account))
                                                     .text());
  response.headers.push_back({"Set-Cookie", cookie(refresh_token, sessions_->refresh_time())});
  must_not_be_kept(response);
  return response;
}

Task<Response> AuthService::refresh(Request& request) {
  if (auto refused = refuse_origin(request)) co_return *std::move(refused);
  const std::string token = cookie_of(request);
  if (token.empty()) co_return problem(401, "there is no session; log in");
  const auto rotated = co_await sessions_->rotate(token);
  if (!rotated.ok()) co_return unavailable(worker_, request, "Redis", rotated.error());
  if (rotated->kind == Rotated::Kind::kJustRotated) {
    Response again = problem(409, "another page has just refreshed this session; ask again");
    again.headers.push_back({"Retry-After", "1"});
    co_return again;
  }
  if (rotated->kind == Rotated::Kind::kReused) {
    daruma::service::ErrorLine line;
    line.severity = daruma::service::Severity::kWarning;
    line.request_id = request.id;
    const std::string message =
        "a refresh token was used a second time: the session of user " + rotated->user + " is ended";
    line.message = message;
    worker_.log.error(line);
  }
  Response over = problem(401, "the session is over; log in again");
  over.headers.push_back(cleared_cookie());
  if (rotated->kind != Rotated::Kind::kRotated) co_return over;

  const auto account = co_await accounts_->with_id(rotated->user);
  if (!account.ok()) {
    // The old token is spent: without the new one, the next try would look like theft.
    Response later = database_problem(worker_, request, account.error());
    later.headers.push_back({"Set-Cookie", cookie(rotated->token, sessions_->refresh_time())});
    co_return later;
  }
  if (*account && (*account)->active) co_return token_answer(**account, rotated->token);
  static_cast<void>(co_await sessions_->end(rotated->token));  // nobody has that token
  co_return over;
}

Task<Response> AuthService::log_out(Request& request) {
  if (auto refused = refuse_origin(request)) co_return *std::move(refused);
  const std::string token = cookie_of(request);
  Status ended;
  if (!token.empty()) ended = co_await sessions_->end(token);
  Response response;
  if (ended.ok()) {
    response.status = 204;
    response.content_type = "";
  } else {
    response = unavailable(worker_, request, "Redis", ended.error());
  }
  response.headers.push_back(cleared_cookie());
  must_not_be_kept(response);
  co_return response;
}

PasswordCost password_cost(const Settings& settings) {
  PasswordCost cost;
  cost.passes = static_cast<unsigned long long>(settings.number("password.passes"));
  cost.memory_bytes = static_cast<size_t>(settings.number("password.memory_mib")) << 20;
  return cost;
}

std::vector<Setting> auth_settings() {
  std::vector<Setting> settings = database_settings("authdb", "auth_service");
  const std::vector<Setting> own = {
      {"redis.host", SettingKind::kText, "127.0.0.1", "Redis: name or address"},
      {"redis.port", SettingKind::kNumber, "6379", "Redis: port"},
      {"redis.password", SettingKind::kSecret, "", "Redis: its password"},
      {"token.private_key", SettingKind::kPath, "keys/private.pem",
       "the key that signs access tokens; made where it is missing"},
      {"token.public_key", SettingKind::kPath, "../keys/public.pem",
       "where the other services find its public half"},
      {"token.access_time", SettingKind::kDuration, "15m", "how long an access token is good"},
      {"token.refresh_time", SettingKind::kDuration, "14d", "how long a session lives without being used"},
      {"token.reuse_grace", SettingKind::kDuration, "10s",
       "how long a refresh token that was just used is not taken for stolen"},
      {"origins", SettingKind::kText, "http://localhost:3002,http://localhost:3003",
       "the pages that may call this API"},
      {"cookie_secure", SettingKind::kSwitch, "on",
       "cookie over TLS only (browsers make an exception for localhost)"},
      {"behind_proxy", SettingKind::kSwitch, "off", "take the client's address from X-Forwarded-For"},
      {"password.passes", SettingKind::kNumber, "2", "argon2id: passes"},
      {"password.memory_mib", SettingKind::kNumber, "64", "argon2id: memory of one hash"},
      {"password.threads", SettingKind::kNumber, "2", "argon2id: hashes at a time, of a worker"},
      {"password.waiting", SettingKind::kNumber, "32", "argon2id: how many may wait; more are refused"},
      {"limit.address", SettingKind::kNumber, "30", "log-ins a minute from one address"},
      {"limit.account", SettingKind::kNumber, "10", "failed log-ins in 15 minutes for one account"},
      {"limit.register", SettingKind::kNumber, "20", "registrations in 15 minutes from one address"},
  };
  settings.insert(settings.end(), own.begin(), own.end());
  return settings;
}

}  // namespace aimicro
