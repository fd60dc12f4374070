#include "service/json_text.h"

#include <array>
#include <cstdint>

namespace daruma::service {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// Bytes that stand for themselves in a JSON string.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t byte = 0x20; byte < 0x80; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}();

// The length of the character that begins at `at`, a byte from 0x80 up; 0: it is none.
size_t length_of_character(std::string_view text, size_t at) {
  struct Form {
    uint8_t first, last;          // of the leading byte
    uint8_t second, second_last;  // of the one behind it
    uint8_t length;
  };
  static constexpr std::array<Form, 8> kForms{{{0xC2, 0xDF, 0x80, 0xBF, 2},
                                               {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                               {0xE1, 0xEC, 0x80, 0xBF, 3},
                                               {0xED, 0xED, 0x80, 0x9F, 3},
                                               {0xEE, 0xEF, 0x80, 0xBF, 3},
                                               {0xF0, 0xF0, 0x90, 0xBF, 4},
                                               {0xF1, 0xF3, 0x80, 0xBF, 4},
                                               {0xF4, 0xF4, 0x80, 0x8F, 4}}};
  const uint8_t lead = byte_at(text, at);
  for (const Form& form : kForms) {
    if (lead < form.first || lead > form.last) continue;
    if (text.size() - at < form.length) return 0;
    if (byte_at(text, at + 1) < form.second || byte_at(text, at + 1) > form.second_last) return 0;
    for (size_t i = 2; i < form.length; ++i)
      if ((byte_at(text, at + i) & 0xC0) != 0x80) return 0;
    return form.length;
  }
  return 0;
}

// Appends the character at `at`, or what stands for a byte that begins none; returns its length.
size_t append_character(std::string& out, std::string_view text, size_t at) {
  const size_t length = length_of_character(text, at);
  out += length == 0 ? kReplacement : text.substr(at, length);
  return length == 0 ? 1 : length;
}

void append_escape(std::string& out, char c) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<uint8_t>(c);
  if (c == '"' || c == '\\')
    out += {'\\', c};
  else if (c == '\n')
    out += "\\n";
  else if (c == '\t')
    out += "\\t";
  else
    out += {'\\', 'u', '0', '0', kDigits[byte >> 4], kDigits[byte & 15]};
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && kPlain[byte_at(text, end)]) ++end;
    out.append(text, at, end - at);
    at = end;
    if (at == text.size()) break;
    if (byte_at(text, at) < 0x80)
      append_escape(out, text[at++]);
    else
      at += append_character(out, text, at);
  }
  out += '"';
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (byte_at(text, at) < 0x80)
      out += text[at++];
    else
      at += append_character(out, text, at);
  }
  return out;
}

}  // namespace daruma::service
