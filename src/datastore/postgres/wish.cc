// --at, from text.
#include <fmt/format.h>

#include <charconv>

#include "datastore/postgres/points.h"

namespace daruma::postgres {
namespace {

using Kind = Wish::Kind;

constexpr size_t kRestorePointNameMax = 63;  // bytes; the server refuses longer ones
constexpr const char* kHint =
    "write latest, immediate, a time with its zone as in 2026-11-22T10:42:07Z, lsn:0/3000148, xid:731 or "
    "name:RESTORE_POINT; 'before:' goes before any of the last four";

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Error invalid(std::string_view text, std::string_view why) {
  return Error{Errc::kInvalid, fmt::format("'{}' names no point: {}", text, why), kHint};
}

// Servers also print transaction ids with the epoch in the upper half; the WAL knows the lower one.
Result<uint32_t> parse_xid(std::string_view text, std::string_view digits) {
  uint64_t wide = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, wide);
  const auto xid = static_cast<uint32_t>(wide);
  if (digits.empty() || error != std::errc() || at != end || xid == 0)
    return invalid(text, fmt::format("'{}' is not a transaction id", digits));
  return xid;
}

Status parse_target(std::string_view rest, Wish& wish) {
  if (take_prefix(rest, "lsn:")) {
    wish.kind = Kind::kLsn;
    const auto lsn = parse_lsn(rest);
    if (!lsn.ok()) return invalid(wish.text, lsn.error().what);
    wish.lsn = *lsn;
  } else if (take_prefix(rest, "xid:")) {
    wish.kind = Kind::kXid;
    DR_TRY(wish.xid, parse_xid(wish.text, rest));
  } else if (take_prefix(rest, "name:")) {
    wish.kind = Kind::kName;
    wish.name = rest;
    if (rest.empty() || rest.size() > kRestorePointNameMax)
      return invalid(wish.text,
                     fmt::format("a restore point's name has 1 to {} bytes", kRestorePointNameMax));
  } else {
    wish.kind = Kind::kTime;
    const auto time = parse_rfc3339(rest);
    if (!time.ok()) return invalid(wish.text, time.error().what);
    wish.time = *time;
  }
  return {};
}

}  // namespace

Result<Wish> parse_wish(std::string_view text) {
  Wish wish;
  wish.text = text;
  if (text == "latest") return wish;
  if (text == "immediate") {
    wish.kind = Kind::kImmediate;
    return wish;
  }
  wish.before = take_prefix(text, "before:");
  if (wish.before && (text == "latest" || text == "immediate"))
    return invalid(wish.text, fmt::format("nothing is just before '{}'", text));
  DR_OK(parse_target(text, wish));
  return wish;
}

}  // namespace daruma::postgres
