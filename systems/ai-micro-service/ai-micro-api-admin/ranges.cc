#include "ai-micro-api-admin/ranges.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace aimicro {
namespace {

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, broken] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || broken != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

ByteRange last_bytes(std::string_view text, uint64_t size) {
  const auto count = number_of(text);
  if (!count) return {ByteRange::Kind::kWhole, 0, size};
  if (*count == 0 || size == 0) return {ByteRange::Kind::kUnsatisfiable, 0, 0};
  const uint64_t taken = std::min(*count, size);
  return {ByteRange::Kind::kPart, size - taken, taken};
}

}  // namespace

ByteRange range_of(std::string_view range, std::string_view if_range, std::string_view etag, uint64_t size) {
  const ByteRange whole{ByteRange::Kind::kWhole, 0, size};
  constexpr std::string_view kUnit = "bytes=";
  if (!range.starts_with(kUnit) || (!if_range.empty() && if_range != etag)) return whole;
  const std::string_view wanted = trimmed(range.substr(kUnit.size()));
  const size_t dash = wanted.find('-');
  if (dash == std::string_view::npos || wanted.find(',') != std::string_view::npos) return whole;
  if (dash == 0) return last_bytes(wanted.substr(1), size);
  const auto first = number_of(wanted.substr(0, dash));
  const std::string_view end = wanted.substr(dash + 1);
  const auto last = end.empty() ? std::optional<uint64_t>(UINT64_MAX) : number_of(end);
  if (!first || !last || *last < *first) return whole;
  if (*first >= size) return {ByteRange::Kind::kUnsatisfiable, 0, 0};
  return {ByteRange::Kind::kPart, *first, std::min(*last, size - 1) - *first + 1};
}

bool none_match_names(std::string_view if_none_match, std::string_view etag) {
  if (trimmed(if_none_match) == "*") return true;
  while (!if_none_match.empty()) {
    const size_t comma = std::min(if_none_match.find(','), if_none_match.size());
    std::string_view tag = trimmed(if_none_match.substr(0, comma));
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
    if_none_match.remove_prefix(std::min(comma + 1, if_none_match.size()));
  }
  return false;
}

}  // namespace aimicro
