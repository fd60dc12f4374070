#include "service/base64url.h"

#include <array>

namespace daruma::service {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> kValues = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return values;
}();

Error not_base64url() { return {Errc::kInvalid, "not base64url"}; }

}  // namespace

std::string to_base64url(BytesView bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int waiting = 0;  // bits not written yet, the lowest of `bits`
  for (const std::byte byte : bytes) {
    bits = bits << 8 | static_cast<uint32_t>(byte);
    for (waiting += 8; waiting >= 6; waiting -= 6) out += kAlphabet[bits >> (waiting - 6) & 63];
  }
  if (waiting > 0) out += kAlphabet[bits << (6 - waiting) & 63];
  return out;
}

Result<std::string> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return not_base64url();
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int waiting = 0;
  for (const char c : text) {
    const int8_t value = kValues[static_cast<uint8_t>(c)];
    if (value < 0) return not_base64url();
    bits = bits << 6 | static_cast<uint32_t>(value);
    waiting += 6;
    if (waiting < 8) continue;
    waiting -= 8;
    out += static_cast<char>(bits >> waiting & 255);
  }
  if ((bits & ((1U << waiting) - 1)) != 0) return not_base64url();
  return out;
}

}  // namespace daruma::service
