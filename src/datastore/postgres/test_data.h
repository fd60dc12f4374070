// datastore/postgres/test_data.h: for tests, the bytes that a real server wrote, kept in tests/data (see its
// README.md).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace daruma::postgres {

// The whole file, named relative to tests/data. A test that asks for a file that is not there fails.
inline std::string test_text(const std::string& name) {
  std::ifstream file(std::string(DARUMA_TEST_DATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Bytes test_bytes(const std::string& name) { return to_bytes(as_bytes(test_text(name))); }

}  // namespace daruma::postgres
