#include "datastore/postgres/control_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

// Offsets in ControlFileData. Versions 1300 and 1700 differ only in what 1300 leaves as padding.
constexpr size_t kSystemIdentifierAt = 0;
constexpr size_t kControlVersionAt = 8;
constexpr size_t kCatalogVersionAt = 12;
constexpr size_t kStateAt = 16;
constexpr size_t kCheckpointAt = 32;
constexpr size_t kCheckpointCopyAt = 40;  // a CheckPoint: redo, then its timeline
constexpr size_t kBlockSizeAt = 216;
constexpr size_t kWalSegmentSizeAt = 228;
constexpr size_t kDataChecksumVersionAt = 252;
constexpr size_t kCrcAt = 288;
constexpr size_t kUsedBytes = kCrcAt + sizeof(uint32_t);

Error not_a_history(size_t line, std::string_view text, std::string_view why) {
  return {Errc::kCorrupt, fmt::format("timeline history, line {}: '{}' {}", line, text, why)};
}

std::string_view trim_front(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r"), text.size()));
}

// Cuts the first word off `text`, and the blanks that end it. False if no blank ends it: a line that was cut
// short must not be taken for one with a smaller LSN.
bool take_word(std::string_view& text, std::string_view& word) {
  const size_t end = text.find_first_of(" \t");
  if (end == std::string_view::npos) return false;
  word = text.substr(0, end);
  text = trim_front(text.substr(end));
  return true;
}

Result<TimelineAncestor> parse_history_line(size_t number, std::string_view line) {
  std::string_view rest = line;
  std::string_view timeline;
  std::string_view lsn;
  if (!take_word(rest, timeline) || !take_word(rest, lsn))
    return not_a_history(number, line, "is not a timeline, a WAL position and a reason");

  TimelineAncestor ancestor;
  const char* const end = timeline.data() + timeline.size();
  const auto [stopped, error] = std::from_chars(timeline.data(), end, ancestor.timeline);
  if (error != std::errc{} || stopped != end || ancestor.timeline == 0)
    return not_a_history(number, line, "does not begin with a timeline");
  const auto left_at = parse_lsn(lsn);
  if (!left_at.ok()) return not_a_history(number, line, "has no WAL position in second place");
  ancestor.left_at = *left_at;
  ancestor.reason = rest;
  return ancestor;
}

}  // namespace

Result<ControlFile> parse_control_file(BytesView bytes) {
  if (bytes.size() < kUsedBytes)
    return Error{Errc::kCorrupt,
                 fmt::format("pg_control has {} bytes, {} are needed", bytes.size(), kUsedBytes)};
  const auto u32 = [&](size_t at) { return load_le<uint32_t>(bytes.data() + at); };
  const auto u64 = [&](size_t at) { return load_le<uint64_t>(bytes.data() + at); };

  const uint32_t version = u32(kControlVersionAt);
  if (version != 1300 && version != 1700)
    return Error{Errc::kInvalid, fmt::format("pg_control has version {}", version),
                 "PostgreSQL 13 to 17 are supported: versions 1300 and 1700"};
  if (const uint32_t crc = crc32c(bytes.first(kCrcAt)); crc != u32(kCrcAt))
    return Error{
        Errc::kCorrupt,
        fmt::format("pg_control does not match its CRC: stored {:08X}, computed {:08X}", u32(kCrcAt), crc)};

  ControlFile file;
  file.system_identifier = u64(kSystemIdentifierAt);
  file.control_version = version;
  file.catalog_version = u32(kCatalogVersionAt);
  file.state = u32(kStateAt);
  file.checkpoint = {u64(kCheckpointAt)};
  file.checkpoint_redo = {u64(kCheckpointCopyAt)};
  file.checkpoint_timeline = u32(kCheckpointCopyAt + 8);
  file.block_size = u32(kBlockSizeAt);
  file.wal_segment_size = {u32(kWalSegmentSizeAt)};
  file.data_checksum_version = u32(kDataChecksumVersionAt);
  if (!file.wal_segment_size.valid())
    return Error{Errc::kCorrupt, fmt::format("pg_control names WAL segments of {} bytes, which no server has",
                                             file.wal_segment_size.bytes)};
  return file;
}

Result<std::vector<TimelineAncestor>> parse_history(std::string_view text) {
  std::vector<TimelineAncestor> ancestors;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim_front(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;

    DR_TRY(TimelineAncestor ancestor, parse_history_line(number, line));
    if (!ancestors.empty() && ancestor.timeline <= ancestors.back().timeline)
      return not_a_history(number, line, "does not name a newer timeline than the line before");
    ancestors.push_back(std::move(ancestor));
  }
  return ancestors;
}

}  // namespace daruma::postgres
