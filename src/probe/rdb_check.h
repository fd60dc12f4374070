// probe/rdb_check.h: whether bytes are a whole RDB file of Redis, by its head, its end and its check sum.
//
// Format:  "REDIS" and four digits; …; 0xFF; CRC-64 (Jones, reflected) over all before it, little-endian, or
//          zero where the server has `rdbchecksum no`.
// Threads: a plain value.
#pragma once

#include <string>

#include "base/bytes.h"

namespace daruma::probe {

class RdbCheck {
 public:
  explicit RdbCheck(uint64_t size) : size_(size) {}
  void add(BytesView bytes);
  // After all bytes; "" when nothing is wrong.
  std::string what_is_wrong() const;

 private:
  static constexpr size_t kEndSize = 8;

  uint64_t size_;
  uint64_t at_ = 0;
  uint64_t crc_ = 0;
  std::string head_;
  std::byte last_operation_{};
  Bytes end_;
};

}  // namespace daruma::probe
