// run/manual_lint.h: what in a manual would hurt on the day somebody follows it.
//
// Each rule is a row with its words in both languages; a danger is a rule and the line that breaks it. The
// rules come from manuals that people followed (tests name them, with the lines that they find).
// Threads: plain functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "run/manual.h"
#include "run/shell_script.h"

namespace daruma::run {

struct DangerRule {
  std::string_view id;  // "unbounded"
  std::string_view ja;  // what is wrong, and what to do instead
  std::string_view en;
};
std::span<const DangerRule> danger_rules();

struct Danger {
  std::string_view rule;  // the id of a row
  int line = 0;
  std::string quote;  // what stands there

  bool operator==(const Danger&) const = default;
};
// 「31 行目：…」 is the caller's; this is the rule's text in one language.
std::string_view text_of(const Danger& danger, bool japanese);

struct LintWorld {
  // Whether a file that the manual links to is there; empty: links are not followed.
  std::function<bool(const std::string& target)> has_file = {};
  std::optional<Instant> now = {};
};

// In the order of lines.
std::vector<Danger> lint_manual(const Manual& manual, const LintWorld& world);

// Languages of code blocks that a shell reads.
bool is_shell(const CodeBlock& block);
// "docker exec [options] CONTAINER words" and "sudo words" without their wrapping; `container` is filled if
// there was one.
SimpleCommand unwrapped(const SimpleCommand& command, std::string* container = nullptr);

}  // namespace daruma::run
