// repository/log_names.h: the names of a log's objects, printed and strictly parsed.
//
// Format:  docs/format/README.md. What parses prints back to the same name.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "repository/log.h"

namespace daruma {

struct PieceName {
  Branch branch = 0;
  uint64_t position = 0;
  uint32_t length = 0;

  uint64_t end() const { return position + length; }
};

struct TailName {
  std::string receiver;
  Branch branch = 0;
  uint64_t position = 0;
  uint32_t generation = 0;
};

std::string log_prefix(const LogStream& stream);    // of pieces and histories
std::string tails_prefix(const LogStream& stream);  // of every receiver's tails

std::string piece_name(const LogStream& stream, const PieceName& piece);
std::string tail_name(const LogStream& stream, const TailName& tail);
std::string history_name(const LogStream& stream, Branch branch);

// nullopt: not such a name, or one that lies: no byte, more than a piece can hold, an end past the last u64.
std::optional<PieceName> parse_piece_name(const LogStream& stream, std::string_view name);
std::optional<TailName> parse_tail_name(const LogStream& stream, std::string_view name);
std::optional<Branch> parse_history_name(const LogStream& stream, std::string_view name);

// The incarnation in a name that starts with `prefix`, e.g. "log/bookings/".
std::optional<uint64_t> parse_incarnation(std::string_view prefix, std::string_view name);

}  // namespace daruma
