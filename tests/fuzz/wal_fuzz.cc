// Fuzzes the WAL parser.
//
// Input:  a byte of options, a byte for the size of the pieces fed, then, as the options say, either raw WAL,
// or a recipe:
//         records (manager, info, u16 size, body) that get right headers and CRCs, so that the fuzzer reaches
//         what lies behind them, and after a record of size 0xFFFF changes (u16 position, value) to the bytes
//         so made.
// Checks: whatever the pieces, the same events and the same end; events in order, inside what was fed; errors
// kCorrupt.
#include <string>
#include <vector>

#include "datastore/postgres/wal_parser.h"
#include "datastore/postgres/wal_test_builder.h"
#include "fuzz.h"

namespace daruma::postgres {
namespace {

constexpr Lsn kStart{1 << 20};
constexpr uint8_t kRaw = 1, kVersion14 = 2, kImages = 4, kOther = 8;

struct Outcome {
  std::vector<WalEvent> events;
  bool failed = false;
  bool at_end = false;
  Lsn last_end;
};

Outcome parse(BytesView bytes, size_t piece, uint8_t options) {
  Outcome out;
  WalParser parser({.segment_size = {1 << 20},
                    .report_images = (options & kImages) != 0,
                    .report_other = (options & kOther) != 0},
                   kStart, [&](const WalEvent& event) { out.events.push_back(event); });
  while (!bytes.empty() && !out.failed) {
    const Lsn before = parser.position();
    const size_t size = std::min(piece, bytes.size());
    const Status status = parser.feed(bytes.first(size));
    bytes = bytes.subspan(size);
    out.failed = !status.ok();
    FUZZ_CHECK(status.ok() ? parser.position() == before + size : status.is(Errc::kCorrupt));
  }
  out.at_end = parser.at_end();
  out.last_end = parser.last_record_end();
  return out;
}

void check_events(const std::vector<WalEvent>& events, size_t fed) {
  Lsn last = kStart;
  for (const WalEvent& event : events) {
    FUZZ_CHECK(event.start >= last && event.start < kStart + fed);
    FUZZ_CHECK(event.end > event.start);
    FUZZ_CHECK(event.name.size() <= 64);
    last = event.end;
  }
}

void check_same(const Outcome& a, const Outcome& b) {
  FUZZ_CHECK(a.failed == b.failed && a.at_end == b.at_end && a.last_end == b.last_end);
  FUZZ_CHECK(a.events.size() == b.events.size());
  for (size_t i = 0; i < a.events.size(); ++i) {
    const WalEvent& x = a.events[i];
    const WalEvent& y = b.events[i];
    FUZZ_CHECK(x.kind == y.kind && x.start == y.start && x.end == y.end && x.xid == y.xid &&
               x.time == y.time);
    FUZZ_CHECK(x.name == y.name && x.redo == y.redo && x.images.size() == y.images.size());
  }
}

Bytes cook(ByteReader& recipe, uint8_t options) {
  WalTestBuilder wal(kStart, options & kVersion14 ? WalTestBuilder::kMagic14 : WalTestBuilder::kMagic15);
  while (recipe.left() > 0 && wal.bytes().size() < 1 << 18) {
    const auto manager = recipe.get<uint8_t>();
    const auto info = recipe.get<uint8_t>();
    const auto size = recipe.get<uint16_t>();
    if (size == 0xFFFF) break;
    wal.record(manager, info, 7, recipe.get_bytes(std::min<size_t>(size, recipe.left())));
  }
  Bytes bytes = wal.bytes();
  while (recipe.left() > 2 && !bytes.empty()) {
    const auto at = recipe.get<uint16_t>();
    bytes[at % bytes.size()] = static_cast<std::byte>(recipe.get<uint8_t>());
  }
  return bytes;
}

}  // namespace
}  // namespace daruma::postgres

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  using namespace daruma::postgres;
  ByteReader input(BytesView(reinterpret_cast<const std::byte*>(data), size));
  const auto options = input.get<uint8_t>();
  const size_t piece = size_t{input.get<uint8_t>()} * 16 + 1;
  if (!input.ok()) return 0;
  const Bytes bytes = options & kRaw ? to_bytes(input.get_bytes(input.left())) : cook(input, options);

  const Outcome whole = parse(bytes, bytes.size(), options);
  check_events(whole.events, bytes.size());
  check_same(whole, parse(bytes, piece, options));
  return 0;
}
