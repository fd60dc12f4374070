// repository/verify_packs.h: reads packs whole, every record of them once, and checks frames by their pages.
//
// Format:  docs/format/snapshot.md.
// Method:  walk() reads a pack from front to back, so bytes that nobody names are seen too. What a frame's
//          pages are is kept for a while, for the leaf maps that name them; they are asked for in the order
//          in which they were stored, so that a pack is hardly ever read twice.
// Threads: used by one thread.
#pragma once

#include <unordered_map>

#include "repository/verify_run.h"

namespace daruma {

// The frames that the index says are in a pack.
class FrameIndex {
 public:
  // Reads an index object; damage and left-overs are reported.
  void read(VerifyRun& run, const std::string& name);
  struct Place {
    uint64_t offset = 0;
    uint64_t id_front = 0;
    auto operator<=>(const Place&) const = default;
  };
  // Whether it names exactly these frames of `pack`; forgets them.
  bool take(const PackId& pack, std::vector<Place> frames);

 private:
  std::map<PackId, std::vector<Place>> packs_;
};

class PackChecker {
 public:
  PackChecker(VerifyRun& run, FrameIndex& index) : run_(run), index_(index) {}

  struct Page {
    PageHash hash;
    uint16_t size_minus_one = 0;
  };
  struct Frame {
    FrameId id;
    std::vector<Page> pages;
  };
  // The frame that a map says is there; valid until the next call. kCorrupt: it is not, and why. Walks its
  // pack first.
  Result<const Frame*> frame(const LeafMap::Frame& wanted);
  // Reports everything that is wrong with a pack. Does nothing the second time.
  void walk(const PackId& pack);

 private:
  struct Object {
    std::string name;
    Bytes bytes;
    std::vector<FrameIndex::Place> frames;
    bool whole = true;
  };
  void walk_records(const PackId& pack, Object& object);
  Status check_record(const PackId& pack, uint64_t offset, const ObjectOpener& opener, BytesView record,
                      Object& object);
  Result<Frame> check_frame(uint64_t offset, BytesView record) const;
  void report(Object& object, const std::string& cause);
  const Frame& keep(const PackId& pack, uint64_t offset, Frame frame);

  VerifyRun& run_;
  FrameIndex& index_;
  std::set<PackId> walked_;
  std::map<std::pair<PackId, uint64_t>, Frame> frames_;
};

}  // namespace daruma
