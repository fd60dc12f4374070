#include "datastore/postgres/page_watch.h"

#include <algorithm>

#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

constexpr uint32_t kBlocksPerFile = 131072;  // 1 GiB of 8 KiB pages
constexpr size_t kSuspectsMax = 10'000;      // a file of garbage is known to be one by then

}  // namespace

void PageWatch::see(const std::string& path, uint64_t page, BytesView bytes) {
  const auto file = parse_relation_path(path);
  if (!file) return;
  const uint32_t block = file->segment_file * kBlocksPerFile + static_cast<uint32_t>(page);
  if (page_is_good(bytes, block) || (!page_is_new(bytes) && page_lsn(bytes) >= backup_start_)) return;
  auto suspects = suspects_.lock();
  if (suspects->size() < kSuspectsMax) suspects->push_back({*file, {path, block, false}});
}

Result<std::vector<PageError>> PageWatch::judge(const LogReader& log, Timeline timeline, Lsn from, Lsn to,
                                                SegmentSize segment_size) {
  auto suspects = suspects_.lock();
  std::vector<PageError> errors;
  if (suspects->empty()) return errors;
  WalParser parser({segment_size, true, false, 0}, segment_size.floor(from), [&](const WalEvent& event) {
    for (const BlockImage& image : event.images)
      for (Suspect& suspect : *suspects)
        if (suspect.file.relation == image.relation && suspect.file.database == image.database &&
            suspect.file.fork == image.fork && suspect.error.block == image.block)
          suspect.error.excused = true;
  });
  for (Lsn at = segment_size.floor(from); at < to;) {
    const uint64_t piece = std::min<uint64_t>(to - at, 1u << 20);
    DR_TRY(const Bytes bytes, log.read(timeline, at.value, piece));
    DR_OK(parser.feed(bytes));
    at = at + piece;
  }
  for (const Suspect& suspect : *suspects) errors.push_back(suspect.error);
  std::ranges::sort(errors, {}, [](const PageError& error) { return std::pair(error.path, error.block); });
  return errors;
}

}  // namespace daruma::postgres
