// cli/invocation.h: the words of a command line, taken apart by the table of commands.
//
// Threads: plain values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/file_system.h"

namespace daruma {

struct CommandRow;

// One call of one command. Options and arguments are those of its row: present where required, numbers where
// the row wants numbers, one of the choices where it lists them.
struct Invocation {
  const CommandRow* command = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> options = {};
  std::vector<std::string> arguments = {};

  bool has(std::string_view option) const;
  // The last value given; nullopt: the option was not.
  std::optional<std::string> value(std::string_view option) const;
  std::optional<Path> path(std::string_view option) const;
  // Of an option that takes a number.
  std::optional<uint32_t> number(std::string_view option) const;
  // Of an option that may be repeated: all, in order.
  std::vector<std::string> values(std::string_view option) const;
  // Of a repeated option of the form KEY=VALUE.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view option) const;
};

struct ParsedLine {
  bool json = false;                    // known even when the rest is wrong
  const CommandRow* command = nullptr;  // the command meant, if it is one, even when the rest is wrong
  Result<Invocation> invocation = Invocation{};
};

// `arguments` are those after the program's name. Options may stand before or after the command and its
// arguments, as
// "--at TIME" or "--at=TIME"; "--" ends them. --help anywhere makes it `help COMMAND`, --version `version`;
// no words at all make it `help`. kInvalid: anything the table does not know, with the nearest word it knows.
ParsedLine parse_line(const std::vector<std::string>& arguments);

}  // namespace daruma
