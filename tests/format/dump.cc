#include "format/dump.h"

#include <fmt/format.h>

#include <functional>

#include "repository/log_objects.h"

namespace daruma::golden {
namespace {

std::string show(const Location& location) {
  return fmt::format("{}@{}+{}", location.pack.hex(), location.offset, location.size);
}

std::string show(BytesView bytes) {
  return fmt::format("{} bytes, sha256 {}", bytes.size(), hash_object(bytes).hex().substr(0, 16));
}

// Text without what would break a line.
std::string show_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c >= ' ' && c < '\x7f' ? std::string(1, c) : fmt::format("\\x{:02x}", c & 0xff);
  return "'" + out + "'";
}

std::string show(const LeafMap& leaf) {
  std::string out;
  for (const LeafMap::Frame& frame : leaf.frames)
    out += fmt::format("      frame {} at {}\n", frame.id.hex(), show(frame.location));
  for (const LeafMap::Page& page : leaf.pages)
    out += fmt::format("      page {} frame {} slot {}\n", page.hash.hex(), page.frame, page.slot);
  return out;
}

std::string show(const FileEntry& entry) {
  std::string out = fmt::format("    {} type {} mode {:o} modified {} size {} target {}\n",
                                show_text(entry.path), static_cast<int>(entry.type), entry.mode,
                                entry.modified.micros, entry.size, show_text(entry.target));
  if (entry.has_inline_leaf) out += show(entry.inline_leaf);
  for (const LeafRef& leaf : entry.leaves)
    out += fmt::format("      leaf {} at {}\n", leaf.id.hex(), show(leaf.location));
  return out;
}

class Dumper {
 public:
  explicit Dumper(const Repository& repository) : repository_(repository) {}

  Result<std::string> dump() {
    DR_TRY(const auto objects, repository_.store().list(""));
    for (const ObjectInfo& object : objects) DR_OK(dump_object(object.name));
    return std::move(out_);
  }

 private:
  static ObjectType type_of(BytesView object) { return static_cast<ObjectType>(object[10]); }

  Status dump_object(const std::string& name) {
    DR_TRY(const Bytes object, repository_.store().get(name));
    out_ += fmt::format("{} ({} bytes)\n", name, object.size());
    if (name.starts_with("keys/")) return check_passphrase_object(object, repository_.id());
    const ObjectType type = type_of(object);
    const auto opener = ObjectOpener::open(repository_.keys(), type, name, object);
    if (!opener.ok()) {
      out_ += "  refused: " + opener.error().what + "\n";
      return {};
    }
    out_ += fmt::format("  type {} id {}", static_cast<int>(type), opener->id().hex());
    for (const std::string& feature : opener->features().optional) out_ += " optional " + feature;
    out_ += "\n";
    DR_OK(dump_clear_section(type, opener->clear_section()));
    RecordCursor cursor(*opener, object);
    while (!cursor.at_end()) {
      const uint64_t offset = cursor.offset();
      const auto record = cursor.next();
      if (!record.ok() && type == ObjectType::kTail) break;
      DR_OK(record);
      out_ += fmt::format("  {}: ", offset);
      DR_OK(dump_record(*record));
    }
    return {};
  }

  Status dump_clear_section(ObjectType type, BytesView clear) {
    if (type != ObjectType::kCommit) return {};
    DR_TRY(const auto packs, decode_packs(clear));
    for (const PackSize& pack : packs)
      out_ += fmt::format("  needs {} of {} bytes\n", pack.pack.hex(), pack.size);
    return {};
  }

  Status dump_record(BytesView record) {
    const auto kind = static_cast<RecordKind>(record[0]);
    switch (kind) {
      case RecordKind::kFrame:
        return dump_frame(record);
      case RecordKind::kLeaf:
      case RecordKind::kTable:
      case RecordKind::kManifest:
      case RecordKind::kIndex:
        return dump_map(kind, record);
      case RecordKind::kCommit:
        return dump_commit(record);
      case RecordKind::kSummary:
        return dump_summary(record);
      case RecordKind::kLogBytes:
        return dump_log_bytes(record);
      case RecordKind::kHistory:
        out_ += "history " + show_text(as_text(record.subspan(1))) + "\n";
        return {};
      case RecordKind::kIdentity:
        return dump_identity(record);
      case RecordKind::kNote:
        return dump_note(record);
    }
    out_ += fmt::format("unknown kind {}, {} bytes\n", static_cast<int>(kind), record.size());
    return {};
  }

  struct Prefixes final : PrefixSource {
    explicit Prefixes(Dumper& dumper_in) : dumper(dumper_in) {}
    Result<Bytes> raw_of(const FrameId& id, const Location& location) override {
      dumper.out_ += fmt::format("(prefix {} at {}) ", id.hex(), show(location));
      DR_TRY(const Bytes record, dumper.repository_.read_record(location));
      DR_TRY(DecodedFrame frame, decode_frame(record, *this));
      return std::move(frame.raw);
    }
    Dumper& dumper;
  };

  Status dump_frame(BytesView record) {
    out_ += fmt::format("frame codec {} ", static_cast<int>(record[1]));
    Prefixes prefixes(*this);
    DR_TRY(const DecodedFrame frame, decode_frame(record, prefixes));
    out_ += fmt::format("{} of {} pages, {}\n", frame.id.hex(), frame.pages(), show(frame.raw));
    return {};
  }

  Status dump_map(RecordKind kind, BytesView record) {
    DR_TRY(const Bytes body, decode_body(kind, record));
    if (kind == RecordKind::kLeaf) {
      DR_TRY(const LeafMap leaf, decode_leaf(body));
      out_ += fmt::format("leaf {}\n{}", leaf_id(repository_.keys(), leaf).hex(), show(leaf));
    } else if (kind == RecordKind::kTable) {
      DR_TRY(const auto entries, decode_table(body));
      out_ += "table\n";
      for (const FileEntry& entry : entries) out_ += show(entry);
    } else if (kind == RecordKind::kManifest) {
      DR_TRY(const Manifest manifest, decode_manifest(body));
      out_ +=
          fmt::format("manifest {} of {} pages of {} from {} to {}, {} files, read {}, stored {}, meta {}\n",
                      manifest.id.hex(), manifest.datastore, manifest.page_size, to_rfc3339(manifest.started),
                      to_rfc3339(manifest.ended), manifest.files, manifest.bytes_read, manifest.bytes_stored,
                      manifest.meta);
      for (const TableRef& table : manifest.tables)
        out_ += fmt::format("    table {} at {} of {} entries\n", table.id.hex(), show(table.location),
                            table.entries);
    } else {
      ByteReader in(body);
      out_ += "index\n";
      for (auto count = in.get<uint32_t>(); count > 0; --count) {
        FrameId id;
        id.bytes = in.get_array<16>();
        out_ += fmt::format("    frame {} at {}\n", id.hex(), show(get_location(in)));
      }
      if (!in.at_end()) return Error{Errc::kCorrupt, "an index's count is a lie"};
    }
    return {};
  }

  Status dump_commit(BytesView record) {
    DR_TRY(const Commit commit, decode_commit(record));
    out_ += fmt::format("commit {} of {} at {}, parent {}\n", commit.number, commit.writer.hex(),
                        to_rfc3339(commit.time), commit.parent.hex());
    out_ += fmt::format("    {} snapshot {} of {}, manifest {} at {}, meta {}\n", commit.kind,
                        commit.snapshot.hex(), commit.datastore, commit.manifest_id.hex(),
                        show(commit.manifest), commit.meta);
    return {};
  }

  Status dump_summary(BytesView record) {
    ByteReader in(record);
    in.get<uint8_t>();
    const auto position = in.get<uint64_t>();
    const auto length = in.get<uint32_t>();
    const auto records = in.get<uint32_t>();
    out_ += fmt::format("summary of {} bytes from {} in {} records: {}\n", length, position, records,
                        show_text(in.get_string()));
    return in.at_end() ? Status{} : Error{Errc::kCorrupt, "a summary is longer"};
  }

  Status dump_log_bytes(BytesView record) {
    const auto position = load_le<uint64_t>(record.data() + 2);
    Bytes bytes;
    DR_OK(decode_log_bytes(record, position, kLogRawMax, bytes));
    out_ +=
        fmt::format("log bytes codec {} from {}: {}\n", static_cast<int>(record[1]), position, show(bytes));
    return {};
  }

  Status dump_identity(BytesView record) {
    ByteReader in(record);
    in.get<uint8_t>();
    const Instant made{static_cast<int64_t>(in.get<uint64_t>())};
    const std::string version = in.get_string();
    out_ +=
        fmt::format("identity made {} by {}, passphrase {}\n", to_rfc3339(made), version, in.get<uint8_t>());
    return in.at_end() ? Status{} : Error{Errc::kCorrupt, "an identity is longer"};
  }

  Status dump_note(BytesView record) {
    ByteReader in(record);
    in.get<uint8_t>();
    const auto number = in.get<uint64_t>();
    const std::string writer = to_hex(in.get_bytes(16));
    const Instant time{static_cast<int64_t>(in.get<uint64_t>())};
    const std::string topic = in.get_string();
    out_ += fmt::format("note {} of {} at {} about {}: {}\n", number, writer, to_rfc3339(time),
                        show_text(topic), show_text(in.get_string()));
    return in.at_end() ? Status{} : Error{Errc::kCorrupt, "a note is longer"};
  }

  const Repository& repository_;
  std::string out_;
};

}  // namespace

Result<std::string> dump(const Repository& repository) { return Dumper(repository).dump(); }

}  // namespace daruma::golden
