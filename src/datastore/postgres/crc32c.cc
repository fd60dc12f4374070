#include "datastore/postgres/crc32c.h"

#include <array>

#include "base/check.h"
#include "datastore/postgres/wal_parser.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace daruma::postgres {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, bits reversed

using Table = std::array<uint32_t, 256>;

// kTables[n][b]: what byte b, followed by n zero bytes, does to the remainder.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t remainder = b;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder & 1 ? kPolynomial : 0);
    tables[0][b] = remainder;
  }
  for (size_t n = 1; n < 8; ++n)
    for (size_t b = 0; b < 256; ++b)
      tables[n][b] = (tables[n - 1][b] >> 8) ^ tables[0][tables[n - 1][b] & 0xFF];
  return tables;
}
constexpr std::array<Table, 8> kTables = make_tables();

}  // namespace

uint32_t crc32c_by_table(BytesView bytes, uint32_t crc) {
  crc = ~crc;
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const uint64_t word = load_le<uint64_t>(at) ^ crc;
    crc = 0;
    for (size_t n = 0; n < 8; ++n) crc ^= kTables[7 - n][(word >> (8 * n)) & 0xFF];
  }
  for (; left > 0; --left, ++at) crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<uint32_t>(*at)) & 0xFF];
  return ~crc;
}

#if defined(__x86_64__)

bool has_crc32c_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

[[gnu::target("sse4.2")]] uint32_t crc32c_by_instruction(BytesView bytes, uint32_t crc) {
  uint64_t remainder = ~crc;
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) remainder = _mm_crc32_u64(remainder, load_le<uint64_t>(at));
  auto narrow = static_cast<uint32_t>(remainder);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, std::to_integer<uint8_t>(*at));
  return ~narrow;
}

#else

bool has_crc32c_instruction() { return false; }

uint32_t crc32c_by_instruction(BytesView bytes, uint32_t crc) {
  DR_CHECK(has_crc32c_instruction());
  return crc32c_by_table(bytes, crc);
}

#endif

uint32_t crc32c(BytesView bytes, uint32_t crc) {
  return has_crc32c_instruction() ? crc32c_by_instruction(bytes, crc) : crc32c_by_table(bytes, crc);
}

}  // namespace daruma::postgres
