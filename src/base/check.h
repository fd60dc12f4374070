// base/check.h: assertions that stay on in release. For bugs only; what the environment can do is an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace daruma {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "daruma: bug: %s is false at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace daruma

#define DR_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::daruma::check_failed(#condition, __FILE__, __LINE__))
