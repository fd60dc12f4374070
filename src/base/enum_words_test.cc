#include "base/enum_words.h"

#include <gtest/gtest.h>

namespace daruma {
namespace {

TEST(ErrorWords, StandForTheirCodes) {
  EXPECT_EQ(to_string(Errc::kNotFound), "not_found");
  EXPECT_EQ(to_string(Errc::kCancelled), "cancelled");
  for (const Errc code : {Errc::kFailed, Errc::kInvalid, Errc::kNotFound, Errc::kExists, Errc::kCorrupt,
                          Errc::kUnavailable, Errc::kNoSpace, Errc::kRefused, Errc::kCancelled})
    EXPECT_EQ(errc_named(to_string(code)), code);
  EXPECT_EQ(errc_named("lost"), std::nullopt);
}

}  // namespace
}  // namespace daruma
