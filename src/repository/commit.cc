#include "repository/commit.h"

#include <fmt/format.h>

#include "base/digest.h"

namespace daruma {
namespace {
constexpr uint8_t kSnapshot = 1;
}

Bytes encode_commit(const Commit& commit) {
  ByteWriter out;
  out.put(static_cast<uint8_t>(RecordKind::kCommit));
  out.put(commit.number);
  out.put_bytes(commit.writer.view());
  out.put_bytes(commit.parent.view());
  out.put(static_cast<uint64_t>(commit.time.micros));
  out.put(kSnapshot);
  out.put_bytes(commit.snapshot.view());
  out.put_string(commit.datastore);
  out.put_string(commit.kind);
  out.put_bytes(commit.manifest_id.view());
  put_location(out, commit.manifest);
  out.put_string(commit.meta);
  return out.take();
}

Result<Commit> decode_commit(BytesView record) {
  ByteReader in(record);
  Commit commit;
  const auto kind = in.get<uint8_t>();
  commit.number = in.get<uint64_t>();
  commit.writer.bytes = in.get_array<16>();
  commit.parent.bytes = in.get_array<32>();
  commit.time = {static_cast<int64_t>(in.get<uint64_t>())};
  const auto what = in.get<uint8_t>();
  commit.snapshot.bytes = in.get_array<16>();
  commit.datastore = in.get_string();
  commit.kind = in.get_string();
  commit.manifest_id.bytes = in.get_array<16>();
  commit.manifest = get_location(in);
  commit.meta = in.get_string();
  if (!in.at_end() || kind != static_cast<uint8_t>(RecordKind::kCommit) || what != kSnapshot)
    return Error{Errc::kCorrupt, "this record is not a snapshot's commit"};
  return commit;
}

Bytes encode_packs(const std::vector<PackSize>& packs) {
  ByteWriter out;
  out.put(static_cast<uint32_t>(packs.size()));
  for (const PackSize& pack : packs) {
    out.put_bytes(pack.pack.view());
    out.put(pack.size);
  }
  return out.take();
}

Result<std::vector<PackSize>> decode_packs(BytesView clear_section) {
  ByteReader in(clear_section);
  const auto count = in.get<uint32_t>();
  if (!in.ok() || in.left() != uint64_t{count} * 24)
    return Error{Errc::kCorrupt, "a commit's list of packs is cut"};
  std::vector<PackSize> packs(count);
  for (PackSize& pack : packs) {
    pack.pack.bytes = in.get_array<16>();
    pack.size = in.get<uint64_t>();
  }
  return packs;
}

std::string commit_name(const WriterId& writer, uint64_t number) {
  return fmt::format("commits/{}/{:016x}", writer.hex(), number);
}

std::string pack_name(const PackId& pack) {
  const std::string hex = pack.hex();
  return fmt::format("packs/{}/{}", hex.substr(0, 2), hex);
}

CommitHash hash_object(BytesView object) { return {sha256(object)}; }

}  // namespace daruma
