// run/shell_script.h: the commands of a shell script in a manual, as far as they can be told without a shell.
//
// Knows words, quotes, comments, pipes, redirections, lists, `for` over literal items, `if`, `cd`, and texts
// given by "<<EOF". Nothing is ever run. What it cannot tell is left in the words as it is written.
// Threads: plain values and a pure function.
#pragma once

#include <string>
#include <vector>

#include "run/manual.h"

namespace daruma::run {

struct ShellWord {
  std::string text;     // without its quotes
  bool quoted = false;  // some of it stood in quotes
};

// What stands between two pipes.
struct SimpleCommand {
  std::vector<ShellWord> words;
  std::vector<std::string> outputs = {};  // files that it writes to, by > and >>

  std::string word(size_t at) const { return at < words.size() ? words[at].text : ""; }
  bool has(std::string_view word) const;
  // The word after this one, as in -n 100, or its rest, as in --tail=100.
  std::string after(std::string_view option) const;
};

struct ShellCommand {
  int line = 0;
  std::string text;                 // as it is written, on one line
  std::vector<SimpleCommand> pipe;  // at least one
  std::string comment = {};         // the last one above it
  int comment_line = 0;
  std::string folder = {};         // where `cd` has led to
  std::string loop_variable = {};  // inside a `for`
  std::vector<std::string> loop_items = {};
  bool condition = false;  // of an `if`
  bool cut_url = false;    // an unquoted & ends the URL that a person meant

  const SimpleCommand& first() const { return pipe.front(); }
};

struct ShellScript {
  std::vector<ShellCommand> commands;
  std::vector<ManualLine> comments;
  bool stops_at_errors = false;  // set -e
  bool reads_arguments = false;  // $1, $@, ...
};

ShellScript read_script(const std::vector<ManualLine>& lines);

}  // namespace daruma::run
