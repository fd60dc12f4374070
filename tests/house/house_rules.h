// house_rules.h: the rules of the house that a program can check, as a function from a source file to its
// faults.
//
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace daruma::house {

struct Source {
  std::string path;  // from the root of the repository, e.g. "src/os/clock.h"
  std::string text;
};

struct Fault {
  std::string path;
  size_t line = 0;
  std::string message;  // what is wrong and what to do instead

  std::string text() const { return path + ":" + std::to_string(line) + ": " + message; }
};

// Every fault of one file, by rule and line.
std::vector<Fault> check(const Source& source);

// `text` with comments and the insides of string and character literals replaced by spaces; lines and columns
// stay.
std::string code_only(std::string_view text);

}  // namespace daruma::house
