// Makes the golden repository of format version 1, the same bytes each time (with the same zstd).
//
// Usage: make_golden DIR. Everything but the second snapshot is made by the writers; that one by hand, as a
// later version may write it: an optional feature, a record of unknown kind, frames with prefixes.
#include <fmt/format.h>
#include <zstd.h>

#include "format/dump.h"
#include "format/golden.h"
#include "os/files.h"
#include "repository/log.h"

namespace daruma {
namespace {

constexpr uint64_t kSeed = 2026;
constexpr uint8_t kUnknownKind = 200;

struct MadePack {
  PackSize pack;
  std::vector<Location> records;
};

class Generator {
 public:
  Generator() {
    const Bytes passphrase = *wrap_with_passphrase(key_, golden::kPassphrase, *random_);
    DR_CHECK(Repository::create({"golden", &store_}, key_, clock_, *random_, passphrase).ok());
    repository_ = *Repository::open({{"golden", &store_}}, key_, clock_, *random_);
    writer_ = random_->id<WriterId>();
  }

  MemoryStore::Objects make() {
    clock_.advance(1min);
    first_ = *take_snapshot(*repository_, writer_, golden::first_tree());
    clock_.advance(1h);
    put_later_snapshot();
    put_required_feature();
    put_log();
    const auto tails = *store_.list("tails/");
    for (const ObjectInfo& tail : tails)
      store_.bytes(tail.name).resize(tail.size + 64);  // zeros past its end
    return store_.copy();
  }
  std::string key_file() const { return print_key_file(key_); }
  std::string contents() const { return *golden::dump(*repository_); }

 private:
  MadePack put_pack(const std::vector<Bytes>& records, const Features& features = {}) {
    const auto id = random_->id<PackId>();
    ObjectSealer sealer(repository_->keys(), *random_, ObjectType::kPack, id, pack_name(id), {}, features);
    MadePack made{{id, 0}, {}};
    for (const Bytes& record : records) {
      const auto placed = sealer.append(record);
      made.records.push_back({id, placed.offset, placed.size});
    }
    made.pack.size = sealer.size();
    DR_CHECK(store_.put(pack_name(id), sealer.view(), {}).ok());
    return made;
  }

  // One page, compressed with another frame's bytes as prefix.
  Bytes prefix_frame(const FrameId& id, BytesView page, const LeafMap::Frame& prefix, BytesView prefix_raw) {
    Bytes data(ZSTD_compressBound(page.size()));
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    ZSTD_CCtx_refPrefix(context.get(), prefix_raw.data(), prefix_raw.size());
    data.resize(ZSTD_compress2(context.get(), data.data(), data.size(), page.data(), page.size()));
    ByteWriter out;
    out.put(static_cast<uint8_t>(RecordKind::kFrame));
    out.put(uint8_t{2});
    out.put(uint16_t{1});
    out.put(static_cast<uint32_t>(page.size()));
    out.put_bytes(id.view());
    out.put_bytes(prefix.id.view());
    put_location(out, prefix.location);
    out.put(static_cast<uint16_t>(page.size() - 1));
    out.put_bytes(data);
    return out.take();
  }

  void put_later_snapshot() {
    const auto parent = *SnapshotReader::open(*repository_, first_);
    const FileEntry old_entry = *parent->find("base/16384");
    const LeafMap& old_leaf = old_entry.inline_leaf;
    const LeafMap::Frame old_frame = old_leaf.frames[old_leaf.pages[0].frame];
    const Keys& keys = repository_->keys();
    const Bytes file = golden::later_tree().at("base/16384").bytes;
    const auto page = [&](size_t number) { return BytesView(file).subspan(number * kPageSize, kPageSize); };
    const PageHash hash0 = keys.page_hash(page(0));
    const PageHash hash1 = keys.page_hash(page(1));
    const FrameId id0 = frame_id(keys, {hash0});
    const FrameId id1 = frame_id(keys, {hash1});

    const Bytes unknown(5, static_cast<std::byte>(kUnknownKind));
    const Bytes old_raw = raw_of(old_frame);
    const Features later{{}, {"later-records"}};
    const MadePack below = put_pack({unknown, prefix_frame(id0, page(0), old_frame, old_raw)}, later);
    const LeafMap::Frame frame0{id0, below.records[1]};
    const MadePack above = put_pack({prefix_frame(id1, page(1), frame0, page(0))}, later);
    const LeafMap::Frame frame1{id1, above.records[0]};
    put_index({frame0, frame1});

    FileEntry entry = old_entry;
    entry.inline_leaf.frames = {frame0, frame1, old_frame};
    entry.inline_leaf.pages = {
        {hash0, 0, 0}, {hash1, 1, 0}, {old_leaf.pages[2].hash, 2, old_leaf.pages[2].slot}};
    const MadePack maps = put_maps(entry);
    PackSize old_pack;
    for (const PackSize& pack : first_.packs)
      if (pack.pack == old_frame.location.pack) old_pack = pack;
    DR_CHECK(
        repository_->append_commit(writer_, commit_, {below.pack, above.pack, maps.pack, old_pack}).ok());
  }

  Bytes raw_of(const LeafMap::Frame& frame) {
    struct NoPrefixes final : PrefixSource {
      Result<Bytes> raw_of(const FrameId&, const Location&) override { return Error{Errc::kFailed, "none"}; }
    } none;
    return decode_frame(*repository_->read_record(frame.location), none)->raw;
  }

  void put_index(const std::vector<LeafMap::Frame>& frames) {
    ByteWriter body;
    body.put(static_cast<uint32_t>(frames.size()));
    for (const LeafMap::Frame& frame : frames) {
      body.put_bytes(frame.id.view());
      put_location(body, frame.location);
    }
    const auto id = random_->id<ObjectId>();
    ObjectSealer sealer(repository_->keys(), *random_, ObjectType::kIndex, id, "index/" + id.hex());
    sealer.append(encode_body(RecordKind::kIndex, body.view()));
    DR_CHECK(store_.put("index/" + id.hex(), sealer.view(), {}).ok());
  }

  // The table of one entry, and the manifest in the same pack; fills the commit.
  MadePack put_maps(const FileEntry& entry) {
    const Keys& keys = repository_->keys();
    ByteWriter table;
    put_entry(table, entry);
    // Where the table will be is known: it is the first record of a pack whose id is drawn here.
    const auto id = random_->id<PackId>();
    ObjectSealer sealer(keys, *random_, ObjectType::kPack, id, pack_name(id));
    const auto table_at = sealer.append(encode_body(RecordKind::kTable, table.view()));
    Manifest manifest{random_->id<SnapshotId>(), "bookings", kPageSize,     clock_.now(),
                      clock_.now() + 5s,         1,          3 * kPageSize, 1000,
                      "{\"made\": \"by hand\"}", {}};
    manifest.tables.push_back(
        {{keys.hash(HashDomain::kTable, table.view())}, {id, table_at.offset, table_at.size}, 1});
    const Bytes body = encode_manifest(manifest);
    const auto manifest_at = sealer.append(encode_body(RecordKind::kManifest, body));
    DR_CHECK(store_.put(pack_name(id), sealer.view(), {}).ok());
    commit_.snapshot = manifest.id;
    commit_.datastore = manifest.datastore;
    commit_.kind = "changes";
    commit_.manifest_id = {keys.hash(HashDomain::kManifest, body)};
    commit_.manifest = {id, manifest_at.offset, manifest_at.size};
    commit_.meta = manifest.meta;
    return {{id, sealer.size()}, {}};
  }

  void put_required_feature() {
    PackId id;
    id.bytes.fill(std::byte{0xff});
    ObjectSealer sealer(repository_->keys(), *random_, ObjectType::kPack, id, pack_name(id), {},
                        {{"time-travel"}, {"later-records"}});
    sealer.append(Bytes(5, static_cast<std::byte>(kUnknownKind)));
    DR_CHECK(store_.put(pack_name(id), sealer.view(), {}).ok());
  }

  void put_log() {
    LogWriter::Options options;
    options.stream = golden::kStream;
    options.receiver = "receiver";
    options.piece_bytes = 4096;
    options.seal_in_background = false;
    options.summarize = [](Branch branch, uint64_t position, BytesView bytes) {
      return fmt::format("branch {} at {}: {} bytes", branch, position, bytes.size());
    };
    const auto log = *LogWriter::open(*repository_, options);
    DR_CHECK(log->append(1, 4096, golden::log_bytes(1, 4096, 9000)).ok() && log->close_piece().ok());
    DR_CHECK(log->put_history(2, as_bytes("1\t0/2328\tno recovery target specified\n")).ok());
    for (const uint64_t at : {8192, 8300})
      DR_CHECK(log->append(2, at, golden::log_bytes(2, at, at + 108)).ok() && log->sync().ok());
  }

  MemoryStore store_;
  ManualClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(kSeed);
  const KeyFile key_ = test_key(kSeed);
  std::unique_ptr<Repository> repository_;
  WriterId writer_;
  Repository::StoredCommit first_;
  Commit commit_;
};

Status write_all(const Path& root) {
  const auto fs = real_file_system();
  Generator generator;
  const auto objects = generator.make();
  DR_OK(create_dirs(*fs, root));
  DR_OK(replace_file(*fs, root / "daruma.key", as_bytes(generator.key_file()), 0644));
  DR_OK(replace_file(*fs, root / "contents.txt", as_bytes(generator.contents()), 0644));
  for (const auto& [name, bytes] : objects) {
    const Path path = root / "repository" / name;
    DR_OK(create_dirs(*fs, path.parent_path(), 0755));
    DR_OK(replace_file(*fs, path, bytes, 0644));
  }
  return {};
}

}  // namespace
}  // namespace daruma

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_golden DIR\n");
    return 2;
  }
  const daruma::Status written = daruma::write_all(argv[1]);
  if (!written.ok()) fmt::print(stderr, "make_golden: {}\n", written.error().what);
  return written.ok() ? 0 : 1;
}
