#include "ai-micro-api-user/user_service.h"

#include <charconv>

#include "library/common.h"
#include "library/database.h"
#include "library/json.h"

namespace aimicro {

using daruma::Status;
using daruma::service::Claims;
using daruma::service::Method;
using daruma::service::problem;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Router;
using daruma::service::Rows;
using daruma::service::Setting;
using daruma::service::SettingKind;
using daruma::service::SqlValue;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

namespace {

#define PROFILE_COLUMNS                                                      \
  "user_id, display_name, organisation, bio, language, time_zone, version, " \
  "to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
constexpr Statement kShow{"profile_show",
                          "SELECT " PROFILE_COLUMNS " FROM profiles WHERE user_id = $1::uuid"};
// $7: the version the client saw (0: it saw none), or NULL: whatever there is.
constexpr Statement kPut{
    "profile_put",
    "INSERT INTO profiles (user_id, display_name, organisation, bio, language, time_zone) "
    "SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text "
    "WHERE coalesce($7::int, 0) = 0 OR EXISTS (SELECT 1 FROM profiles WHERE user_id = $1::uuid) "
    "ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name, "
    "organisation = excluded.organisation, bio = excluded.bio, language = excluded.language, "
    "time_zone = excluded.time_zone, version = profiles.version + 1, changed_at = now() "
    "WHERE $7::int IS NULL OR profiles.version = $7::int RETURNING " PROFILE_COLUMNS};
#undef PROFILE_COLUMNS

Response profile_answer(const Rows& rows) {
  const std::string version(rows.text(0, 6));
  Response response = daruma::service::json(200, JsonObject()
                                                     .add("userId", rows.text(0, 0))
                                                     .add("displayName", rows.text(0, 1))
                                                     .add("organisation", rows.text(0, 2))
                                                     .add("bio", rows.text(0, 3))
                                                     .add("language", rows.text(0, 4))
                                                     .add("timeZone", rows.text(0, 5))
                                                     .add_number("version", rows.number(0, 6))
                                                     .add("changedAt", rows.text(0, 7))
                                                     .text());
  response.headers.push_back({"ETag", "\"" + version + "\""});
  response.headers.push_back({"Cache-Control", "private, no-cache"});
  return response;
}

Response no_profile_yet(const std::string& user) {
  Response response = daruma::service::json(200, JsonObject()
                                                     .add("userId", user)
                                                     .add("displayName", "")
                                                     .add("organisation", "")
                                                     .add("bio", "")
                                                     .add("language", "ja")
                                                     .add("timeZone", "Asia/Tokyo")
                                                     .add_number("version", 0)
                                                     .text());
  response.headers.push_back({"ETag", "\"0\""});
  response.headers.push_back({"Cache-Control", "private, no-cache"});
  return response;
}

bool fits(std::string_view text, size_t at_least, size_t at_most) {
  const auto characters = characters_in(text);
  return characters && *characters >= at_least && *characters <= at_most;
}

std::string fault_of_profile(const Fields& fields) {
  if (!fits(fields.at("displayName"), 1, 80)) return "displayName: want 1 to 80 characters";
  if (!fits(fields.at("organisation"), 0, 120)) return "organisation: want at most 120 characters";
  if (!fits(fields.at("bio"), 0, 1000)) return "bio: want at most 1,000 characters";
  if (fields.at("language") != "ja" && fields.at("language") != "en") return "language: want ja or en";
  if (!fits(fields.at("timeZone"), 1, 64)) return "timeZone: want a name like Asia/Tokyo";
  return "";
}

struct Condition {
  bool sane = true;
  SqlValue version;  // NULL: none was asked for
};

// If-Match: "3"
Condition condition_of(const Request& request) {
  std::string_view text = request.header("If-Match");
  if (text.empty() || text == "*") return {};
  if (text.size() < 3 || text.front() != '"' || text.back() != '"') return {false, {}};
  text = text.substr(1, text.size() - 2);
  int version = 0;
  const auto [end, broken] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (broken != std::errc() || end != text.data() + text.size() || version < 0) return {false, {}};
  return {true, std::to_string(version)};
}

}  // namespace

Status UserService::start(Router& router) {
  DR_OK(check_numbers(worker_.settings, {{"postgres.connections", 100}}));
  DR_TRY(origins_, Origins::parse(worker_.settings.text("origins")));
  DR_TRY(key_, checking_key(worker_.fs, worker_.settings.path("token.public_key")));
  pool_ = open_pool(worker_);
  add_monitoring(router, worker_);
  watch_postgres(worker_, *pool_);

  std::vector<Route> routes;
  const auto add = [&](Method method, const char* pattern, const char* name, SignedInHandler handler) {
    Route route;
    route.method = method;
    route.pattern = pattern;
    route.name = name;
    route.body_max = 16 << 10;
    route.handle = signed_in(*key_, worker_.clock, std::move(handler));
    routes.push_back(std::move(route));
  };
  add(Method::kGet, "/api/profile", "profile.show",
      [this](Request& request, const Claims& claims) { return show(request, claims.subject); });
  add(Method::kPut, "/api/profile", "profile.put",
      [this](Request& request, const Claims& claims) { return put(request, claims.subject); });
  add(Method::kGet, "/api/profiles/{id}", "profile.of",
      [this](Request& request, const Claims& claims) { return show_somebody(request, claims); });
  origins_.add_routes(router, std::move(routes));
  return {};
}

Task<Response> UserService::show(Request& request, std::string user) {
  if (!is_uuid(user)) co_return problem(400, "the token's subject is not an account of this system");
  SqlValues values;
  values.emplace_back(user);
  const auto rows = co_await pool_->run(kShow, std::move(values), worker_.clock.after(kStatementTime));
  if (!rows.ok()) co_return database_problem(worker_, request, rows.error());
  if (rows->size() == 0) co_return no_profile_yet(user);
  co_return profile_answer(*rows);
}

Task<Response> UserService::show_somebody(Request& request, const Claims& claims) {
  const std::string& user = request.path_parameter("id");
  if (!is_uuid(user)) co_return problem(404, "no such profile");
  if (user != claims.subject && !claims.has_role("admin"))
    co_return problem(403, "only the role admin may read the profiles of others");
  co_return co_await show(request, user);
}

Task<Response> UserService::put(Request& request, std::string user) {
  if (!is_uuid(user)) co_return problem(400, "the token's subject is not an account of this system");
  const auto fields =
      read_fields(request.body, {"displayName", "organisation", "bio", "language", "timeZone"});
  if (!fields.ok()) co_return problem(400, fields.error().what);
  if (const std::string fault = fault_of_profile(*fields); !fault.empty()) co_return problem(422, fault);
  const Condition condition = condition_of(request);
  if (!condition.sane) co_return problem(400, "If-Match: want the ETag of the profile, as in \"3\"");

  SqlValues values;
  values.emplace_back(std::move(user));
  for (const char* name : {"displayName", "organisation", "bio", "language", "timeZone"})
    values.emplace_back(fields->find(name)->second);
  values.push_back(condition.version);
  const auto rows = co_await pool_->run(kPut, std::move(values), worker_.clock.after(kStatementTime));
  if (!rows.ok()) co_return database_problem(worker_, request, rows.error());
  if (rows->size() == 0)
    co_return problem(412, "somebody changed this profile in the meantime: load it again");
  co_return profile_answer(*rows);
}

std::vector<Setting> user_settings() {
  std::vector<Setting> settings = database_settings("apidb", "user_service");
  settings.push_back(
      {"token.public_key", SettingKind::kPath, "../keys/public.pem", "the public key of the auth service"});
  settings.push_back({"origins", SettingKind::kText, "http://localhost:3002,http://localhost:3003",
                      "the pages that may call this API"});
  return settings;
}

}  // namespace aimicro
