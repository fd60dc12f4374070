#include "datastore/postgres/wal_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "datastore/postgres/page.h"

namespace daruma::postgres {
namespace {

constexpr size_t kCrcAt = 20;

constexpr uint8_t kManagerXlog = 0;
constexpr uint8_t kManagerTransaction = 1;

// The upper half of the info byte of the XLOG manager's records.
constexpr uint8_t kInfoMask = 0xF0;
constexpr uint8_t kCheckpointShutdown = 0x00;
constexpr uint8_t kCheckpointOnline = 0x10;
constexpr uint8_t kSwitch = 0x40;
constexpr uint8_t kRestorePoint = 0x70;
constexpr uint8_t kEndOfRecovery = 0x90;
constexpr uint8_t kOverwriteContrecord = 0xD0;

// The same of the transaction manager's records, whose top bit says that flags follow.
constexpr uint8_t kTransactionMask = 0x70;
constexpr uint8_t kCommit = 0x00;
constexpr uint8_t kAbort = 0x20;
constexpr uint8_t kCommitPrepared = 0x30;
constexpr uint8_t kAbortPrepared = 0x40;
constexpr uint8_t kHasFlags = 0x80;

// The ids a part's header begins with; up to kBlockIdMax it is a block reference.
constexpr uint8_t kBlockIdMax = 32;
constexpr uint8_t kTopLevelXidId = 252;
constexpr uint8_t kOriginId = 253;
constexpr uint8_t kMainDataLongId = 254;
constexpr uint8_t kMainDataShortId = 255;

constexpr uint8_t kForkMask = 0x0F;
constexpr uint8_t kHasImage = 0x10;
constexpr uint8_t kHasData = 0x20;
constexpr uint8_t kWillInit = 0x40;
constexpr uint8_t kSameRelation = 0x80;
constexpr uint8_t kImageHasHole = 0x01;

constexpr std::array<WalVersion, 5> kVersions = {{
    {.page_magic = 0xD106, .image_applies = 0x04, .image_compressed = 0x02},  // 13
    {.page_magic = 0xD10D, .image_applies = 0x04, .image_compressed = 0x02},  // 14
    {.page_magic = 0xD110, .image_applies = 0x02, .image_compressed = 0x1C},  // 15
    {.page_magic = 0xD113, .image_applies = 0x02, .image_compressed = 0x1C},  // 16
    {.page_magic = 0xD116, .image_applies = 0x02, .image_compressed = 0x1C},  // 17
}};

Error corrupt(std::string what) { return {Errc::kCorrupt, std::move(what)}; }

constexpr int64_t kMicrosPerSecond = 1'000'000;

int64_t add_or_max(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

// PostgreSQL counts microseconds from 2000-01-01, and writes its largest number for "infinity".
Instant from_timestamp(uint64_t micros_since_2000) {
  constexpr int64_t kSecondsTo2000 = 946'684'800;
  return {add_or_max(static_cast<int64_t>(micros_since_2000), kSecondsTo2000 * kMicrosPerSecond)};
}

Instant from_unix_seconds(uint64_t seconds) {
  int64_t micros = 0;
  const bool overflow = __builtin_mul_overflow(static_cast<int64_t>(seconds), kMicrosPerSecond, &micros);
  return {overflow ? std::numeric_limits<int64_t>::max() : micros};
}

struct Parts {
  std::vector<BlockImage> images;
  BytesView main_data;
};

// Reads the headers of a record's parts.
class PartReader {
 public:
  PartReader(BytesView body, const WalVersion& version) : body_(body), reader_(body), version_(version) {}

  Result<Parts> read() {
    uint32_t main_size = 0;
    bool main_seen = false;
    // What is left when the headers are read are the parts' bytes, so their sum says where the headers end.
    while (!main_seen && reader_.left() > data_size_) {
      const auto id = reader_.get<uint8_t>();
      if (id == kMainDataShortId || id == kMainDataLongId) {
        main_size = id == kMainDataShortId ? reader_.get<uint8_t>() : reader_.get<uint32_t>();
        data_size_ += main_size;
        main_seen = true;
      } else if (id == kOriginId) {
        reader_.get<uint16_t>();
      } else if (id == kTopLevelXidId) {
        reader_.get<uint32_t>();
      } else if (id <= kBlockIdMax) {
        DR_OK(read_block(id));
      } else {
        return corrupt(fmt::format("it has a part with the unknown id {}", id));
      }
    }
    if (!reader_.ok() || reader_.left() != data_size_)
      return corrupt("its parts do not add up to its length");
    parts_.main_data = body_.last(main_size);
    return std::move(parts_);
  }

 private:
  Status read_block(uint8_t id) {
    if (id <= last_block_id_)
      return corrupt(fmt::format("block reference {} follows {}", id, last_block_id_));
    last_block_id_ = id;
    const auto flags = reader_.get<uint8_t>();
    const auto size = reader_.get<uint16_t>();
    if ((size != 0) != ((flags & kHasData) != 0))
      return corrupt(
          fmt::format("block reference {} has {} bytes of data and flags {:#04x}", id, size, flags));
    data_size_ += size;

    bool replay_writes_it_anew = (flags & kWillInit) != 0;
    bool stored = false;
    if (flags & kHasImage) {
      DR_TRY(stored, read_image());
      replay_writes_it_anew |= stored;
    }
    if (!(flags & kSameRelation)) {
      block_.tablespace = reader_.get<uint32_t>();
      block_.database = reader_.get<uint32_t>();
      block_.relation = reader_.get<uint32_t>();
      relation_known_ = true;
    } else if (!relation_known_) {
      return corrupt(fmt::format(
          "block reference {} is to the relation of a reference before it, but is the first", id));
    }
    block_.fork = flags & kForkMask;
    block_.block = reader_.get<uint32_t>();
    block_.stored = stored;
    if (replay_writes_it_anew && reader_.ok()) parts_.images.push_back(block_);
    return {};
  }

  // Whether replay uses the image.
  Result<bool> read_image() {
    const auto size = reader_.get<uint16_t>();
    reader_.get<uint16_t>();  // where the hole begins
    const auto flags = reader_.get<uint8_t>();
    if ((flags & kImageHasHole) && (flags & version_.image_compressed))
      reader_.get<uint16_t>();  // size of the hole
    if (size > kPageSize) return corrupt(fmt::format("the image of a page has {} bytes", size));
    data_size_ += size;
    return (flags & version_.image_applies) != 0;
  }

  BytesView body_;
  ByteReader reader_;
  const WalVersion& version_;
  Parts parts_;
  uint64_t data_size_ = 0;
  int last_block_id_ = -1;
  BlockImage block_;
  bool relation_known_ = false;
};

// The xid that a prepared transaction was given when it began: it stands behind whatever else the flags
// announce.
std::optional<uint32_t> prepared_xid(ByteReader& reader, uint32_t flags) {
  constexpr uint32_t kTwoPhase = 1u << 4;
  struct Part {
    uint32_t flag;
    uint32_t fixed_bytes;    // zero: a count of items comes first
    uint32_t bytes_of_item;  // then that many of this size
  };
  constexpr std::array<Part, 5> kPartsBefore = {{
      {1u << 0, 8, 0},   // database and its tablespace
      {1u << 1, 0, 4},   // subtransactions
      {1u << 2, 0, 12},  // relations to delete
      {1u << 8, 0, 12},  // statistics to drop (from 15)
      {1u << 3, 0, 16},  // cache invalidations
  }};
  if (!(flags & kTwoPhase)) return std::nullopt;
  for (const Part& part : kPartsBefore) {
    if (!(flags & part.flag)) continue;
    const uint64_t items = part.fixed_bytes ? 0 : reader.get<uint32_t>();
    reader.get_bytes(part.fixed_bytes + items * part.bytes_of_item);
  }
  return reader.get<uint32_t>();
}

void decode_transaction(uint8_t info, ByteReader& reader, WalEvent& event) {
  const uint8_t operation = info & kTransactionMask;
  if (operation == kCommit || operation == kCommitPrepared) {
    event.kind = WalEvent::Kind::kCommit;
  } else if (operation == kAbort || operation == kAbortPrepared) {
    event.kind = WalEvent::Kind::kAbort;
  } else {
    return;
  }
  event.time = from_timestamp(reader.get<uint64_t>());
  const uint32_t flags = info & kHasFlags ? reader.get<uint32_t>() : 0;
  if (const auto xid = prepared_xid(reader, flags)) event.xid = *xid;
}

void decode_checkpoint(ByteReader& reader, WalEvent& event) {
  event.kind = WalEvent::Kind::kCheckpoint;
  event.redo = {reader.get<uint64_t>()};
  event.timeline = reader.get<uint32_t>();
  event.previous_timeline = reader.get<uint32_t>();
  reader.get_bytes(48);  // next and oldest ids
  event.time = from_unix_seconds(reader.get<uint64_t>());
}

void decode_end_of_recovery(ByteReader& reader, WalEvent& event) {
  event.kind = WalEvent::Kind::kEndOfRecovery;
  event.time = from_timestamp(reader.get<uint64_t>());
  event.timeline = reader.get<uint32_t>();
  event.previous_timeline = reader.get<uint32_t>();
}

void decode_restore_point(ByteReader& reader, WalEvent& event) {
  constexpr size_t kNameBytes = 64;
  event.kind = WalEvent::Kind::kRestorePoint;
  event.time = from_timestamp(reader.get<uint64_t>());
  const std::string_view name = as_text(reader.get_bytes(kNameBytes));
  event.name = name.substr(0, name.find('\0'));
}

void decode_xlog(uint8_t info, ByteReader& reader, WalEvent& event) {
  switch (info & kInfoMask) {
    case kCheckpointShutdown:
    case kCheckpointOnline:
      return decode_checkpoint(reader, event);
    case kSwitch:
      event.kind = WalEvent::Kind::kSwitch;
      return;
    case kRestorePoint:
      return decode_restore_point(reader, event);
    case kEndOfRecovery:
      return decode_end_of_recovery(reader, event);
    default:
      return;
  }
}

}  // namespace

RecordHeader read_record_header(BytesView record) {
  ByteReader reader(record);
  RecordHeader header;
  header.length = reader.get<uint32_t>();
  header.xid = reader.get<uint32_t>();
  header.previous = {reader.get<uint64_t>()};
  header.info = reader.get<uint8_t>();
  header.manager = reader.get<uint8_t>();
  reader.get<uint16_t>();  // padding
  header.crc = reader.get<uint32_t>();
  return header;
}

bool record_crc_matches(BytesView record) {
  const uint32_t crc = crc32c(record.first(kCrcAt), crc32c(record.subspan(kRecordHeaderBytes)));
  return crc == load_le<uint32_t>(record.data() + kCrcAt);
}

const WalVersion* find_wal_version(uint16_t page_magic) {
  const auto found = std::find_if(kVersions.begin(), kVersions.end(),
                                  [&](const WalVersion& v) { return v.page_magic == page_magic; });
  return found == kVersions.end() ? nullptr : &*found;
}

bool is_segment_switch(const RecordHeader& header) {
  return header.manager == kManagerXlog && (header.info & kInfoMask) == kSwitch;
}

bool may_be_reported_by_kind(const RecordHeader& header) {
  return header.manager == kManagerXlog || header.manager == kManagerTransaction;
}

Result<WalEvent> decode_record(BytesView whole, const WalVersion& version) {
  const RecordHeader header = read_record_header(whole);
  DR_TRY(Parts parts, PartReader(whole.subspan(kRecordHeaderBytes), version).read());

  WalEvent event;
  event.kind = WalEvent::Kind::kOther;
  event.xid = header.xid;
  event.images = std::move(parts.images);
  if (!event.images.empty()) event.kind = WalEvent::Kind::kFullPageImages;

  ByteReader reader(parts.main_data);
  if (header.manager == kManagerXlog) decode_xlog(header.info, reader, event);
  if (header.manager == kManagerTransaction) decode_transaction(header.info, reader, event);
  if (!reader.ok())
    return corrupt(
        fmt::format("its main data of {} bytes is too short for a record of manager {} and info {:#04x}",
                    parts.main_data.size(), header.manager, header.info));
  return event;
}

std::optional<Lsn> aborted_record_named_by(BytesView whole, const WalVersion& version) {
  const RecordHeader header = read_record_header(whole);
  if (header.manager != kManagerXlog || (header.info & kInfoMask) != kOverwriteContrecord)
    return std::nullopt;
  const auto parts = PartReader(whole.subspan(kRecordHeaderBytes), version).read();
  if (!parts.ok() || parts->main_data.size() < sizeof(uint64_t)) return std::nullopt;
  return Lsn{load_le<uint64_t>(parts->main_data.data())};
}

}  // namespace daruma::postgres
