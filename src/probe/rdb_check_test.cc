#include "probe/rdb_check.h"

#include <gtest/gtest.h>

namespace daruma::probe {
namespace {

const std::string kNoData = "REDIS0011\xff";  // all but the check sum

std::string wrong(const std::string& bytes) {
  RdbCheck check(bytes.size());
  // In two parts, as they may come.
  check.add(as_bytes(bytes).first(bytes.size() / 3));
  check.add(as_bytes(bytes).subspan(bytes.size() / 3));
  return check.what_is_wrong();
}

TEST(RdbCheck, TakesAFileWithoutCheckSum) { EXPECT_EQ(wrong(kNoData + std::string(8, '\0')), ""); }

TEST(RdbCheck, RefusesAnotherCheckSum) {
  EXPECT_EQ(wrong(kNoData + "12345678"), "its check sum does not hold");
}

TEST(RdbCheck, RefusesWhatIsNoRdbFile) {
  EXPECT_EQ(wrong(""), "it does not begin as an RDB file");
  EXPECT_EQ(wrong("REDIS"), "it does not begin as an RDB file");
  EXPECT_EQ(wrong("-ERR unknown command\r\n" + std::string(8, '\0')), "it does not begin as an RDB file");
  EXPECT_EQ(wrong("REDIS0011" + std::string(9, '\0')), "it does not end as an RDB file");
}

TEST(RdbCheck, RefusesWhatIsCutShort) {
  RdbCheck check(100);
  check.add(as_bytes("REDIS0011"));
  EXPECT_EQ(check.what_is_wrong(), "9 bytes came instead of 100");
}

}  // namespace
}  // namespace daruma::probe
