#include "base/size.h"

#include <gtest/gtest.h>

namespace daruma {
namespace {

TEST(Size, ASizeIsAWholeNumberAndAUnit) {
  EXPECT_EQ(*parse_bytes("4096"), 4096u);
  EXPECT_EQ(*parse_bytes("512MiB"), 512 * kMiB);
  EXPECT_EQ(*parse_bytes("2 GiB"), 2 * kGiB);
}

TEST(Size, AnythingElseIsRefused) {
  for (const char* text : {"", "MiB", "-1", "1.5GiB", "1MB", "1 KiB ", "99999999TiB"})
    EXPECT_TRUE(parse_bytes(text).is(Errc::kInvalid)) << text;
}

}  // namespace
}  // namespace daruma
