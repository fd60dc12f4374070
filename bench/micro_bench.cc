// What every byte of a backup or a restore passes through, one step at a time.
//
// Data:  frames of 32 pages that look like pgbench's accounts (half of a row is blanks), frames of random bytes,
//        and the WAL in tests/data/wal. Each result is bytes of pages (or WAL) per second on one core.
// Run:   script/bench --micro
#include <benchmark/benchmark.h>

#include "datastore/postgres/page.h"
#include "datastore/postgres/wal_parser.h"
#include "os/files.h"
#include "repository/frame.h"
#include "repository/key.h"

namespace daruma {
namespace {

constexpr size_t kFrameBytes = kFramePages * kPageSize;
constexpr size_t kRowBytes = 120;

enum class Content : int64_t { kAccounts, kRandom };

Bytes frame_of(Content content) {
  Bytes bytes(kFrameBytes);
  const auto random = seeded_random(1);
  if (content == Content::kRandom) {
    random->fill(bytes);
    return bytes;
  }
  for (size_t row = 0; row + kRowBytes <= bytes.size(); row += kRowBytes) {
    random->fill(std::span(bytes).subspan(row, 3));
    store_le(bytes.data() + row + 28, static_cast<uint32_t>(row / kRowBytes));
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(row) + 36, 84, std::byte{' '});
  }
  return bytes;
}

Keys some_keys() {
  const auto random = seeded_random(2);
  KeyFile file{random->id<RepositoryId>(), 1, {}};
  random->fill(file.master.writable());
  return Keys(file);
}

template <class Work>
void measure(benchmark::State& state, size_t bytes, Work work) {
  for (auto _ : state) benchmark::DoNotOptimize(work());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(bytes));
}

struct NoPrefix final : PrefixSource {
  Result<Bytes> raw_of(const FrameId&, const Location&) override {
    return Error{Errc::kNotFound, "these frames have none"};
  }
};

const std::vector<uint16_t> kWholePages(kFramePages, kPageSize - 1);

void page_hash(benchmark::State& state) {
  const Keys keys = some_keys();
  const Bytes page(kPageSize, std::byte{7});
  measure(state, page.size(), [&] { return keys.page_hash(page); });
}

void page_checksum(benchmark::State& state) {
  const Bytes page(kPageSize, std::byte{7});
  measure(state, page.size(), [&] { return postgres::page_checksum(page, 1); });
}

void encode(benchmark::State& state) {
  const Bytes raw = frame_of(Content{state.range(0)});
  measure(state, raw.size(), [&] { return encode_frame({}, kWholePages, raw); });
  state.counters["stored"] =
      static_cast<double>(encode_frame({}, kWholePages, raw).size()) / static_cast<double>(raw.size());
}

void decode(benchmark::State& state) {
  const Bytes record = encode_frame({}, kWholePages, frame_of(Content{state.range(0)}));
  NoPrefix none;
  measure(state, kFrameBytes, [&] { return decode_frame(record, none).ok(); });
}

void seal(benchmark::State& state) {
  const Keys keys = some_keys();
  const auto random = seeded_random(3);
  const Bytes record = frame_of(Content::kRandom);
  std::optional<ObjectSealer> pack;
  measure(state, record.size(), [&] {
    if (!pack || pack->size() > 16 * record.size())
      pack.emplace(keys, *random, ObjectType::kPack, ObjectId{}, "packs/bench");
    return pack->append(record).offset;
  });
}

void open(benchmark::State& state) {
  const Keys keys = some_keys();
  const auto random = seeded_random(3);
  ObjectSealer pack(keys, *random, ObjectType::kPack, ObjectId{}, "packs/bench");
  const auto placed = pack.append(frame_of(Content::kRandom));
  const auto opener = ObjectOpener::open(keys, ObjectType::kPack, "packs/bench", pack.view());
  const BytesView sealed = pack.view().subspan(placed.offset);
  measure(state, kFrameBytes, [&] { return opener->record(placed.offset, sealed).ok(); });
}

void parse_wal(benchmark::State& state) {
  const auto fs = real_file_system();
  const auto wal = read_file(*fs, Path(DARUMA_TEST_DATA) / "wal/work.wal", kFrameRawMax * 16);
  if (!wal.ok()) return state.SkipWithError(wal.error().what.c_str());
  uint64_t records = 0;
  measure(state, wal->size(), [&] {
    postgres::WalParser parser({{1 << 20}, false, true, 0}, {0xE00000},
                               [&](const postgres::WalEvent&) { ++records; });
    return parser.feed(*wal).ok();
  });
  state.counters["records/s"] = benchmark::Counter(static_cast<double>(records), benchmark::Counter::kIsRate);
}

BENCHMARK(page_hash);
BENCHMARK(page_checksum);
BENCHMARK(encode)->ArgName("random")->Arg(0)->Arg(1);
BENCHMARK(decode)->ArgName("random")->Arg(0)->Arg(1);
BENCHMARK(seal);
BENCHMARK(open);
BENCHMARK(parse_wal);

}  // namespace
}  // namespace daruma
