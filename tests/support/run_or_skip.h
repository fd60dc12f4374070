// tests/support/run_or_skip.h: the main function of tests that not every machine can run.
#pragma once

#include <gmock/gmock.h>

#include <cstdio>
#include <string>

namespace daruma {

// `why_not` empty: runs all tests. Else says so and returns 77, which ctest is told to take for skipped.
inline int run_or_skip(int argc, char** argv, const std::string& why_not) {
  testing::InitGoogleMock(&argc, argv);
  if (why_not.empty()) return RUN_ALL_TESTS();
  std::printf("skipped: %s\n", why_not.c_str());
  return 77;
}

}  // namespace daruma
