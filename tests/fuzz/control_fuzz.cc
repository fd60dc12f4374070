// Fuzzes the small readers of the PostgreSQL adapter: pg_control, timeline history, names.
//
// Input:  a byte that picks the reader, then what it reads.
// Checks: what is accepted means what it says: written again, it is read as the same.
#include <algorithm>

#include "datastore/postgres/control_file.h"
#include "datastore/postgres/page.h"
#include "datastore/postgres/wal_parser.h"
#include "fuzz.h"

namespace daruma::postgres {
namespace {

void check_control_file(BytesView bytes) {
  const auto file = parse_control_file(bytes);
  FUZZ_CHECK(file.ok() || file.is(Errc::kCorrupt) || file.is(Errc::kInvalid));
  if (file.ok()) FUZZ_CHECK(file->wal_segment_size.valid());
}

// With the CRC made right, so that the fuzzer reaches what lies behind it.
void check_sealed_control_file(BytesView bytes) {
  constexpr size_t kCrcAt = 288;
  Bytes sealed = to_bytes(bytes);
  if (sealed.size() >= kCrcAt + 4) store_le(sealed.data() + kCrcAt, crc32c(BytesView(sealed).first(kCrcAt)));
  check_control_file(sealed);
}

void check_history(std::string_view text) {
  const auto ancestors = parse_history(text);
  FUZZ_CHECK(ancestors.ok() || ancestors.is(Errc::kCorrupt));
  if (!ancestors.ok()) return;
  std::string again;
  for (const TimelineAncestor& ancestor : *ancestors)
    again += std::to_string(ancestor.timeline) + "\t" + to_string(ancestor.left_at) + "\t" + ancestor.reason +
             "\n";
  const auto reread = parse_history(again);
  FUZZ_CHECK(reread.ok() && reread->size() == ancestors->size());
  for (size_t i = 0; i < reread->size(); ++i) {
    FUZZ_CHECK(reread->at(i).timeline == ancestors->at(i).timeline);
    FUZZ_CHECK(reread->at(i).left_at == ancestors->at(i).left_at);
    FUZZ_CHECK(reread->at(i).reason == ancestors->at(i).reason);
  }
}

void check_names(std::string_view text) {
  for (const uint64_t bytes : {1u << 20, 1u << 24, 1u << 30}) {
    const auto segment = parse_segment_name(text, {bytes});
    if (!segment.ok()) continue;
    const auto again = parse_segment_name(segment_name(segment->timeline, segment->number, {bytes}), {bytes});
    FUZZ_CHECK(again.ok() && *again == *segment);
  }
  if (const auto lsn = parse_lsn(text); lsn.ok()) FUZZ_CHECK(*parse_lsn(to_string(*lsn)) == *lsn);
  if (const auto file = parse_relation_path(text)) FUZZ_CHECK(file->fork <= 3 && file->relation != 0);
}

void check_page(BytesView bytes) {
  if (bytes.size() < kPageSize) return;
  const BytesView page = bytes.first(kPageSize);
  FUZZ_CHECK(page_checksum(page, 0) != 0);
  if (!page_is_new(page) && page_is_good(page, 1)) FUZZ_CHECK(!page_is_good(page, 2));
}

}  // namespace
}  // namespace daruma::postgres

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  using namespace daruma::postgres;
  ByteReader input(BytesView(reinterpret_cast<const std::byte*>(data), size));
  const auto reader = input.get<uint8_t>();
  const BytesView bytes = input.get_bytes(input.left());
  switch (reader % 5) {
    case 0:
      check_control_file(bytes);
      break;
    case 1:
      check_sealed_control_file(bytes);
      break;
    case 2:
      check_history(as_text(bytes));
      break;
    case 3:
      check_names(as_text(bytes));
      break;
    case 4:
      check_page(bytes);
      break;
  }
  return 0;
}
