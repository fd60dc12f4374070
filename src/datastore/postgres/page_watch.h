// datastore/postgres/page_watch.h: watches page checksums while a backup passes, and judges what failed
// afterwards.
//
// Threads: see() from any number of threads; the rest from one, after the last see().
#pragma once

#include <string>
#include <vector>

#include "base/guarded.h"
#include "datastore/postgres/page.h"
#include "datastore/postgres/snapshot_meta.h"
#include "repository/log.h"

namespace daruma::postgres {

class PageWatch {
 public:
  // Pages changed at or after `backup_start` are excused: replay overwrites them.
  explicit PageWatch(Lsn backup_start) : backup_start_(backup_start) {}

  void see(const std::string& path, uint64_t page, BytesView bytes);

  // What failed and is not excused by its LSN. A page whose full image is in the WAL [from, to) is marked
  // excused.
  Result<std::vector<PageError>> judge(const LogReader& log, Timeline timeline, Lsn from, Lsn to,
                                       SegmentSize segment_size);

 private:
  struct Suspect {
    RelationFile file;
    PageError error;
  };
  const Lsn backup_start_;
  Guarded<std::vector<Suspect>> suspects_;
};

}  // namespace daruma::postgres
