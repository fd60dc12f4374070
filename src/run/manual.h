// run/manual.h: a Markdown manual taken apart: sections, lists, code blocks, links, and its head.
//
// As forgiving as a person: what it does not know is text. Lines count from 1.
// Threads: plain values and a pure function.
#pragma once

#include <string>
#include <vector>

#include "run/plan.h"

namespace daruma::run {

struct ManualLine {
  int line = 0;
  std::string text;
};

// A block of code between fences, ``` or ~~~.
struct CodeBlock {
  std::string language;           // "bash", "sql", ""
  std::vector<ManualLine> lines;  // without the fence, and without the fence's indentation
  std::string before = {};        // the text of the list item or paragraph above it
};

// A list under a label, as in "**影響範囲**:".
struct LabelledList {
  int line = 0;
  std::string label;
  std::vector<ManualLine> items;
};

struct ManualSection {
  int line = 0;
  std::string heading;
  std::vector<std::string> above;  // the headings it stands under, outermost first
  std::vector<LabelledList> lists;
  std::vector<CodeBlock> blocks;
};

struct ManualLink {
  int line = 0;
  std::string target;
};

struct Manual {
  Head head;
  int review_line = 0;                  // where the date of the next review stands; 0: nowhere
  std::vector<ManualSection> sections;  // [0] is what stands before the first heading
  std::vector<ManualLink> links;
  std::vector<ManualLine> prose;  // everything outside code
  // The first line of each block of code that nobody says what it is: an indented one, a fence without a
  // language.
  std::vector<ManualLine> unread;
};

Manual read_manual(const std::string& text);

}  // namespace daruma::run
