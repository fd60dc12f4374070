// Fuzzes the envelope: what opens is what was sealed, whole records in order; all else is refused.
//
// Input:  a byte that picks the way, then either an object as it is, or the recipe of one: features, a clear
//         section, records, and what is done to its bytes.
// Checks: errors are kCorrupt or kInvalid; an object that was changed opens as a beginning of itself at most.
#include "fuzz.h"
#include "repository/envelope.h"
#include "repository/repository_fixture.h"

namespace daruma {
namespace {

const std::string kName = "packs/ab/abcd";

struct Opened {
  Features features;
  Bytes clear;
  std::vector<Bytes> records;
};

Result<Opened> open(const Keys& keys, BytesView object, ObjectType type = ObjectType::kPack) {
  DR_TRY(const ObjectOpener opener, ObjectOpener::open(keys, type, kName, object));
  Opened opened{opener.features(), to_bytes(opener.clear_section()), {}};
  RecordCursor cursor(opener, object);
  while (!cursor.at_end()) {
    DR_TRY(Bytes record, cursor.next());
    opened.records.push_back(std::move(record));
  }
  return opened;
}

void check_any_bytes(const Keys& keys, BytesView bytes) {
  for (const ObjectType type : {ObjectType::kRepository, ObjectType::kPack, ObjectType::kTail}) {
    const auto opened = open(keys, bytes, type);
    FUZZ_CHECK(opened.ok() || opened.is(Errc::kCorrupt) || opened.is(Errc::kInvalid));
  }
  if (const auto size = ObjectOpener::header_size(bytes); size.ok()) FUZZ_CHECK(*size >= 118);
}

Bytes take(ByteReader& in) {
  const auto size = in.get<uint8_t>();
  return to_bytes(in.get_bytes(std::min<size_t>(size, in.left())));
}

void change(Bytes& object, ByteReader& in) {
  while (in.left() > 0 && !object.empty()) {
    const auto what = in.get<uint8_t>();
    const size_t at = in.get<uint16_t>() % object.size();
    if (what % 4 == 0)
      object.resize(at);
    else if (what % 4 == 1)
      object.push_back(static_cast<std::byte>(at));
    else
      object[at] ^= static_cast<std::byte>(what | 1);
  }
}

void check_recipe(const Keys& keys, ByteReader in) {
  Features features;
  for (auto count = in.get<uint8_t>() % 3; count > 0; --count) {
    const Bytes name = take(in);
    features.optional.emplace_back(as_text(name));
  }
  const Bytes clear = take(in);
  const auto random = seeded_random(in.get<uint8_t>());
  ObjectSealer sealer(keys, *random, ObjectType::kPack, random->id<ObjectId>(), kName, clear, features);
  std::vector<Bytes> records;
  for (auto count = in.get<uint8_t>() % 5; count > 0; --count) {
    Bytes record = take(in);
    record.push_back(std::byte{1});
    sealer.append(record);
    records.push_back(std::move(record));
  }
  const Bytes object = sealer.take();
  const auto whole = open(keys, object);
  FUZZ_CHECK(whole.ok() && whole->records == records && whole->clear == clear);
  FUZZ_CHECK(whole->features.optional == features.optional);

  Bytes changed = object;
  change(changed, in);
  const auto opened = open(keys, changed);
  if (!opened.ok()) return;
  FUZZ_CHECK(changed.size() <= object.size() && std::equal(changed.begin(), changed.end(), object.begin()));
  FUZZ_CHECK(opened->records.size() <= records.size());
  FUZZ_CHECK(std::equal(opened->records.begin(), opened->records.end(), records.begin()));
}

}  // namespace
}  // namespace daruma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  static const Keys keys(test_key());
  ByteReader input(BytesView(reinterpret_cast<const std::byte*>(data), size));
  if (input.get<uint8_t>() % 2 == 0)
    check_any_bytes(keys, input.get_bytes(input.left()));
  else
    check_recipe(keys, input);
  return 0;
}
