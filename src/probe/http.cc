#include "probe/http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

namespace daruma::probe {
namespace {

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;
using List = std::unique_ptr<curl_slist, FreeList>;

struct Reading {
  HttpAnswer answer;
  uint64_t body_most = 0;
  std::stop_token stop;
};

size_t on_body(char* bytes, size_t, size_t size, void* user) {
  auto& reading = *static_cast<Reading*>(user);
  const size_t room = reading.body_most - reading.answer.body.size();
  reading.answer.body.append(bytes, std::min(size, room));
  reading.answer.cut = size > room;
  return reading.answer.cut ? 0 : size;  // 0 ends the transfer
}

size_t on_header(char* bytes, size_t, size_t size, void* user) {
  auto& reading = *static_cast<Reading*>(user);
  std::string_view line(bytes, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  // An interim answer (100 Continue) comes before the real one: only the last head counts.
  if (line.starts_with("HTTP/")) reading.answer.headers.clear();
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  reading.answer.headers.emplace_back(line.substr(0, colon), value);
  return size;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Reading*>(user)->stop.stop_requested() ? 1 : 0;
}

Result<Handle> make_handle() {
  static std::once_flag once;
  std::call_once(once, [] { DR_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
  Handle handle(curl_easy_init());
  if (!handle) return Error{Errc::kFailed, "cannot make a libcurl handle"};
  return handle;
}

template <class T>
void set(const Handle& handle, CURLoption option, T value) {
  DR_CHECK(curl_easy_setopt(handle.get(), option, value) == CURLE_OK);
}

// What every exchange has: bounds, no proxy, no signals, no other protocols.
Status bound(const Handle& handle, Reading& reading, const std::string& url, Clock& clock,
             Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left(clock.mono()));
  if (left.count() <= 0) return Error{Errc::kCancelled, fmt::format("{}: no time is left", url)};
  const long ms = std::min<int64_t>(left.count(), std::numeric_limits<int32_t>::max());
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_PROXY, "");
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_TIMEOUT_MS, ms);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, ms);
  set(handle, CURLOPT_NOPROGRESS, 0L);
  set(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  set(handle, CURLOPT_XFERINFODATA, &reading);
  return {};
}

Error error_of(CURLcode code, const std::string& url, const char* detail, Duration took) {
  const std::string cause = *detail != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Errc::kInvalid, fmt::format("'{}' is no address: {}", url, cause)};
    case CURLE_ABORTED_BY_CALLBACK:
      return {Errc::kCancelled, url + ": stopped"};
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::kCancelled, fmt::format("{}: no whole answer within {}", url, human_duration(took))};
    default:
      return {Errc::kUnavailable, fmt::format("{}: {}", url, cause)};
  }
}

List headers_of(const HttpQuestion& question) {
  List list;
  const auto append = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    DR_CHECK(longer != nullptr);
    static_cast<void>(list.release());
    list.reset(longer);
  };
  append("Expect:");  // no waiting for 100 Continue
  for (const auto& [name, value] : question.headers)
    append(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  return list;
}

void set_method(const Handle& handle, const HttpQuestion& question) {
  if (question.method == "HEAD") {
    set(handle, CURLOPT_NOBODY, 1L);
    return;
  }
  set(handle, CURLOPT_CUSTOMREQUEST, question.method.c_str());
  if (question.body.empty() && question.method == "GET") return;
  set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(question.body.size()));
  set(handle, CURLOPT_POSTFIELDS, question.body.c_str());
}

bool is_one_line(std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; }

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  return "";
}

Result<HttpAnswer> ask_http(const HttpQuestion& question, Clock& clock, Deadline deadline,
                            const std::stop_token& stop) {
  for (const auto& [name, value] : question.headers)
    if (!is_one_line(name) || !is_one_line(value))
      return Error{Errc::kInvalid, fmt::format("{}: header '{}' has a line's end", question.url, name)};
  DR_TRY(const Handle handle, make_handle());
  Reading reading{.answer = {}, .body_most = question.body_most, .stop = stop};
  char detail[CURL_ERROR_SIZE] = "";
  set(handle, CURLOPT_ERRORBUFFER, detail);
  DR_OK(bound(handle, reading, question.url, clock, deadline));
  const List headers = headers_of(question);
  set(handle, CURLOPT_HTTPHEADER, headers.get());
  set(handle, CURLOPT_USERAGENT, "daruma");
  set_method(handle, question);
  set(handle, CURLOPT_WRITEFUNCTION, on_body);
  set(handle, CURLOPT_WRITEDATA, &reading);
  set(handle, CURLOPT_HEADERFUNCTION, on_header);
  set(handle, CURLOPT_HEADERDATA, &reading);
  const MonoInstant begin = clock.mono();
  const CURLcode code = curl_easy_perform(handle.get());
  reading.answer.took = clock.mono() - begin;
  const bool enough = code == CURLE_WRITE_ERROR && reading.answer.cut;
  if (code != CURLE_OK && !enough) return error_of(code, question.url, detail, reading.answer.took);
  long status = 0;
  DR_CHECK(curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
  reading.answer.status = static_cast<int>(status);
  return std::move(reading.answer);
}

Result<Duration> ask_tcp(const std::string& address, Clock& clock, Deadline deadline,
                         const std::stop_token& stop) {
  const size_t colon = address.rfind(':');
  uint16_t port = 0;
  const char* end = address.data() + address.size();
  const bool has_port = colon != std::string::npos && colon > 0 &&
                        std::from_chars(address.data() + colon + 1, end, port).ptr == end && port > 0;
  if (!has_port || address.find_first_of("/@ ") != std::string::npos)
    return Error{Errc::kInvalid, fmt::format("'{}' is not HOST:PORT", address)};
  DR_TRY(const Handle handle, make_handle());
  Reading reading{.answer = {}, .body_most = 0, .stop = stop};
  char detail[CURL_ERROR_SIZE] = "";
  set(handle, CURLOPT_ERRORBUFFER, detail);
  DR_OK(bound(handle, reading, "http://" + address, clock, deadline));
  set(handle, CURLOPT_CONNECT_ONLY, 1L);
  const MonoInstant begin = clock.mono();
  const CURLcode code = curl_easy_perform(handle.get());
  const Duration took = clock.mono() - begin;
  if (code != CURLE_OK) return error_of(code, address, detail, took);
  return took;
}

}  // namespace daruma::probe
