// Fuzzes the readers of records and of the small texts: frames, maps, commits, the key file, heads.
//
// Input:  a byte that picks the reader, then what it reads, as it is when its seal is open.
// Checks: what is accepted is written again as the same bytes; errors are kCorrupt or kInvalid.
#include "fuzz.h"
#include "repository/commit.h"
#include "repository/repository_fixture.h"
#include "repository/verify.h"

namespace daruma {
namespace {

template <class T>
void check_error(const Result<T>& result) {
  FUZZ_CHECK(result.ok() || result.is(Errc::kCorrupt) || result.is(Errc::kInvalid));
}

struct SomePrefix final : PrefixSource {
  Result<Bytes> raw_of(const FrameId&, const Location&) override { return test_bytes(1, kPageSize); }
};

void check_frame(BytesView record) {
  SomePrefix prefixes;
  const auto frame = decode_frame(record, prefixes);
  check_error(frame);
  if (!frame.ok()) return;
  FUZZ_CHECK(frame->pages() >= 1 && frame->pages() <= kFramePages);
  size_t total = 0;
  for (size_t slot = 0; slot < frame->pages(); ++slot) total += frame->page(slot).size();
  FUZZ_CHECK(total == frame->raw.size() && total <= kFrameRawMax);
}

void check_body(BytesView record) {
  for (const RecordKind kind : {RecordKind::kLeaf, RecordKind::kTable, RecordKind::kIndex}) {
    const auto body = decode_body(kind, record);
    check_error(body);
    if (body.ok()) FUZZ_CHECK(*decode_body(kind, encode_body(kind, *body)) == *body);
  }
}

void check_leaf(BytesView body) {
  static const Keys keys(test_key());
  const auto leaf = decode_leaf(body);
  check_error(leaf);
  if (!leaf.ok()) return;
  FUZZ_CHECK(leaf->pages.size() <= kLeafPages);
  FUZZ_CHECK(std::ranges::equal(encode_leaf(*leaf), body));
  FUZZ_CHECK(!leaf_id(keys, *leaf).is_zero());
}

void check_table(BytesView body) {
  const auto entries = decode_table(body);
  check_error(entries);
  if (!entries.ok()) return;
  ByteWriter again;
  for (const FileEntry& entry : *entries) {
    FUZZ_CHECK(is_path_inside(entry.path));
    put_entry(again, entry);
  }
  FUZZ_CHECK(std::ranges::equal(again.view(), body));
}

void check_manifest(BytesView body) {
  const auto manifest = decode_manifest(body);
  check_error(manifest);
  if (manifest.ok()) FUZZ_CHECK(std::ranges::equal(encode_manifest(*manifest), body));
}

void check_commit(BytesView record) {
  const auto commit = decode_commit(record);
  check_error(commit);
  if (commit.ok()) FUZZ_CHECK(std::ranges::equal(encode_commit(*commit), record));
}

void check_packs(BytesView clear) {
  const auto packs = decode_packs(clear);
  check_error(packs);
  if (packs.ok()) FUZZ_CHECK(std::ranges::equal(encode_packs(*packs), clear));
}

void check_key_file(std::string_view text) {
  const auto key = parse_key_file(text);
  check_error(key);
  if (!key.ok()) return;
  const auto again = parse_key_file(print_key_file(*key));
  FUZZ_CHECK(again.ok() && again->repository == key->repository && again->epoch == key->epoch);
  FUZZ_CHECK(std::ranges::equal(again->master.view(), key->master.view()));
}

void check_heads(std::string_view text) {
  const auto heads = parse_heads(text);
  FUZZ_CHECK(heads.ok() || heads.is(Errc::kInvalid));
  if (!heads.ok()) return;
  const auto again = parse_heads(print_heads(*heads));
  FUZZ_CHECK(again.ok() && print_heads(*again) == print_heads(*heads));
}

void check_passphrase(BytesView object) {
  check_error(check_passphrase_object(object, test_key().repository));
}

}  // namespace
}  // namespace daruma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  ByteReader input(BytesView(reinterpret_cast<const std::byte*>(data), size));
  const auto reader = input.get<uint8_t>();
  const BytesView bytes = input.get_bytes(input.left());
  constexpr void (*kBinary[])(BytesView) = {check_frame,    check_body,   check_leaf,  check_table,
                                            check_manifest, check_commit, check_packs, check_passphrase};
  constexpr size_t kReaders = std::size(kBinary) + 2;
  const size_t chosen = reader % kReaders;
  if (chosen < std::size(kBinary))
    kBinary[chosen](bytes);
  else if (chosen == std::size(kBinary))
    check_key_file(as_text(bytes));
  else
    check_heads(as_text(bytes));
  return 0;
}
