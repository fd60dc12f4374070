// The file form of a ServerRecording. All integers are little-endian, strings are a u32 length and their
// bytes:
//   magic "DARMREC1", u64 system identifier, u32 server version,
//   u32 n, n settings (string name, string value),
//   u32 n, n tablespaces (u32 oid, string location, u64 size),
//   u64 backup start, u64 backup end,
//   u32 n, n archives (u32 oid, u64 length, bytes),
//   u32 n, n timelines (u32 timeline, u64 start, u64 length, bytes, u64 switched at, string history),
//   u32 CRC-32C of everything before it.
#include <algorithm>

#include "datastore/postgres/replication_twin.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {

namespace {

constexpr std::string_view kMagic = "DARMREC1";

void put_blob(ByteWriter& out, BytesView bytes) {
  out.put(static_cast<uint64_t>(bytes.size()));
  out.put_bytes(bytes);
}

Bytes get_blob(ByteReader& in) {
  const auto size = in.get<uint64_t>();
  return to_bytes(in.get_bytes(size));
}

template <class Container>
void put_count(ByteWriter& out, const Container& container) {
  out.put(static_cast<uint32_t>(container.size()));
}

// Calls `read` as often as the count that comes next says, or until the bytes are at their end.
template <class Read>
void repeat(ByteReader& in, Read read) {
  for (auto left = in.get<uint32_t>(); left > 0 && in.ok(); --left) read();
}

void read_body(ByteReader& in, ServerRecording& out) {
  out.system_identifier = in.get<uint64_t>();
  out.server_version = static_cast<int>(in.get<uint32_t>());
  repeat(in, [&] {
    const std::string name = in.get_string();
    out.settings[name] = in.get_string();
  });
  repeat(in, [&] {
    TablespaceInfo& tablespace = out.tablespaces.emplace_back();
    tablespace.oid = in.get<uint32_t>();
    tablespace.location = in.get_string();
    tablespace.size_bytes = in.get<uint64_t>();
  });
  out.backup_start = {in.get<uint64_t>()};
  out.backup_end = {in.get<uint64_t>()};
  repeat(in, [&] {
    const auto oid = in.get<uint32_t>();
    out.archives[oid] = get_blob(in);
  });
  repeat(in, [&] {
    TimelineRecording& timeline = out.timelines.emplace_back();
    timeline.timeline = in.get<uint32_t>();
    timeline.start = {in.get<uint64_t>()};
    timeline.wal = get_blob(in);
    timeline.switched_at = {in.get<uint64_t>()};
    timeline.history = in.get_string();
  });
}

}  // namespace

bool ServerRecording::consistent() const {
  const auto end_of = [](const TimelineRecording& timeline) { return timeline.start + timeline.wal.size(); };
  const auto archived = [&](const TablespaceInfo& tablespace) { return archives.contains(tablespace.oid); };
  if (timelines.empty() || !std::all_of(tablespaces.begin(), tablespaces.end(), archived)) return false;
  if (backup_end > end_of(timelines[0]) || backup_start < timelines[0].start) return false;
  for (size_t i = 0; i + 1 < timelines.size(); ++i) {
    const Lsn left_at = timelines[i].switched_at;
    const TimelineRecording& next = timelines[i + 1];
    if (left_at > end_of(timelines[i]) || left_at < next.start || left_at > end_of(next)) return false;
    if (next.timeline <= timelines[i].timeline || next.history.empty()) return false;
  }
  return timelines.back().switched_at.is_none() && backup_end >= backup_start;
}

Bytes encode_recording(const ServerRecording& recording) {
  ByteWriter out;
  out.put_bytes(as_bytes(kMagic));
  out.put(recording.system_identifier);
  out.put(static_cast<uint32_t>(recording.server_version));
  put_count(out, recording.settings);
  for (const auto& [name, value] : recording.settings) {
    out.put_string(name);
    out.put_string(value);
  }
  put_count(out, recording.tablespaces);
  for (const TablespaceInfo& tablespace : recording.tablespaces) {
    out.put(tablespace.oid);
    out.put_string(tablespace.location);
    out.put(tablespace.size_bytes);
  }
  out.put(recording.backup_start.value);
  out.put(recording.backup_end.value);
  put_count(out, recording.archives);
  for (const auto& [oid, archive] : recording.archives) {
    out.put(oid);
    put_blob(out, archive);
  }
  put_count(out, recording.timelines);
  for (const TimelineRecording& timeline : recording.timelines) {
    out.put(timeline.timeline);
    out.put(timeline.start.value);
    put_blob(out, timeline.wal);
    out.put(timeline.switched_at.value);
    out.put_string(timeline.history);
  }
  out.put(crc32c(out.view()));
  return out.take();
}

Result<ServerRecording> decode_recording(BytesView bytes) {
  constexpr size_t kCrcSize = sizeof(uint32_t);
  const Error corrupt{Errc::kCorrupt, "not a whole recording of a server",
                      "make it again: script/record-replication"};
  if (bytes.size() < kMagic.size() + kCrcSize) return corrupt;
  const BytesView covered = bytes.first(bytes.size() - kCrcSize);
  if (!as_text(bytes).starts_with(kMagic)) return corrupt;
  if (load_le<uint32_t>(bytes.data() + covered.size()) != crc32c(covered)) return corrupt;

  ServerRecording recording;
  ByteReader in(covered.subspan(kMagic.size()));
  read_body(in, recording);
  if (!in.at_end() || !recording.consistent()) return corrupt;
  return recording;
}

}  // namespace daruma::postgres
