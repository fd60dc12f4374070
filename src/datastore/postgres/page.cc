#include "datastore/postgres/page.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "datastore/postgres/page_hash.h"

namespace daruma::postgres {
namespace {

// Offsets in the page header.
constexpr size_t kLsnAt = 0;
constexpr size_t kChecksumAt = 8;
constexpr size_t kUpperAt = 14;

// Decimal without leading zeros, as the server writes OIDs and file numbers.
std::optional<uint32_t> number(std::string_view text) {
  if (text.empty() || text.front() == '0') return std::nullopt;
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

// Cuts the part before the first '/' off `path`; everything if there is none.
std::string_view take_part(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view part = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return part;
}

// "PG_15_202209061": the folder a server version has for itself in every tablespace.
bool is_version_folder(std::string_view part) {
  if (!part.starts_with("PG_")) return false;
  const size_t underscore = part.find('_', 3);
  if (underscore == std::string_view::npos) return false;
  return number(part.substr(3, underscore - 3)) && number(part.substr(underscore + 1));
}

// "1259", "1259_fsm", "1259.2", "1259_vm.1".
bool parse_file_name(std::string_view name, RelationFile& file) {
  constexpr std::array<std::string_view, 4> kForks = {"", "_fsm", "_vm", "_init"};
  if (const size_t dot = name.find('.'); dot != std::string_view::npos) {
    const auto segment_file = number(name.substr(dot + 1));
    if (!segment_file) return false;
    file.segment_file = *segment_file;
    name = name.substr(0, dot);
  }
  const size_t underscore = std::min(name.find('_'), name.size());
  const auto fork = std::find(kForks.begin(), kForks.end(), name.substr(underscore));
  const auto relation = number(name.substr(0, underscore));
  if (fork == kForks.end() || !relation) return false;
  file.fork = static_cast<uint8_t>(fork - kForks.begin());
  file.relation = *relation;
  return true;
}

// Sets tablespace and database from the folders before the file name, which `path` is cut to.
bool parse_folders(std::string_view& path, RelationFile& file) {
  constexpr uint32_t kDefaultTablespace = 1663;
  constexpr uint32_t kGlobalTablespace = 1664;
  std::string_view part = take_part(path);
  if (part == "global") {
    file.tablespace = kGlobalTablespace;
    return true;
  }
  if (part == "base") {
    file.tablespace = kDefaultTablespace;
  } else {
    if (part == "pg_tblspc") {
      const auto tablespace = number(take_part(path));
      if (!tablespace) return false;
      file.tablespace = *tablespace;
      part = take_part(path);
    }
    if (!is_version_folder(part)) return false;
  }
  const auto database = number(take_part(path));
  if (!database) return false;
  file.database = *database;
  return true;
}

}  // namespace

uint16_t page_checksum(BytesView page, uint32_t block) {
  DR_CHECK(page.size() == kPageSize);
  const uint32_t hash = has_wide_page_hash() ? page_hash_wide(page) : page_hash_plain(page);
  return static_cast<uint16_t>((hash ^ block) % 65535 + 1);
}

Lsn page_lsn(BytesView page) {
  DR_CHECK(page.size() == kPageSize);
  const auto high = load_le<uint32_t>(page.data() + kLsnAt);
  const auto low = load_le<uint32_t>(page.data() + kLsnAt + 4);
  return {uint64_t{high} << 32 | low};
}

uint16_t stored_checksum(BytesView page) {
  DR_CHECK(page.size() == kPageSize);
  return load_le<uint16_t>(page.data() + kChecksumAt);
}

bool page_is_new(BytesView page) {
  DR_CHECK(page.size() == kPageSize);
  return load_le<uint16_t>(page.data() + kUpperAt) == 0;
}

bool page_is_good(BytesView page, uint32_t block) {
  if (!page_is_new(page)) return stored_checksum(page) == page_checksum(page, block);
  // All bytes equal the first and the first is zero: one memcmp instead of a loop.
  return page[0] == std::byte{0} && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

std::optional<RelationFile> parse_relation_path(std::string_view path) {
  RelationFile file;
  if (!parse_folders(path, file) || !parse_file_name(path, file)) return std::nullopt;
  return file;
}

}  // namespace daruma::postgres
