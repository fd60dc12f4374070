// repository/map_builder.h: seals frames into packs, and builds leaf maps, file tables and the manifest as
// they settle.
//
// Format:  docs/format/snapshot.md.  Order: a map pack is handed over only after the frame packs it names.
// Method:  frames arrive in number order; a leaf waits until the last new frame it names has a place. Only
// leaves under
//          way are kept, so memory does not grow with the data.
// Threads: take() and finish() from one thread; status() and bytes_stored() from any.
#pragma once

#include <deque>
#include <future>
#include <map>
#include <set>
#include <variant>

#include "repository/pack_writer.h"
#include "repository/page_map.h"

namespace daruma {

struct EncodedFrame {
  uint64_t number = 0;  // 1, 2, …
  FrameId id;
  Bytes record;
};
struct PendingPage {
  PageHash hash;
  uint64_t new_frame = 0;  // its number; 0: `old_frame` holds it
  LeafMap::Frame old_frame;
  uint16_t slot = 0;
};
struct PendingLeaf {
  std::vector<PendingPage> pages;
  std::optional<LeafRef> parent;  // the parent's leaf at this place: reused when it turns out the same
};
struct EndEntry {};
using MapInput = std::variant<FileEntry, PendingLeaf, EndEntry, std::future<EncodedFrame>>;

class MapBuilder {
 public:
  MapBuilder(Repository& repository, uint64_t pack_bytes);

  // Entries begin with FileEntry, then their leaves, then EndEntry; frames come in between. After a failure
  // input is taken and dropped.
  void take(MapInput input);

  // Everything taken so far is durable when this returns; no entry may be open.
  Status flush();

  struct Finished {
    MapId manifest_id;
    Location manifest;
    std::vector<PackSize> packs;  // new ones
    std::set<PackId> old_packs;   // of earlier snapshots, still needed
  };
  // Everything is durable when this returns; `manifest` gets its counts and tables.
  Result<Finished> finish(Manifest& manifest);

  Status status() const;
  uint64_t bytes_stored() const { return uploader_.bytes_put(); }

 private:
  using Waiting = std::variant<FileEntry, PendingLeaf, EndEntry>;
  Status place(EncodedFrame frame);
  Status settle();  // everything at the front of waiting_ that no longer waits for a frame
  Status settle_leaf(const PendingLeaf& pending);
  LeafMap build_leaf(const PendingLeaf& pending);
  Status end_entry();
  Status end_table();
  Status put_index();
  Result<Location> append_map(BytesView record);
  void fail(const Error& error);

  Repository& repository_;
  Uploader uploader_;
  PackWriter frames_;
  PackWriter maps_;
  mutable Guarded<std::optional<Error>> error_;

  std::deque<Waiting> waiting_;
  std::map<uint64_t, LeafMap::Frame> placed_;  // frames that waiting leaves may name
  uint64_t last_placed_ = 0;
  FileEntry entry_;
  ByteWriter table_;
  uint64_t table_entries_ = 0;
  std::vector<TableRef> tables_;
  uint64_t files_ = 0;
  std::vector<LeafMap::Frame> index_;
  std::set<PackId> old_packs_;
};

}  // namespace daruma
