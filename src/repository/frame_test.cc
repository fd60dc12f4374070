// Frames and bodies come back as they were, whatever they hold; sizes that lie are found before they cost.
#include "repository/frame.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

struct NoPrefixes : PrefixSource {
  Result<Bytes> raw_of(const FrameId&, const Location&) override { return Error{Errc::kNotFound, "none"}; }
};

class FrameTest : public testing::Test {
 protected:
  Bytes encode(const std::vector<size_t>& page_sizes, BytesView raw) {
    std::vector<uint16_t> sizes;
    for (const size_t size : page_sizes) sizes.push_back(static_cast<uint16_t>(size - 1));
    return encode_frame(id_, sizes, raw);
  }
  Result<DecodedFrame> decode(BytesView record) { return decode_frame(record, no_prefixes_); }

  const FrameId id_ = seeded_random(3)->id<FrameId>();
  NoPrefixes no_prefixes_;
};

TEST_F(FrameTest, PagesComeBackInTheirSlots) {
  const Bytes raw = test_pages({1, 2, 3});
  const auto frame = decode(encode({8192, 8192, 8192}, raw));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->id, id_);
  ASSERT_EQ(frame->pages(), 3u);
  EXPECT_EQ(to_bytes(frame->page(1)), test_pages({2}));
}

TEST_F(FrameTest, PagesMayBeShortAndOfAnyLength) {
  const Bytes raw = test_bytes(1, 1 + 8192 + 17);
  const auto frame = decode(encode({1, 8192, 17}, raw));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->page(0).size(), 1u);
  EXPECT_EQ(frame->page(2).size(), 17u);
  EXPECT_EQ(frame->raw, raw);
}

TEST_F(FrameTest, BytesThatDoNotCompressAreStoredRaw) {
  const Bytes raw = test_bytes(1, 8192);
  const Bytes record = encode({8192}, raw);
  EXPECT_EQ(record[1], std::byte{0});
  EXPECT_EQ(record.size(), 24 + 2 + 8192u);
  EXPECT_EQ(decode(record)->raw, raw);
}

TEST_F(FrameTest, CutAnywhereItIsCorrupt) {
  const Bytes record = encode({8192, 8192}, test_pages({1, 2}));
  for (size_t size = 0; size < record.size(); ++size)
    EXPECT_TRUE(decode(BytesView(record).first(size)).is(Errc::kCorrupt)) << "cut to " << size;
}

TEST_F(FrameTest, SizesThatLieAreCorrupt) {
  const Bytes good = encode({8192, 8192}, test_pages({1, 2}));
  for (const uint32_t raw_size : {0u, 16383u, 16385u, kFrameRawMax, kFrameRawMax + 1, 0xffffffffu}) {
    Bytes record = good;
    store_le(record.data() + 4, raw_size);
    EXPECT_TRUE(decode(record).is(Errc::kCorrupt)) << raw_size;
  }
  for (const uint16_t pages : {0, 1, 3, 33, 65535}) {
    Bytes record = good;
    store_le(record.data() + 2, pages);
    EXPECT_TRUE(decode(record).is(Errc::kCorrupt)) << pages;
  }
}

TEST_F(FrameTest, AnUnknownCodecIsRefusedByNumber) {
  Bytes record = encode({8192}, test_pages({1}));
  record[1] = std::byte{77};
  const auto frame = decode(record);
  ASSERT_TRUE(frame.is(Errc::kInvalid));
  EXPECT_EQ(frame.error().what, "codec 77 is not known to this program");
}

// Codec 2 is read, though this version does not write it.
class PrefixFrameTest : public FrameTest, public PrefixSource {
 protected:
  Bytes encode_with_prefix(BytesView raw, BytesView prefix) {
    Bytes data(ZSTD_compressBound(raw.size()));
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size());
    data.resize(ZSTD_compress2(context.get(), data.data(), data.size(), raw.data(), raw.size()));
    ByteWriter out;
    out.put(static_cast<uint8_t>(RecordKind::kFrame));
    out.put(uint8_t{2});
    out.put(uint16_t{1});
    out.put(static_cast<uint32_t>(raw.size()));
    out.put_bytes(id_.view());
    out.put_bytes(prefix_id_.view());
    put_location(out, prefix_location_);
    out.put(static_cast<uint16_t>(raw.size() - 1));
    out.put_bytes(data);
    return out.take();
  }
  Result<Bytes> raw_of(const FrameId& id, const Location& location) override {
    EXPECT_EQ(id, prefix_id_);
    EXPECT_EQ(location, prefix_location_);
    return prefix_;
  }

  const FrameId prefix_id_ = seeded_random(4)->id<FrameId>();
  const Location prefix_location_{seeded_random(5)->id<PackId>(), 118, 9000};
  Bytes prefix_ = test_bytes(1, 8192);
};

TEST_F(PrefixFrameTest, IsDecodedWithItsPrefix) {
  Bytes raw = prefix_;
  raw[4000] ^= std::byte{1};
  const Bytes record = encode_with_prefix(raw, prefix_);
  ASSERT_LT(record.size(), 500u);  // it does say "as before"
  const auto frame = decode_frame(record, *this);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->raw, raw);
}

TEST_F(PrefixFrameTest, ADecodeAfterItIsNotMisledByThePrefix) {
  const Bytes record = encode_with_prefix(prefix_, prefix_);
  ASSERT_TRUE(decode_frame(record, *this).ok());
  EXPECT_EQ(decode(encode({8192}, test_pages({5})))->raw, test_pages({5}));
}

TEST_F(PrefixFrameTest, WithoutItsPrefixItIsAnError) {
  EXPECT_TRUE(decode(encode_with_prefix(prefix_, prefix_)).is(Errc::kNotFound));
}

TEST(BodyTest, ComesBackAsItWas) {
  for (const Bytes& raw : {Bytes{}, test_bytes(1, 1), test_bytes(2, 5000), test_pages({1, 1, 1})})
    EXPECT_EQ(*decode_body(RecordKind::kLeaf, encode_body(RecordKind::kLeaf, raw)), raw);
}

TEST(BodyTest, OfAnotherKindIsCorrupt) {
  const Bytes record = encode_body(RecordKind::kLeaf, test_pages({1}));
  EXPECT_TRUE(decode_body(RecordKind::kTable, record).is(Errc::kCorrupt));
}

TEST(BodyTest, CutAnywhereIsCorrupt) {
  const Bytes record = encode_body(RecordKind::kLeaf, test_pages({1}));
  for (size_t size = 0; size < record.size(); ++size)
    EXPECT_TRUE(decode_body(RecordKind::kLeaf, BytesView(record).first(size)).is(Errc::kCorrupt)) << size;
}

TEST(BodyTest, ARawSizeThatIsALieIsCorruptAndCostsNoMemory) {
  for (const uint32_t raw_size : {8191u, 64u << 20, (64u << 20) + 1, 0xffffffffu}) {
    Bytes record = encode_body(RecordKind::kLeaf, test_pages({1}));
    store_le(record.data() + 2, raw_size);
    EXPECT_TRUE(decode_body(RecordKind::kLeaf, record).is(Errc::kCorrupt)) << raw_size;
  }
}

}  // namespace
}  // namespace daruma
