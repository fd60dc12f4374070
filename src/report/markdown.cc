#include <fmt/format.h>

#include "report/document.h"

namespace daruma::report {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

std::string escaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_control(c)) {
      out += ' ';
      continue;
    }
    const bool inside = at > 0 && at + 1 < text.size() && is_word(text[at - 1]) && is_word(text[at + 1]);
    const bool mark = std::string_view("\\`*[]<>|#~&!").find(c) != std::string_view::npos;
    // An underscore inside a word means nothing in Markdown, and names are full of them.
    if (mark || (c == '_' && !inside)) out += '\\';
    out += c;
  }
  // What would begin a list or a rule where a line begins.
  if (!out.empty() && (out[0] == '-' || out[0] == '+' || out[0] == '=')) out.insert(0, "\\");
  const size_t digits = out.find_first_not_of("0123456789");
  if (digits != 0 && digits != std::string::npos && (out[digits] == '.' || out[digits] == ')') &&
      (digits + 1 == out.size() || out[digits + 1] == ' '))
    out.insert(digits, "\\");
  return out;
}

std::string show(const Run& run) {
  const bool plain = run.text.find_first_of("`|") == std::string::npos;
  bool printable = !run.text.empty();
  for (const char c : run.text) printable = printable && !is_control(c);
  return run.code && plain && printable ? "`" + run.text + "`" : escaped(run.text);
}

std::string show(const Line& line) {
  std::string out;
  for (const Run& run : line) out += show(run);
  return out;
}

std::string row(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

std::string table(const Block& block) {
  std::vector<std::string> head;
  for (const std::string& column : block.columns) head.push_back(escaped(column));
  std::string out = row(head) + row(std::vector<std::string>(head.size(), "---"));
  for (const auto& cells : block.rows) {
    std::vector<std::string> shown;
    for (const Line& cell : cells) shown.push_back(show(cell));
    out += row(shown);
  }
  return out;
}

std::string show(const Block& block) {
  std::string out;
  size_t number = 0;
  switch (block.kind) {
    case Block::Kind::kParagraph:
      for (const Line& line : block.lines) out += show(line) + "\n";
      return out;
    case Block::Kind::kFields:
      for (const Field& field : block.fields)
        out += fmt::format("- {}: {}\n", escaped(field.label), show(field.value));
      return out;
    case Block::Kind::kBullets:
      for (const Line& line : block.lines) out += "- " + show(line) + "\n";
      return out;
    case Block::Kind::kNumbers:
      for (const Line& line : block.lines) out += fmt::format("{}. {}\n", ++number, show(line));
      return out;
    case Block::Kind::kTable:
      return table(block);
  }
  return out;
}

}  // namespace

std::string write_markdown(const Document& document) {
  std::string out = "# " + escaped(document.title) + "\n\n";
  // Two spaces end a line, so that the fields stay below each other.
  for (size_t i = 0; i < document.fields.size(); ++i)
    out += fmt::format("**{}**: {}{}\n", escaped(document.fields[i].label), show(document.fields[i].value),
                       i + 1 < document.fields.size() ? "  " : "");
  for (const Block& block : document.lead) out += "\n" + show(block);
  for (const Section& section : document.sections) {
    out += "\n## " + escaped(section.heading) + "\n";
    for (const Block& block : section.blocks) out += "\n" + show(block);
  }
  return out;
}

}  // namespace daruma::report
