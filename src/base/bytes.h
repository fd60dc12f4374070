// base/bytes.h: byte strings, and a writer and a bounds-checked reader of little-endian records.
//
// Format:  every integer Daruma persists is little-endian (docs/format/README.md).
// Threads: plain values.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace daruma {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(BytesView view) { return {view.begin(), view.end()}; }

std::string to_hex(BytesView bytes);
// kInvalid: odd length or a character that is not a lower- or upper-case hex digit.
Result<Bytes> from_hex(std::string_view hex);

// Reads an integer at `at`; the caller has checked that it is inside.
template <std::unsigned_integral T>
T load_le(const std::byte* at) {
  static_assert(std::endian::native == std::endian::little, "a big-endian port needs a byte swap here");
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <std::unsigned_integral T>
void store_le(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// Appends to a byte string it owns.
class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void put(T value) {
    const size_t at = out_.size();
    out_.resize(at + sizeof value);
    store_le(out_.data() + at, value);
  }
  void put_bytes(BytesView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  // u32 length, then the bytes.
  void put_string(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    put_bytes(as_bytes(text));
  }
  size_t size() const { return out_.size(); }
  BytesView view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

// Reads from a view that outlives it. A read past the end returns zero or nothing and makes ok() false for
// good, so a decoder reads everything and asks once.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T get() {
    const BytesView bytes = get_bytes(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{0};
  }
  BytesView get_bytes(size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const BytesView out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  std::string get_string() {
    const auto size = get<uint32_t>();
    return std::string(as_text(get_bytes(size)));
  }
  template <size_t N>
  std::array<std::byte, N> get_array() {
    std::array<std::byte, N> out{};
    const BytesView bytes = get_bytes(N);
    if (bytes.size() == N) std::memcpy(out.data(), bytes.data(), N);
    return out;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  size_t left() const { return rest_.size(); }

 private:
  BytesView rest_;
  bool ok_ = true;
};

}  // namespace daruma
