// base/id.h: byte-string identities that cannot be mixed up: Id<struct FrameTag> is not Id<struct PackTag>.
// Threads: plain values.
#pragma once

#include <array>
#include <compare>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace daruma {

template <class Tag, size_t N = 16>
struct Id {
  static constexpr size_t kSize = N;
  std::array<std::byte, N> bytes{};

  auto operator<=>(const Id&) const = default;
  BytesView view() const { return bytes; }
  std::string hex() const { return to_hex(bytes); }
  bool is_zero() const { return *this == Id{}; }

  // kInvalid: not exactly 2*N hex digits.
  static Result<Id> parse(std::string_view hex) {
    DR_TRY(const Bytes raw, from_hex(hex));
    if (raw.size() != N) return Error{Errc::kInvalid, "id '" + std::string(hex) + "' has the wrong length"};
    Id id;
    std::copy(raw.begin(), raw.end(), id.bytes.begin());
    return id;
  }
};

}  // namespace daruma

// Ids are keyed hashes or random: any eight bytes of one are a good hash.
template <class Tag, size_t N>
struct std::hash<daruma::Id<Tag, N>> {
  size_t operator()(const daruma::Id<Tag, N>& id) const noexcept {
    return daruma::load_le<uint64_t>(id.bytes.data());
  }
};
