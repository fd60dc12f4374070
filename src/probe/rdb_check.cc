#include "probe/rdb_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace daruma::probe {
namespace {

constexpr uint64_t kPolynomial = 0x95ac9329ac4bc9b5;  // reflected
constexpr size_t kHeadSize = 9;
constexpr std::byte kEndOperation{0xff};

constexpr std::array<uint64_t, 256> make_table() {
  std::array<uint64_t, 256> table{};
  for (uint64_t i = 0; i < table.size(); ++i) {
    uint64_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ kPolynomial : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint64_t, 256> kTable = make_table();

}  // namespace

void RdbCheck::add(BytesView bytes) {
  if (head_.size() < kHeadSize)
    head_ += as_text(bytes.first(std::min(bytes.size(), kHeadSize - head_.size())));
  const uint64_t summed = size_ - std::min<uint64_t>(size_, kEndSize);
  for (const std::byte byte : bytes) {
    if (at_ < summed) {
      crc_ = kTable[(crc_ ^ static_cast<uint64_t>(byte)) & 0xff] ^ crc_ >> 8;
      last_operation_ = byte;
    } else {
      end_.push_back(byte);
    }
    ++at_;
  }
}

std::string RdbCheck::what_is_wrong() const {
  if (at_ != size_) return fmt::format("{} bytes came instead of {}", at_, size_);
  if (!head_.starts_with("REDIS") || end_.size() != kEndSize) return "it does not begin as an RDB file";
  if (last_operation_ != kEndOperation) return "it does not end as an RDB file";
  const auto stored = load_le<uint64_t>(end_.data());
  if (stored != 0 && stored != crc_) return "its check sum does not hold";
  return "";
}

}  // namespace daruma::probe
