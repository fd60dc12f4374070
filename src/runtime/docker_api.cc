#include "runtime/docker_api.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>

#include <fmt/format.h>

#include "os/environment.h"

namespace daruma::runtime {
namespace {

constexpr std::string_view kNewestKnown = "1.47";
constexpr std::string_view kOldestUsable = "1.24";
constexpr size_t kBodyMax = 8 << 20;
constexpr size_t kTextMax = 1 << 20;
constexpr size_t kFrameHead = 8;
constexpr const char* kUnixScheme = "unix://";

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

size_t on_body(char* bytes, size_t, size_t size, void* sink) {
  (*static_cast<const std::function<void(std::string_view)>*>(sink))({bytes, size});
  return size;
}

Result<Path> docker_socket() {
  const std::string host = environment_variable("DOCKER_HOST").value_or("");
  if (host.empty()) return Path("/var/run/docker.sock");
  if (host.starts_with(kUnixScheme)) return Path(host.substr(std::string_view(kUnixScheme).size()));
  return Error{Errc::kUnavailable,
               fmt::format("DOCKER_HOST is '{}', and Docker is spoken to over a Unix socket only", host),
               "set DOCKER_HOST=unix:///PATH, or unset it"};
}

uint64_t number_up_to(std::string_view& text, char end) {
  const size_t length = std::min(text.find(end), text.size());
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + length, value);
  text.remove_prefix(std::min(length + 1, text.size()));
  return value;
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const uint64_t left = number_up_to(a, '.'), right = number_up_to(b, '.');
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

std::string url_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

Result<Value> DockerApi::get(const std::string& path, Deadline deadline) {
  return call("GET", path, deadline);
}

Result<Value> DockerApi::post(const std::string& path, Deadline deadline) {
  return call("POST", path, deadline);
}

namespace {

// What an answer means. `body` of an error is {"message": …}.
Result<Value> judged(long status, const std::string& body) {
  auto value = parse_json(body);
  if (status >= 200 && status < 400) return value.ok() ? std::move(value) : Result<Value>(Value());
  std::string message = value.ok() ? value->text_at("message") : body.substr(0, 1000);
  if (message.empty()) message = fmt::format("Docker answered {}", status);
  return Error{status == 404 ? Errc::kNotFound : Errc::kFailed, std::move(message)};
}

}  // namespace

Result<Value> DockerApi::call(const char* method, const std::string& path, Deadline deadline) {
  DR_OK(connect(deadline));
  std::string body;
  const Sink keep = [&](std::string_view piece) { body.append(piece.substr(0, kBodyMax - body.size())); };
  DR_TRY(const long status, transfer(method, version_ + path, keep, deadline));
  return judged(status, body);
}

Status DockerApi::stream(const std::string& path, const Sink& piece, Deadline deadline) {
  DR_OK(connect(deadline));
  // The head of an error is not known to be one before its body comes.
  std::string begin;
  const Sink both = [&](std::string_view bytes) {
    begin.append(bytes.substr(0, 1000 - std::min<size_t>(begin.size(), 1000)));
    piece(bytes);
  };
  DR_TRY(const long status, transfer("GET", version_ + path, both, deadline));
  if (status >= 200 && status < 300) return {};
  return judged(status, begin).error();
}

Status DockerApi::connect(Deadline deadline) {
  if (!version_.empty()) return {};
  DR_TRY(socket_, docker_socket());
  std::string body;
  const Sink keep = [&](std::string_view piece) { body.append(piece.substr(0, kBodyMax - body.size())); };
  auto status = transfer("GET", "version", keep, deadline);
  if (!status.ok()) return std::move(status).error();
  const auto about = parse_json(body);
  const std::string newest = about.ok() ? about->text_at("ApiVersion") : "";
  if (*status != 200 || newest.empty() || compare_versions(newest, kOldestUsable) < 0)
    return Error{Errc::kUnavailable,
                 fmt::format("what answers at '{}' is not a Docker Engine of API {} or newer",
                             socket_.native(), kOldestUsable),
                 "DOCKER_HOST says which engine is meant; an older one must be updated"};
  const std::string oldest = about->text_at("MinAPIVersion", std::string(kOldestUsable));
  std::string version(compare_versions(newest, kNewestKnown) < 0 ? newest : kNewestKnown);
  if (compare_versions(version, oldest) < 0) version = oldest;
  version_ = "v" + version;
  return {};
}

Result<long> DockerApi::transfer(const char* method, const std::string& url, const Sink& sink,
                                 Deadline deadline) const {
  static std::once_flag once;
  std::call_once(once, [] { DR_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
  const Handle handle(curl_easy_init(), &curl_easy_cleanup);
  DR_CHECK(handle);
  const auto left_ms =
      std::chrono::floor<std::chrono::milliseconds>(std::min<Duration>(deadline.left(clock_.mono()), 24h));
  if (left_ms.count() <= 0)
    return Error{Errc::kCancelled,
                 fmt::format("the deadline passed before Docker at '{}' was asked", socket_.native())};
  const std::string address = "http://docker/" + url;
  curl_easy_setopt(handle.get(), CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_URL, address.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(left_ms.count()));
  curl_easy_setopt(handle.get(), CURLOPT_PROXY, "");
  if (std::string_view(method) == "POST") curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, 0L);
  if (std::string_view(method) == "POST") curl_easy_setopt(handle.get(), CURLOPT_COPYPOSTFIELDS, "");
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &sink);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OPERATION_TIMEDOUT)
    return Error{Errc::kCancelled,
                 fmt::format("Docker at '{}' had not done it at the deadline", socket_.native()),
                 "it may still do it: see `docker ps --all`"};
  if (code != CURLE_OK)
    return Error{
        Errc::kUnavailable,
        fmt::format("Docker does not answer at '{}': {}", socket_.native(), curl_easy_strerror(code)),
        "start it (`systemctl start docker`), or say where it is with DOCKER_HOST=unix:///PATH"};
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

void DockerFrames::add(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const size_t taken = std::min(kFrameHead - head_.size(), bytes.size());
      head_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      if (head_.size() < kFrameHead) return;
      for (size_t i = 4; i < kFrameHead; ++i) left_ = left_ << 8 | static_cast<unsigned char>(head_[i]);
      head_.clear();
    }
    const size_t taken = std::min<uint64_t>(left_, bytes.size());
    text_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    left_ -= taken;
    if (text_.size() > 2 * kTextMax) text_.erase(0, text_.size() - kTextMax);
  }
}

std::string DockerFrames::text() && {
  if (text_.size() > kTextMax) text_.erase(0, text_.size() - kTextMax);
  return std::move(text_);
}

}  // namespace daruma::runtime
