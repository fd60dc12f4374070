#include "service/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/json_text.h"

namespace daruma::service {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct Reason {
  int status;
  std::string_view text;
};

// RFC 9110, section 15, and RFC 6585.
constexpr auto kReasons = std::to_array<Reason>({
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
});
static_assert(std::ranges::is_sorted(kReasons, {}, &Reason::status));

}  // namespace

std::string_view name_of(Method method) {
  static constexpr std::string_view kNames[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return kNames[static_cast<size_t>(method)];
}

std::string_view Request::header(std::string_view name) const {
  for (const auto& [known, value] : headers)
    if (same_name(known, name)) return value;
  return "";
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto key = url_decode(pair.substr(0, equals));
    if (!key.ok() || *key != name) continue;
    auto value = url_decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!value.ok()) return std::nullopt;
    return *std::move(value);
  }
  return std::nullopt;
}

const std::string& Request::path_parameter(std::string_view name) const {
  const auto found = std::ranges::find(path_parameters, name, [](const auto& pair) { return pair.first; });
  DR_CHECK(found != path_parameters.end());
  return found->second;
}

Response json(int status, std::string body) { return {.status = status, .body = std::move(body)}; }

Response text(int status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

Response problem(int status, std::string_view detail) {
  std::string body = R"({"type":"about:blank","title":)";
  append_json_string(body, reason_of(status));
  body += fmt::format(R"(,"status":{},"detail":)", status);
  append_json_string(body, detail);
  body += '}';
  return {.status = status, .content_type = "application/problem+json", .body = std::move(body)};
}

std::string_view reason_of(int status) {
  const auto found = std::ranges::lower_bound(kReasons, status, {}, &Reason::status);
  return found != kReasons.end() && found->status == status ? found->text : "Unknown";
}

Result<std::string> url_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += plus_is_space && text[at] == '+' ? ' ' : text[at];
      continue;
    }
    const int high = text.size() - at > 2 ? hex_value(text[at + 1]) : -1;
    const int low = text.size() - at > 2 ? hex_value(text[at + 2]) : -1;
    if (high < 0 || low < 0)
      return Error{Errc::kInvalid, fmt::format("'{}': '%' without two hexadecimal digits behind it", text)};
    const int byte = high * 16 + low;
    if (byte == 0) return Error{Errc::kInvalid, fmt::format("'{}': a zero byte", text)};
    decoded += static_cast<char>(byte);
    at += 2;
  }
  return decoded;
}

}  // namespace daruma::service
