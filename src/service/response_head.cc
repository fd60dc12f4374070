#include "service/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace daruma::service {
namespace {

// Crockford's: no letter is taken for a digit.
constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";

void append_number(std::string& out, uint64_t number) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, number);
  out.append(text, end.ptr);
}

void append_value(std::string& out, std::string_view value) {
  for (const char c : value) out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  append_value(out, value);
  out.append("\r\n");
}

}  // namespace

bool is_bodiless(int status) { return status == 204 || status == 304 || status < 200; }

void append_head(std::string& out, const Response& response, const HeadFacts& facts) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(response.status));
  out.append(" ").append(reason_of(response.status));
  out.append("\r\nDate: ").append(facts.date).append("\r\n");
  if (!is_bodiless(response.status)) {
    if (!response.content_type.empty()) append_header(out, "Content-Type", response.content_type);
    out.append("Content-Length: ");
    append_number(out, facts.body_size);
    out.append("\r\n");
  }
  out.append("X-Request-Id: ").append(facts.request_id).append("\r\n");
  if (facts.close) out.append("Connection: close\r\n");
  if (!facts.close && facts.say_alive) out.append("Connection: keep-alive\r\n");
  for (const Header& header : response.headers) append_header(out, header.name, header.value);
  out.append("\r\n");
}

std::string http_date(Instant now) {
  using namespace std::chrono;
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds moment(floor<seconds>(microseconds(now.micros)));
  const sys_days day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(moment - day);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

void name_request(Response& problem, std::string_view request_id) {
  if (problem.content_type != "application/problem+json" || !problem.body.ends_with('}')) return;
  problem.body.pop_back();
  problem.body.append(R"(,"requestId":")").append(request_id).append("\"}");
}

RequestIds::RequestIds(Random& random) {
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  for (const std::byte byte : bytes) prefix_ += kDigits[std::to_integer<size_t>(byte) % kDigits.size()];
}

void RequestIds::next(std::string& id) {
  std::array<char, 15> text;
  std::ranges::copy(prefix_, text.begin());
  uint64_t count = count_++;
  for (size_t at = text.size(); at > prefix_.size(); count /= kDigits.size())
    text[--at] = kDigits[count % kDigits.size()];
  id.assign(text.data(), text.size());
}

}  // namespace daruma::service
