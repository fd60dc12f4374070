#include "ai-micro-api-admin/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "library/common.h"

namespace aimicro {
namespace {

constexpr std::string_view kUnknownType = "application/octet-stream";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_type_part(std::string_view part) {
  return !part.empty() && is_letter_or_digit(part.front()) &&
         std::all_of(part.begin(), part.end(), [](char c) {
           return is_letter_or_digit(c) || std::string_view("!#$&^_.+-").find(c) != std::string_view::npos;
         });
}

// Control characters: the first 32, DEL, and the second set of Unicode (U+0080 to U+009F).
bool has_control(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> document_name(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const auto characters = characters_in(text);
  if (!characters || *characters == 0 || *characters > 200) return std::nullopt;
  if (text == "." || text == ".." || text.find_first_of("/\\") != std::string_view::npos) return std::nullopt;
  if (has_control(text)) return std::nullopt;
  return std::string(text);
}

std::string media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  const size_t slash = content_type.find('/');
  if (slash == std::string_view::npos || content_type.size() > 100 ||
      !is_type_part(content_type.substr(0, slash)) || !is_type_part(content_type.substr(slash + 1)))
    return std::string(kUnknownType);
  std::string type(content_type);
  for (char& c : type)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return type;
}

std::string attachment(std::string_view name) {
  std::string plain, encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool safe = is_letter_or_digit(c) || c == '.' || c == '-' || c == '_';
    if (safe || c == ' ')
      plain += c;
    else if ((byte & 0xc0) != 0x80)  // one sign for each character
      plain += '_';
    encoded += safe ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", plain, encoded);
}

}  // namespace aimicro
