// repository/commit.h: what makes a snapshot a recovery point: one object in its writer's chain.
//
// Format:  docs/format/commits.md.
// Threads: plain values and pure functions.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "repository/page_map.h"

namespace daruma {

using WriterId = Id<struct WriterTag>;
using CommitHash = Id<struct CommitHashTag, 32>;  // SHA-256 of the whole object

struct PackSize {
  PackId pack;
  uint64_t size = 0;
};

struct Commit {
  WriterId writer;
  uint64_t number = 0;  // from 1
  CommitHash parent;    // zero for number 1
  Instant time;
  SnapshotId snapshot;
  std::string datastore;
  std::string kind;  // "full" or "changes"
  MapId manifest_id;
  Location manifest;
  std::string meta;  // JSON, the datastore's own
};

Bytes encode_commit(const Commit& commit);
Result<Commit> decode_commit(BytesView record);

Bytes encode_packs(const std::vector<PackSize>& packs);  // the clear section
Result<std::vector<PackSize>> decode_packs(BytesView clear_section);

std::string commit_name(const WriterId& writer, uint64_t number);
std::string pack_name(const PackId& pack);
CommitHash hash_object(BytesView object);

}  // namespace daruma
