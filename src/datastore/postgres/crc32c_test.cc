// CRC-32C: the published check values, and that every way to compute it agrees.
#include "datastore/postgres/crc32c.h"

#include <gtest/gtest.h>

#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

Bytes counting_bytes(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 167 + (i >> 8));
  return bytes;
}

TEST(Crc32c, MatchesPublishedValues) {  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(Bytes(32, std::byte{0})), 0x8A9136AAu);
  EXPECT_EQ(crc32c(Bytes(32, std::byte{0xFF})), 0x62A8AB43u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, TableAndInstructionAgreeAtEveryLengthAndOffset) {
  if (!has_crc32c_instruction()) GTEST_SKIP() << "this processor has no CRC instruction";
  const Bytes bytes = counting_bytes(300);
  for (size_t from = 0; from < 9; ++from)
    for (size_t size = 0; from + size <= bytes.size(); ++size) {
      const BytesView view = BytesView(bytes).subspan(from, size);
      ASSERT_EQ(crc32c_by_table(view, 0x1234), crc32c_by_instruction(view, 0x1234)) << from << " " << size;
    }
}

TEST(Crc32c, CanBeContinued) {
  const Bytes bytes = counting_bytes(100);
  for (size_t cut = 0; cut <= bytes.size(); ++cut)
    EXPECT_EQ(crc32c(BytesView(bytes).subspan(cut), crc32c(BytesView(bytes).first(cut))), crc32c(bytes));
}

}  // namespace
}  // namespace daruma::postgres
