// Bytes, hex, and the little-endian records that everything we persist is made of.
#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/id.h"
#include "base/size.h"

namespace daruma {
namespace {

using TestId = Id<struct TestTag>;

TEST(Hex, IsReadBackAsItWasWritten) {
  const Bytes bytes = {std::byte{0x00}, std::byte{0x0f}, std::byte{0xa5}, std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "000fa5ff");
  EXPECT_EQ(*from_hex("000fa5ff"), bytes);
  EXPECT_EQ(*from_hex("000FA5fF"), bytes);
  EXPECT_EQ(*from_hex(""), Bytes{});
}

TEST(Hex, AnythingElseIsInvalid) {
  for (const char* bad : {"0", "000", "0g", "g0", " 00", "0x", "00 ", "-1"})
    EXPECT_TRUE(from_hex(bad).is(Errc::kInvalid)) << bad;
}

TEST(ByteWriter, IntegersAreLittleEndian) {
  ByteWriter writer;
  writer.put(uint8_t{0x01});
  writer.put(uint16_t{0x0302});
  writer.put(uint32_t{0x07060504});
  writer.put(uint64_t{0x0f0e0d0c0b0a0908});
  EXPECT_EQ(to_hex(writer.view()), "0102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(writer.size(), 15u);
}

TEST(ByteReader, ReadsWhatTheWriterWrote) {
  ByteWriter writer;
  writer.put(uint32_t{7});
  writer.put_string("key");
  writer.put_bytes(as_bytes("tail"));
  const Bytes bytes = writer.take();
  ByteReader reader(bytes);
  EXPECT_EQ(reader.get<uint32_t>(), 7u);
  EXPECT_EQ(reader.get_string(), "key");
  EXPECT_EQ(reader.left(), 4u);
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(as_text(reader.get_bytes(4)), "tail");
  EXPECT_TRUE(reader.at_end());
}

TEST(ByteReader, CutAnywhereItSaysSoAndStaysInside) {
  ByteWriter writer;
  writer.put_string("twelve bytes");
  writer.put(uint64_t{1});
  const Bytes whole = writer.take();
  for (size_t size = 0; size < whole.size(); ++size) {
    ByteReader reader(BytesView(whole).first(size));
    reader.get_string();
    EXPECT_EQ(reader.get<uint64_t>(), 0u) << size;
    EXPECT_FALSE(reader.ok()) << size;
    EXPECT_FALSE(reader.at_end()) << size;
  }
}

TEST(ByteReader, ALengthFromDamagedBytesTakesNoMemory) {
  const Bytes bytes = *from_hex("ffffffff00");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.get_string(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, AfterAReadPastTheEndNothingIsReadAnyMore) {
  const Bytes bytes = *from_hex("0102");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.get<uint32_t>(), 0u);
  EXPECT_EQ(reader.get<uint8_t>(), 0u);
  EXPECT_EQ(reader.get_array<2>(), (std::array<std::byte, 2>{}));
  EXPECT_FALSE(reader.ok());
}

TEST(Id, ItsTextIsReadBack) {
  const std::string hex = "000102030405060708090a0b0c0d0e0f";
  EXPECT_EQ(TestId::parse(hex)->hex(), hex);
  EXPECT_FALSE(TestId::parse(hex)->is_zero());
  EXPECT_TRUE(TestId{}.is_zero());
}

TEST(Id, AnotherLengthOrAnotherCharacterIsInvalid) {
  EXPECT_TRUE(TestId::parse("00").is(Errc::kInvalid));
  EXPECT_TRUE(TestId::parse(std::string(34, '0')).is(Errc::kInvalid));
  EXPECT_TRUE(TestId::parse(std::string(31, '0') + "x").is(Errc::kInvalid));
}

TEST(HumanBytes, HasThreeSignificantDigitsAtMost) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(23 * kMiB), "23 MiB");
  EXPECT_EQ(human_bytes(1023 * kKiB), "1.0 MiB");
  EXPECT_EQ(human_bytes(5 * kGiB / 2), "2.5 GiB");
  EXPECT_EQ(human_bytes(~uint64_t{0}), "16384 PiB");
}

}  // namespace
}  // namespace daruma
