#include "notify/message.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/base64.h"
#include "base/value.h"

namespace daruma::notify {
namespace {

struct OutcomeRow {
  Outcome outcome;
  std::string_view name;  // in JSON; never renamed
  std::string_view mark;  // before the title
};
constexpr OutcomeRow kOutcomes[] = {
    {Outcome::kNews, "news", "ℹ️"},      {Outcome::kNeedsPerson, "needs_person", "✋"},
    {Outcome::kSucceeded, "succeeded", "✅"}, {Outcome::kPartial, "partial", "⚠️"},
    {Outcome::kFailed, "failed", "❌"},
};

const OutcomeRow& row_of(Outcome outcome) {
  const auto found = std::find_if(std::begin(kOutcomes), std::end(kOutcomes),
                                  [&](const OutcomeRow& row) { return row.outcome == outcome; });
  DR_CHECK(found != std::end(kOutcomes));
  return *found;
}

// Without what would begin a new line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  return text;
}

std::string part_of(const std::string& title, const std::string& text, const std::string& level) {
  std::string part = one_line(title) + "\n";
  if (!level.empty()) part += one_line(level) + "\n";
  if (!text.empty()) part += text + (text.ends_with('\n') ? "" : "\n");
  return part;
}

// The whole notice as plain text.
std::string plain_text(const Notice& notice) {
  std::string text = std::string(row_of(notice.outcome).mark) + " ";
  text += part_of(notice.title.ja, notice.text.ja, notice.level.ja) + "\n";
  text += part_of(notice.title.en, notice.text.en, notice.level.en) + "\n";
  const std::pair<std::string_view, const std::string&> facts[] = {
      {"plan", notice.plan}, {"run", notice.run}, {"target", notice.target}, {"url", notice.url}};
  for (const auto& [name, value] : facts)
    if (!value.empty()) text += fmt::format("{}: {}\n", name, one_line(value));
  return text + "at: " + to_rfc3339(notice.at) + "\n";
}

std::string slack_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

// RFC 2047: words of at most 75 bytes, none of which cuts a character.
std::string encoded_words(std::string_view text) {
  static constexpr size_t kMost = 39;  // bytes, 52 in base64: with the head's name a line of at most 76
  std::string out;
  while (!text.empty()) {
    size_t size = std::min(kMost, text.size());
    while (size < text.size() && size > 1 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", to_base64(text.substr(0, size)));
    text.remove_prefix(size);
  }
  return out;
}

std::string mail_date(Instant at) {
  const auto seconds = static_cast<std::time_t>(at.micros / 1'000'000);
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} +0000", fmt::gmtime(seconds));
}

Value words(const Words& both) { return Value::Map{{"ja", both.ja}, {"en", both.en}}; }

}  // namespace

std::string slack_body(const Notice& notice) {
  return to_json(Value::Map{{"text", slack_escaped(plain_text(notice))}});
}

std::string json_body(const Notice& notice) {
  Value::Map body{{"id", notice.key},
                  {"at", to_rfc3339(notice.at)},
                  {"outcome", row_of(notice.outcome).name},
                  {"title", words(notice.title)},
                  {"text", words(notice.text)}};
  if (!notice.level.en.empty()) body["level"] = words(notice.level);
  if (!notice.run.empty()) body["run"] = notice.run;
  if (!notice.plan.empty()) body["plan"] = notice.plan;
  if (!notice.target.empty()) body["target"] = notice.target;
  if (!notice.url.empty()) body["url"] = notice.url;
  return to_json(body);
}

std::string mail(const Notice& notice, const ChannelConfig& channel) {
  const std::string domain = channel.from.substr(channel.from.rfind('@') + 1);
  const std::string subject = fmt::format("{} {} / {}", row_of(notice.outcome).mark,
                                          one_line(notice.title.ja), one_line(notice.title.en));
  std::string out = fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n",
                                channel.from, fmt::join(channel.to, ",\r\n "), encoded_words(subject),
                                mail_date(notice.at), notice.key, domain);
  out +=
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n";
  const std::string body = to_base64(plain_text(notice));
  for (size_t at = 0; at < body.size(); at += 76) out += body.substr(at, 76) + "\r\n";
  return out;
}

Result<std::string> mail_address(const std::string& address) {
  const size_t at = address.find('@');
  const bool plain = std::all_of(address.begin(), address.end(), [](char c) {
    return c > ' ' && c < '\x7f' && std::string_view("<>()[],;:\\\"").find(c) == std::string_view::npos;
  });
  if (plain && at != std::string::npos && at > 0 && at + 1 < address.size() && address.rfind('@') == at)
    return address;
  return Error{Errc::kInvalid, "'" + one_line(address) + "' is not an address like ops@example.com"};
}

}  // namespace daruma::notify
