#include "house_rules.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace daruma::house {
namespace {

constexpr size_t kFileLinesMax = 800;
constexpr size_t kFunctionLinesMax = 70;
constexpr size_t kColumnsMax = 110;

// Bottom to top: a floor uses itself and the floors before it.
constexpr std::string_view kFloors[] = {"base",       "os",        "config",  "service", "breaker", "storage",
                                        "repository", "datastore", "runtime", "journal", "probe",   "notify",
                                        "report",     "run",       "server",  "watch",   "cli"};

struct Ban {
  std::string_view call;
  std::string_view instead;
};

// What only src/os and tests may call.
constexpr Ban kBans[] = {
    {"system_clock::now", "Clock::now (os/clock.h)"},
    {"steady_clock::now", "Clock::mono (os/clock.h)"},
    {"sleep_for", "Clock::pause (os/clock.h), or a wait for the condition itself"},
    {"sleep(", "Clock::pause (os/clock.h), or a wait for the condition itself"},
    {"usleep", "Clock::pause (os/clock.h), or a wait for the condition itself"},
    {"::open(", "FileSystem::open_read, open_write or create (os/file_system.h)"},
    {"fopen", "FileSystem::open_read, open_write or create (os/file_system.h)"},
    {"std::ifstream", "read_file or FileSystem::open_read (os/files.h)"},
    {"std::ofstream", "replace_file or FileSystem::create (os/files.h)"},
    {"getenv", "environment_variable (os/environment.h)"},
    {"rand(", "Random (os/random.h)"},
    {"std::random_device", "Random (os/random.h)"},
    {"system(", "ProcessRunner, with an argument list (os/process.h)"},
    {"popen", "ProcessRunner, with an argument list (os/process.h)"},
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// A test, or what only tests include.
bool is_test(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return !path.starts_with("src/") || name.ends_with("_test.cc") || name.ends_with("_conformance.h") ||
         name.starts_with("test_");
}

std::string_view first_part(std::string_view path) { return path.substr(0, path.find('/')); }

std::optional<size_t> floor_of(std::string_view folder) {
  const auto found = std::find(std::begin(kFloors), std::end(kFloors), folder);
  if (found == std::end(kFloors)) return std::nullopt;
  return static_cast<size_t>(found - std::begin(kFloors));
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// Characters, not bytes: those that continue one in UTF-8 do not count.
size_t columns_of(std::string_view line) {
  return static_cast<size_t>(std::count_if(
      line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

class Checker {
 public:
  explicit Checker(const Source& source)
      : source_(source),
        code_text_(code_only(source.text)),
        lines_(lines_of(source.text)),
        code_(lines_of(code_text_)) {}

  std::vector<Fault> run() {
    check_size();
    check_columns();
    check_includes();
    check_calls();
    check_functions();
    return std::move(faults_);
  }

 private:
  // `line` counts from 0.
  void fault(size_t line, std::string message) {
    faults_.push_back({source_.path, line + 1, std::move(message)});
  }

  void check_size() {
    if (lines_.size() <= kFileLinesMax) return;
    fault(kFileLinesMax, "the file has " + std::to_string(lines_.size()) + " lines, more than " +
                             std::to_string(kFileLinesMax) + ": split it by concept");
  }

  void check_columns() {
    for (size_t line = 0; line < lines_.size(); ++line)
      if (const size_t columns = columns_of(lines_[line]); columns > kColumnsMax)
        fault(line, "the line has " + std::to_string(columns) + " columns, more than " +
                        std::to_string(kColumnsMax) + ": run clang-format, fold comments by hand");
  }

  void check_includes() {
    if (is_test(source_.path)) return;
    const std::string_view ours = first_part(std::string_view(source_.path).substr(4));
    const auto our_floor = floor_of(ours);
    if (!our_floor) return fault(0, "the folder '" + std::string(ours) + "' is not in the table of floors");
    for (size_t line = 0; line < lines_.size(); ++line) {
      static constexpr std::string_view kInclude = "#include \"";
      if (!lines_[line].starts_with(kInclude)) continue;
      const std::string_view path = lines_[line].substr(kInclude.size());
      const std::string_view theirs = first_part(path.substr(0, path.find('"')));
      const auto their_floor = floor_of(theirs);
      if (path.find('/') == std::string_view::npos)
        fault(line, "'" + std::string(theirs) +
                        "' has no folder: include ours by its path from src/, others by <>");
      else if (their_floor && *their_floor > *our_floor)
        fault(line, std::string(ours) + " includes from " + std::string(theirs) +
                        ", a floor above it: move the code down, or pass an interface in");
    }
  }

  void check_calls() {
    if (is_test(source_.path) || source_.path.starts_with("src/os/")) return;
    for (size_t line = 0; line < code_.size(); ++line)
      for (const Ban& ban : kBans)
        if (calls(code_[line], ban.call))
          fault(line, std::string(ban.call) + " is for src/os only: use " + std::string(ban.instead));
  }

  static bool calls(std::string_view line, std::string_view call) {
    for (size_t at = line.find(call); at != std::string_view::npos; at = line.find(call, at + 1)) {
      const char before = at == 0 ? ' ' : line[at - 1];
      const char after = at + call.size() < line.size() ? line[at + call.size()] : ' ';
      const bool member = before == '.' || (before == '>' && at > 1 && line[at - 2] == '-');
      if (!is_word(before) && !member && (!is_word(call.back()) || !is_word(after))) return true;
    }
    return false;
  }

  // By the layout that clang-format gives: what begins at the indent of a scope and opens a brace ends at the
  // first closing brace of the same indent.
  void check_functions() { check_scope(0, code_.size(), 0); }

  void check_scope(size_t line, size_t end, size_t indent) {
    while (line < end) {
      if (!begins_statement(line, indent)) {
        ++line;
        continue;
      }
      const size_t opening = opening_line(line, end);
      const bool opens = opening < end && code_[opening].find_last_not_of(' ') == code_[opening].rfind('{');
      if (!opens) {
        line = opening + 1;
        continue;
      }
      const size_t closing = closing_line(opening, end, indent);
      const std::string head = head_of(line, opening);
      if (is_namespace(head))
        check_scope(opening + 1, closing, indent);
      else if (is_class(head))
        check_scope(opening + 1, closing, indent + 2);
      else if (head.find('(') != std::string::npos)
        check_length(line, closing, head);
      line = closing + 1;
    }
  }

  bool begins_statement(size_t line, size_t indent) const {
    const std::string_view text = code_[line];
    if (indent_of(text) != indent || indent == text.size()) return false;
    return text[indent] != '#' && text[indent] != '}' && !text.ends_with("public:") &&
           !text.ends_with("private:") && !text.ends_with("protected:");
  }

  // Where the statement that begins at `line` ends, or opens its brace.
  size_t opening_line(size_t line, size_t end) const {
    for (; line < end; ++line) {
      const size_t last = code_[line].find_last_not_of(' ');
      if (last != std::string_view::npos &&
          std::string_view(";{}").find(code_[line][last]) != std::string_view::npos)
        return line;
    }
    return end;
  }

  size_t closing_line(size_t opening, size_t end, size_t indent) const {
    for (size_t line = opening + 1; line < end; ++line)
      if (indent_of(code_[line]) == indent && indent < code_[line].size() && code_[line][indent] == '}')
        return line;
    return end;
  }

  std::string head_of(size_t line, size_t opening) const {
    std::string head;
    for (; line <= opening; ++line) head += std::string(code_[line].substr(indent_of(code_[line]))) + " ";
    return head;
  }

  static bool is_namespace(std::string_view head) {
    return head.starts_with("namespace") || head.starts_with("inline namespace") ||
           head.starts_with("extern");
  }

  static bool is_class(std::string_view head) {
    if (head.starts_with("template")) {
      const size_t close = head.find("> ");
      return close != std::string_view::npos && is_class(head.substr(close + 2));
    }
    for (const std::string_view word : {"class ", "struct ", "union ", "enum "})
      if (head.starts_with(word))
        return head.find('(') == std::string_view::npos || head.starts_with("class [[");
    return false;
  }

  void check_length(size_t line, size_t closing, std::string_view head) {
    const size_t length = closing - line + 1;
    if (length <= kFunctionLinesMax) return;
    fault(line, "'" + std::string(head.substr(0, head.find('('))) + "' has " + std::to_string(length) +
                    " lines, more than " + std::to_string(kFunctionLinesMax) +
                    ": give its parts names of their own");
  }

  const Source& source_;
  const std::string code_text_;
  const std::vector<std::string_view> lines_;
  const std::vector<std::string_view> code_;
  std::vector<Fault> faults_;
};

// Where what begins at `at` ends: a comment or a literal; `at` itself for code.
size_t end_of_blank(std::string_view text, size_t at) {
  const std::string_view rest = text.substr(at);
  const auto past = [&](std::string_view mark, size_t from) {
    const size_t found = text.find(mark, from);
    return found == std::string_view::npos ? text.size() : found + mark.size();
  };
  if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) return past("*/", at + 2);
  if (rest.starts_with("R\"") && (at == 0 || !is_word(text[at - 1]))) {
    const size_t open = std::min(text.find('(', at), text.size());
    return past(")" + std::string(text.substr(std::min(at + 2, open), open - at - 2)) + "\"", open);
  }
  const bool digit_separator = rest.front() == '\'' && at > 0 && is_word(text[at - 1]);
  if (rest.front() != '"' && (rest.front() != '\'' || digit_separator)) return at;
  for (size_t end = at + 1; end < text.size() && text[end] != '\n'; ++end) {
    if (text[end] == '\\')
      ++end;
    else if (text[end] == rest.front())
      return end + 1;
  }
  return at + 1;
}

}  // namespace

std::string code_only(std::string_view text) {
  std::string code(text);
  for (size_t at = 0; at < text.size();) {
    const size_t end = end_of_blank(text, at);
    for (size_t i = at; i < end && i < code.size(); ++i)
      if (code[i] != '\n') code[i] = ' ';
    at = std::max(end, at + 1);
  }
  return code;
}

std::vector<Fault> check(const Source& source) { return Checker(source).run(); }

}  // namespace daruma::house
