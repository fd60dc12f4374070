#include "library/pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "library/common.h"
#include "library/json.h"
#include "os/files.h"

namespace aimicro {

using daruma::Errc;
using daruma::Error;
using daruma::Path;
using daruma::sha256_hex;
using daruma::Status;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Router;
using daruma::service::SettingKind;
using daruma::service::Settings;
using daruma::service::Worker;

namespace {

constexpr uint64_t kFileMax = 1 << 20;

struct Kind {
  std::string_view ending;
  const char* content_type;
};
constexpr Kind kKinds[] = {{".html", "text/html; charset=utf-8"},
                           {".js", "text/javascript; charset=utf-8"},
                           {".css", "text/css; charset=utf-8"},
                           {".svg", "image/svg+xml"}};

const char* content_type_of(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (name.ends_with(kind.ending)) return kind.content_type;
  return nullptr;
}

// What goes into a header or the policy must not be able to end it.
bool is_api_url(std::string_view url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return false;
  return std::all_of(url.begin(), url.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(":/.-[]").find(c) != std::string_view::npos;
  });
}

std::vector<daruma::service::Header> security_headers(const Settings& settings) {
  const std::string policy = fmt::format(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self' {} "
      "{} {}; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      settings.text("auth_url"), settings.text("user_url"), settings.text("admin_url"));
  return {{"Content-Security-Policy", policy},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"},
          {"Referrer-Policy", "no-referrer"},
          {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cache-Control", "no-cache"}};
}

std::string config_json(const Settings& settings) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(settings.duration("watch")).count();
  return JsonObject()
      .add("auth", settings.text("auth_url"))
      .add("user", settings.text("user_url"))
      .add("admin", settings.text("admin_url"))
      .add_number("watchSeconds", seconds)
      .add_number("uploadMaxMib", settings.number("upload_max_mib"))
      .text();
}

}  // namespace

Status Front::start(Router& router) {
  const Settings& settings = worker_.settings;
  for (const char* name : {"auth_url", "user_url", "admin_url"})
    if (!is_api_url(settings.text(name)))
      return Error{Errc::kInvalid, fmt::format("{}: '{}' is not a URL", name, settings.text(name))};
  headers_ = security_headers(settings);
  router.mark_own_answers([this](const Request&, Response& response) {
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
  });
  DR_OK(load(settings.path("shared")));
  DR_OK(load(settings.path("pages")));
  const auto index = pages_.find("index.html");
  if (index == pages_.end())
    return Error{Errc::kNotFound, "no index.html in " + settings.path("pages").string()};
  add_monitoring(router, worker_);
  const std::string config = config_json(settings);
  add(router, "/", index->second);
  add(router, "/config.json",
      {"application/json", "\"" + sha256_hex(config).substr(0, 32) + "\"",
       std::make_shared<const std::string>(config)});
  for (const auto& [name, page] : pages_) add(router, "/" + name, page);
  return {};
}

Status Front::load(const Path& folder) {
  DR_TRY(const auto entries, worker_.fs.list_dir(folder));
  for (const auto& entry : entries) {
    const char* content_type = content_type_of(entry.name);
    if (content_type == nullptr || entry.type != daruma::FileType::kFile) continue;
    DR_TRY(const auto bytes, read_file(worker_.fs, folder / entry.name, kFileMax));
    auto body = std::make_shared<const std::string>(daruma::as_text(bytes));
    pages_[entry.name] = {content_type, "\"" + sha256_hex(*body).substr(0, 32) + "\"", body};
  }
  return {};
}

void Front::add(Router& router, const std::string& pattern, const Page& page) {
  Route route;
  route.pattern = pattern;
  route.name = "page";
  route.handle_at_once = [this, page](Request& request) { return answer(request, page); };
  router.add(std::move(route));
}

Response Front::answer(const Request& request, const Page& page) const {
  Response response;
  response.headers = headers_;
  response.headers.push_back({"ETag", page.etag});
  if (request.header("If-None-Match") == page.etag) {
    response.status = 304;
    response.content_type = "";
    return response;
  }
  response.content_type = page.content_type;
  response.shared_body = page.body;
  return response;
}

daruma::service::Program front_program(const std::string& name, const std::string& prefix,
                                       const std::string& summary, int port) {
  daruma::service::Program program;
  program.name = name;
  program.version = kVersion;
  program.summary = summary;
  program.prefix = prefix;
  program.port = port;
  program.settings = {
      {"pages", SettingKind::kPath, "pages", "the folder of this front's pages"},
      {"shared", SettingKind::kPath, "../front", "the folder of what both fronts share"},
      {"auth_url", SettingKind::kText, "http://localhost:8002", "the auth API, as browsers reach it"},
      {"user_url", SettingKind::kText, "http://localhost:8001", "the user API, as browsers reach it"},
      {"admin_url", SettingKind::kText, "http://localhost:8003", "the admin API, as browsers reach it"},
      {"watch", SettingKind::kDuration, "20s", "how often a page asks whether signing in works"},
      {"upload_max_mib", SettingKind::kNumber, "32", "the largest document the admin API takes"},
  };
  program.make = [](Worker& worker) { return std::make_unique<Front>(worker); };
  return program;
}

}  // namespace aimicro
