#include "ai-micro-api-admin/admin_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ai-micro-api-admin/names.h"
#include "base/digest.h"
#include "library/common.h"
#include "library/database.h"
#include "library/json.h"
#include "os/files.h"

namespace aimicro {

using daruma::Errc;
using daruma::Error;
using daruma::sha256_hex;
using daruma::Status;
using daruma::service::Claims;
using daruma::service::Method;
using daruma::service::problem;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Router;
using daruma::service::Setting;
using daruma::service::SettingKind;
using daruma::service::Task;
using daruma::service::Worker;

namespace {

constexpr unsigned kPageMax = 200;
constexpr size_t kSeenMax = 10'000;

std::string document_json(const Document& document) {
  return JsonObject()
      .add("id", document.id)
      .add("owner", document.owner)
      .add("name", document.name)
      .add("mediaType", document.media_type)
      .add_number("size", static_cast<int64_t>(document.size))
      .add("sha256", document.sha256)
      .add("createdAt", document.created_at)
      .text();
}

Response private_json(int status, std::string body) {
  Response response = daruma::service::json(status, std::move(body));
  response.headers.push_back({"Cache-Control", "private, no-cache"});
  return response;
}

Response nothing_there() { return problem(404, "there is no such document, or it is somebody else's"); }

std::string etag_of(const Document& document) { return "\"" + document.sha256 + "\""; }

// What a browser may do with bytes that somebody uploaded: keep them, and nothing else.
void add_download_headers(Response& response, const Document& document) {
  response.headers.push_back({"ETag", etag_of(document)});
  response.headers.push_back({"Accept-Ranges", "bytes"});
  response.headers.push_back({"Content-Disposition", attachment(document.name)});
  response.headers.push_back({"X-Content-Type-Options", "nosniff"});
  response.headers.push_back({"Content-Security-Policy", "default-src 'none'; sandbox"});
  response.headers.push_back({"Cross-Origin-Resource-Policy", "same-site"});
  response.headers.push_back({"Cache-Control", "private, no-cache"});
}

std::optional<unsigned> limit_of(const Request& request) {
  const auto text = request.parameter("limit");
  if (!text) return 50;
  unsigned limit = 0;
  const auto [end, broken] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (broken != std::errc() || end != text->data() + text->size() || limit == 0 || limit > kPageMax)
    return std::nullopt;
  return limit;
}

}  // namespace

AdminService::AdminService(Worker& worker)
    : worker_(worker),
      files_(worker.fs, worker.settings.path("files")),
      offload_(static_cast<unsigned>(std::clamp<int64_t>(worker.settings.number("file_threads"), 1, 64)),
               64) {}

Status AdminService::start(Router& router) {
  DR_OK(check_numbers(worker_.settings, {{"postgres.connections", 100}, {"upload_max_mib", 1024}}));
  DR_TRY(origins_, Origins::parse(worker_.settings.text("origins")));
  DR_TRY(key_, checking_key(worker_.fs, worker_.settings.path("token.public_key")));
  DR_OK(create_dirs(worker_.fs, worker_.settings.path("files")));
  pool_ = open_pool(worker_);
  documents_ = std::make_unique<Documents>(*pool_, worker_.clock);
  add_monitoring(router, worker_);
  watch_postgres(worker_, *pool_);
  auto space = daruma::service::disk_check(worker_.fs, worker_.settings.path("files"));
  space.name = "documentStore";
  worker_.health.add(std::move(space));
  origins_.add_routes(router, routes());
  return {};
}

std::vector<Route> AdminService::routes() {
  std::vector<Route> routes;
  const auto add = [&](Method method, const char* pattern, const char* name,
                       Task<Response> (AdminService::*handler)(Request&, Reader)) {
    Route route;
    route.method = method;
    route.pattern = pattern;
    route.name = name;
    route.handle = signed_in(*key_, worker_.clock, [this, handler](Request& request, const Claims& claims) {
      return (this->*handler)(request, {claims.subject, claims.has_role("admin")});
    });
    routes.push_back(std::move(route));
  };
  add(Method::kGet, "/api/documents", "document.list", &AdminService::list);
  add(Method::kPost, "/api/documents", "document.upload", &AdminService::upload);
  routes.back().body_max = static_cast<size_t>(worker_.settings.number("upload_max_mib")) << 20;
  routes.back().time_max = std::chrono::seconds(60);
  add(Method::kGet, "/api/documents/{id}", "document.show", &AdminService::show);
  add(Method::kDelete, "/api/documents/{id}", "document.remove", &AdminService::remove);
  add(Method::kGet, "/api/documents/{id}/content", "document.download", &AdminService::download);
  return routes;
}

Task<Response> AdminService::list(Request& request, Reader reader) {
  const auto limit = limit_of(request);
  if (!limit) co_return problem(400, fmt::format("limit: want a number from 1 to {}", kPageMax));
  const std::string after = request.parameter("after").value_or("");
  if (!after.empty() && !is_cursor(after)) co_return problem(400, "after: want `next` of the page before");
  // One more than asked for tells whether there is a next page.
  auto documents = co_await documents_->list(std::move(reader), after, *limit + 1);
  if (!documents.ok()) co_return database_problem(worker_, request, documents.error());
  const bool more = documents->size() > *limit;
  if (more) documents->pop_back();
  std::string rows = "[";
  for (const Document& document : *documents) rows += (rows.size() > 1 ? "," : "") + document_json(document);
  JsonObject page;
  page.add_json("documents", rows + "]");
  if (more) page.add("next", documents->back().cursor);
  co_return private_json(200, page.text());
}

Task<Response> AdminService::upload(Request& request, Reader reader) {
  const auto name = document_name(request.parameter("name").value_or(""));
  if (!name) co_return problem(422, "name: want 1 to 200 characters without slashes and control characters");
  if (!is_uuid(reader.user)) co_return problem(400, "the token's subject is not an account of this system");
  Document document;
  document.id = new_uuid(worker_.random);
  document.owner = reader.user;
  document.name = *name;
  document.media_type = media_type(request.header("Content-Type"));
  document.size = request.body.size();

  struct Written {
    Status status;
    std::string sha256;
  };
  std::function<Written()> write = [this, id = document.id, body = request.body] {
    return Written{files_.put(id, daruma::as_bytes(body)), sha256_hex(body)};
  };
  auto written = co_await offload_.run<Written>(std::move(write));
  if (!written.ok()) co_return unavailable(worker_, request, "disk", written.error());
  if (!written->status.ok()) co_return file_problem(request, written->status.error());
  document.sha256 = written->sha256;

  auto added = co_await documents_->add(document);
  if (!added.ok()) {
    // Whether the row was committed is not known when the connection broke: a file without a row harms
    // nobody, a row without a file does. `check` finds it.
    if (added.error().code != Errc::kUnavailable) {
      std::function<Status()> undo = [this, id = document.id] { return files_.remove(id); };
      static_cast<void>(co_await offload_.run<Status>(std::move(undo)));
    }
    co_return database_problem(worker_, request, added.error());
  }
  Response response = private_json(201, document_json(*added));
  response.headers.push_back({"Location", "/api/documents/" + added->id});
  co_return response;
}

Task<AdminService::Found> AdminService::find(Request& request, Reader reader) {
  Found found;
  const std::string& id = request.path_parameter("id");
  if (!is_uuid(id)) {
    found.answer = nothing_there();
    co_return found;
  }
  auto document = co_await documents_->find(id, std::move(reader));
  if (!document.ok())
    found.answer = database_problem(worker_, request, document.error());
  else if (!*document)
    found.answer = nothing_there();
  else
    found.document = std::move(*document);
  co_return found;
}

Task<Response> AdminService::show(Request& request, Reader reader) {
  auto found = co_await find(request, std::move(reader));
  if (!found.document) co_return found.answer;
  co_return private_json(200, document_json(*found.document));
}

Task<Status> AdminService::sound(const Document& document) {
  const auto info = worker_.fs.info(files_.path_of(document.id));
  if (!info.ok()) co_return info.error();
  const auto seen = seen_sound_.find(document.id);
  if (seen != seen_sound_.end() && seen->second == info->modified.micros && info->size == document.size)
    co_return Status();
  std::function<Status()> look = [this, document] {
    return files_.check(document.id, document.size, document.sha256);
  };
  auto checked = co_await offload_.run<Status>(std::move(look));
  if (!checked.ok()) co_return std::move(checked).error();
  if (checked->ok()) {
    if (seen_sound_.size() >= kSeenMax) seen_sound_.clear();
    seen_sound_[document.id] = info->modified.micros;
  }
  co_return *std::move(checked);
}

Response AdminService::bytes_of(const Request& request, const Document& document) {
  Response response;
  response.content_type = document.media_type;
  const ByteRange range =
      range_of(request.header("Range"), request.header("If-Range"), etag_of(document), document.size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) {
    response = problem(416, fmt::format("the document has {} bytes", document.size));
    response.headers.push_back({"Content-Range", fmt::format("bytes */{}", document.size)});
    return response;
  }
  if (range.kind == ByteRange::Kind::kPart) {
    response.status = 206;
    response.headers.push_back({"Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                                             range.offset + range.size - 1, document.size)});
  }
  if (range.size > 0)
    response.file = daruma::service::FileBody{files_.path_of(document.id).string(), range.offset, range.size};
  return response;
}

Task<Response> AdminService::download(Request& request, Reader reader) {
  auto found = co_await find(request, std::move(reader));
  if (!found.document) co_return found.answer;
  const Document& document = *found.document;
  if (none_match_names(request.header("If-None-Match"), etag_of(document))) {
    Response unchanged;
    unchanged.status = 304;
    unchanged.content_type = "";
    add_download_headers(unchanged, document);
    co_return unchanged;
  }
  const Status sound_status = co_await sound(document);
  if (!sound_status.ok()) co_return file_problem(request, sound_status.error());
  Response response = bytes_of(request, document);
  add_download_headers(response, document);
  co_return response;
}

Task<Response> AdminService::remove(Request& request, Reader reader) {
  const std::string& id = request.path_parameter("id");
  if (!is_uuid(id)) co_return nothing_there();
  const auto removed = co_await documents_->remove(id, std::move(reader));
  if (!removed.ok()) co_return database_problem(worker_, request, removed.error());
  if (!*removed) co_return nothing_there();
  seen_sound_.erase(id);
  std::function<Status()> drop = [this, id] { return files_.remove(id); };
  const auto dropped = co_await offload_.run<Status>(std::move(drop));
  // The document is gone for everybody; its file is litter that `check` finds.
  if (!dropped.ok())
    static_cast<void>(unavailable(worker_, request, "disk", dropped.error()));
  else if (!dropped->ok())
    static_cast<void>(file_problem(request, dropped->error()));
  Response response;
  response.status = 204;
  response.content_type = "";
  co_return response;
}

Response AdminService::file_problem(const Request& request, const Error& error) {
  daruma::service::ErrorLine line;
  line.request_id = request.id;
  line.dependency = "disk";
  line.message = error.what;
  worker_.log.error(line);
  if (error.code == Errc::kNoSpace) return problem(507, "the disk is full; nothing was stored");
  if (error.code == Errc::kUnavailable)
    return problem(503, "too many files are being read and written; try again");
  if (error.code == Errc::kCorrupt || error.code == Errc::kNotFound)
    return problem(500, "the stored file is damaged or gone; it is not served");
  return problem(500, "the file could not be read or written");
}

std::vector<Setting> admin_settings() {
  std::vector<Setting> settings = database_settings("admindb", "admin_service");
  const std::vector<Setting> own = {
      {"token.public_key", SettingKind::kPath, "../keys/public.pem", "the public key of the auth service"},
      {"origins", SettingKind::kText, "http://localhost:3002,http://localhost:3003",
       "the pages that may call this API"},
      {"files", SettingKind::kPath, "files", "the folder of the documents' bodies"},
      {"upload_max_mib", SettingKind::kNumber, "32", "the largest document"},
      {"file_threads", SettingKind::kNumber, "2", "threads that wait for the disk, of a worker"},
      {"examples", SettingKind::kPath, "examples", "seed: the folder of the example documents"},
  };
  settings.insert(settings.end(), own.begin(), own.end());
  return settings;
}

}  // namespace aimicro
