// repository/verify_snapshots.h: follows snapshots from their commits down to every page.
//
// Format:  docs/format/snapshot.md.
// Method:  leaf maps that several snapshots share are checked once, unless something is wrong with them.
// Threads: used by one thread.
#pragma once

#include "repository/verify_packs.h"

namespace daruma {

class SnapshotChecker {
 public:
  // `packs` null: what frames hold is not read, only that they can be there.
  SnapshotChecker(VerifyRun& run, PackChecker* packs) : run_(run), packs_(packs) {}

  // Reports what is wrong with the snapshot; counts it, and whether it is good.
  void check(const Repository::StoredCommit& stored);

 private:
  struct SeenLeaf {
    bool good = false;
    std::set<PackId> packs;
  };
  // What is wrong with some pages: nothing when `cause` is empty.
  struct Fault {
    PackId pack;
    std::string cause;
    bool operator==(const Fault&) const = default;
  };

  void check_presence(const std::vector<PackSize>& packs);
  void check_tables(const Manifest& manifest);
  void check_entry(const FileEntry& entry);
  void check_leaf(const FileEntry& entry, uint64_t number);
  std::vector<Fault> page_faults(const FileEntry& entry, uint64_t number, const LeafMap& leaf);
  Fault frame_fault(const LeafMap::Frame& frame) const;
  void check_named(const Repository::StoredCommit& stored);
  void hit(const std::string& object, const std::string& cause, const std::string& place);
  void hit(const Location& location, const Error& error, const std::string& place);

  VerifyRun& run_;
  PackChecker* packs_;
  std::map<std::pair<PackId, uint64_t>, SeenLeaf> leaves_;

  // Of the snapshot that is being checked.
  std::string label_;
  bool good_ = true;
  std::set<PackId> used_;
};

// "snapshot 3f2a… of bookings (2026-11-22T10:00:00Z)"
std::string describe(const Commit& commit);

}  // namespace daruma
