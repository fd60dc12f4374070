#include "repository/log_names.h"

#include <fmt/format.h>

#include <limits>

namespace daruma {
namespace {

// Takes exactly the digits of a T from the front of `text`, and `after` behind them.
template <std::unsigned_integral T>
std::optional<T> take_hex(std::string_view& text, std::string_view after) {
  constexpr size_t kDigits = 2 * sizeof(T);
  if (text.size() < kDigits + after.size() || text.substr(kDigits, after.size()) != after) return {};
  uint64_t value = 0;
  for (const char c : text.substr(0, kDigits)) {
    const size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return {};
    value = value << 4 | digit;
  }
  text.remove_prefix(kDigits + after.size());
  return static_cast<T>(value);
}

bool take_prefix(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string LogStream::path() const { return fmt::format("{}/{:016x}", datastore, incarnation); }

std::string log_prefix(const LogStream& stream) { return "log/" + stream.path() + "/"; }
std::string tails_prefix(const LogStream& stream) { return "tails/" + stream.path() + "/"; }

std::string piece_name(const LogStream& stream, const PieceName& piece) {
  return fmt::format("{}{:08x}/{:016x}-{:08x}", log_prefix(stream), piece.branch, piece.position,
                     piece.length);
}

std::string tail_name(const LogStream& stream, const TailName& tail) {
  return fmt::format("{}{}/{:08x}-{:016x}-{:08x}", tails_prefix(stream), tail.receiver, tail.branch,
                     tail.position, tail.generation);
}

std::string history_name(const LogStream& stream, Branch branch) {
  return fmt::format("{}history/{:08x}", log_prefix(stream), branch);
}

std::optional<PieceName> parse_piece_name(const LogStream& stream, std::string_view name) {
  if (!take_prefix(name, log_prefix(stream))) return {};
  const auto branch = take_hex<uint32_t>(name, "/");
  const auto position = branch ? take_hex<uint64_t>(name, "-") : std::nullopt;
  const auto length = position ? take_hex<uint32_t>(name, "") : std::nullopt;
  if (!length || !name.empty()) return {};
  if (*length == 0 || *length > kPieceMax || *position > std::numeric_limits<uint64_t>::max() - *length)
    return {};
  return PieceName{*branch, *position, *length};
}

std::optional<TailName> parse_tail_name(const LogStream& stream, std::string_view name) {
  if (!take_prefix(name, tails_prefix(stream))) return {};
  const size_t slash = name.find('/');
  if (slash == 0 || slash == std::string_view::npos) return {};
  const std::string_view receiver = name.substr(0, slash);
  name.remove_prefix(slash + 1);
  const auto branch = take_hex<uint32_t>(name, "-");
  const auto position = branch ? take_hex<uint64_t>(name, "-") : std::nullopt;
  const auto generation = position ? take_hex<uint32_t>(name, "") : std::nullopt;
  if (!generation || !name.empty()) return {};
  if (*position > std::numeric_limits<uint64_t>::max() - kPieceMax) return {};
  return TailName{std::string(receiver), *branch, *position, *generation};
}

std::optional<Branch> parse_history_name(const LogStream& stream, std::string_view name) {
  if (!take_prefix(name, log_prefix(stream) + "history/")) return {};
  const auto branch = take_hex<uint32_t>(name, "");
  return name.empty() ? branch : std::nullopt;
}

std::optional<uint64_t> parse_incarnation(std::string_view prefix, std::string_view name) {
  if (!take_prefix(name, prefix)) return {};
  return take_hex<uint64_t>(name, "/");
}

}  // namespace daruma
