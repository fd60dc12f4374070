#include "journal/wal_check.h"

#include <algorithm>
#include <bit>
#include <set>
#include <vector>

#include "os/files.h"

namespace daruma {
namespace {

constexpr size_t kHeader = 32;
constexpr size_t kFrameHeader = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the last bit says: checksums over big-endian words
constexpr size_t kWalMost = size_t{1} << 30;

uint32_t big_endian(BytesView bytes, size_t at) { return __builtin_bswap32(load_le<uint32_t>(&bytes[at])); }

struct Sums {
  uint32_t first = 0, second = 0;
  bool operator==(const Sums&) const = default;
};

Sums sums_at(BytesView bytes, size_t at) { return {big_endian(bytes, at), big_endian(bytes, at + 4)}; }

Sums add(Sums sums, BytesView bytes, bool big) {
  for (size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = [&](size_t i) { return big ? big_endian(bytes, i) : load_le<uint32_t>(&bytes[i]); };
    sums.first += word(at) + sums.second;
    sums.second += word(at + 4) + sums.first;
  }
  return sums;
}

struct Frame {
  uint32_t page = 0;
  bool commits = false;
  bool ours = false;  // of this generation of the log: it carries the header's salt
};

class Log {
 public:
  explicit Log(BytesView bytes) : bytes_(bytes) {}

  bool header_verifies() const {
    const uint32_t magic = big_endian(bytes_, 0);
    return (magic & ~1u) == kMagic && std::has_single_bit(page_size()) && page_size() >= 512 &&
           page_size() <= 65536 && add({}, bytes_.first(24), big()) == sums_at(bytes_, 24);
  }
  size_t frames() const { return (bytes_.size() - kHeader) / frame_size(); }
  size_t offset(size_t frame) const { return kHeader + frame * frame_size(); }

  Frame frame(size_t index) const {
    const size_t at = offset(index);
    const bool ours = std::equal(&bytes_[at + 8], &bytes_[at + 16], &bytes_[16]);
    return {big_endian(bytes_, at), big_endian(bytes_, at + 4) != 0, ours};
  }

  // The first frame that does not verify; frames() if all do. `open` gets the pages of the frames after the
  // last commit before it.
  size_t first_broken(std::multiset<uint32_t>& open) const {
    Sums sums = sums_at(bytes_, 24);
    for (size_t index = 0; index < frames(); ++index) {
      const size_t at = offset(index);
      sums = add(sums, bytes_.subspan(at, 8), big());
      sums = add(sums, bytes_.subspan(at + kFrameHeader, page_size()), big());
      const Frame next = frame(index);
      if (!next.ours || sums != sums_at(bytes_, at + 16)) return index;
      open.insert(next.page);
      if (next.commits) open.clear();
    }
    return frames();
  }

  // Whether what follows the broken frame must have been written after a commit was synced: a second commit
  // follows, or one transaction would hold a page twice.
  bool goes_on_after(size_t broken, std::multiset<uint32_t> open) const {
    size_t commits = 0;
    for (size_t index = broken; index < frames(); ++index) {
      const Frame next = frame(index);
      if (!next.ours) continue;
      if (commits == 0) open.insert(next.page);
      if (next.commits && ++commits == 2) return true;
    }
    if (commits == 0) return false;
    return std::any_of(open.begin(), open.end(), [&](uint32_t page) { return open.count(page) > 1; });
  }

 private:
  bool big() const { return (big_endian(bytes_, 0) & 1) != 0; }
  size_t page_size() const { return big_endian(bytes_, 8); }
  size_t frame_size() const { return kFrameHeader + page_size(); }

  BytesView bytes_;
};

// Nothing: the log is whole, or ends as a crash may leave it.
std::string damage_in(BytesView bytes) {
  if (bytes.size() < kHeader + kFrameHeader) return {};
  const Log log(bytes);
  if (!log.header_verifies()) return "its header does not verify";
  std::multiset<uint32_t> open;
  const size_t broken = log.first_broken(open);
  if (!log.goes_on_after(broken, open)) return {};
  return "frame " + std::to_string(broken + 1) + " (at byte " + std::to_string(log.offset(broken)) +
         ") does not verify, and commits lie after it";
}

}  // namespace

Status check_wal(FileSystem& fs, const Path& journal) {
  const Path file = journal.string() + "-wal";
  // A log that another process writes may be seen half written: damage stays, that does not.
  std::string damage;
  for (int look = 0; look < 3; ++look) {
    const auto bytes = read_file(fs, file, kWalMost);
    if (bytes.is(Errc::kNotFound)) return {};
    DR_OK(bytes);
    damage = damage_in(*bytes);
    if (damage.empty()) return {};
  }
  return Error{Errc::kCorrupt, file.string() + ": " + damage,
               "put the journal aside with this file before anything opens it: what follows would be lost"};
}

}  // namespace daruma
