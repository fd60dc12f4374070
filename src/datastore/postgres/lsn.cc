#include "datastore/postgres/lsn.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace daruma::postgres {
namespace {

constexpr uint64_t kSpanOfGroup = uint64_t{1} << 32;  // WAL bytes that share the first number of an LSN

std::optional<uint32_t> hex32(std::string_view text) {
  if (text.empty() || text.size() > 8) return std::nullopt;
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

Error not_a_segment(std::string_view name, std::string_view why) {
  return {Errc::kInvalid, fmt::format("'{}' is not the name of a WAL segment: {}", name, why)};
}

}  // namespace

std::string to_string(Lsn lsn) { return fmt::format("{:X}/{:X}", lsn.value >> 32, lsn.value & 0xFFFFFFFF); }

Result<Lsn> parse_lsn(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto high = hex32(text.substr(0, slash));
    const auto low = hex32(text.substr(slash + 1));
    if (high && low) return Lsn{uint64_t{*high} << 32 | *low};
  }
  return Error{Errc::kInvalid, fmt::format("'{}' is not a WAL position", text),
               "a WAL position is two hex numbers with a slash between, such as 16/B374D848"};
}

std::string segment_name(Timeline timeline, uint64_t number, SegmentSize size) {
  const uint64_t per_group = kSpanOfGroup / size.bytes;
  return fmt::format("{:08X}{:08X}{:08X}", timeline, number / per_group, number % per_group);
}

Result<SegmentId> parse_segment_name(std::string_view name, SegmentSize size) {
  if (name.size() != 24) return not_a_segment(name, "it must have 24 hex digits");
  const auto timeline = hex32(name.substr(0, 8));
  const auto group = hex32(name.substr(8, 8));
  const auto in_group = hex32(name.substr(16, 8));
  if (!timeline || !group || !in_group) return not_a_segment(name, "it must have 24 hex digits");
  if (*timeline == 0) return not_a_segment(name, "timeline 0 never exists");

  const uint64_t per_group = kSpanOfGroup / size.bytes;
  if (*in_group >= per_group)
    return not_a_segment(name, fmt::format("with segments of {} bytes the last part stays below {:08X}",
                                           size.bytes, per_group));
  return SegmentId{*timeline, *group * per_group + *in_group};
}

std::string history_name(Timeline timeline) { return fmt::format("{:08X}.history", timeline); }

}  // namespace daruma::postgres
