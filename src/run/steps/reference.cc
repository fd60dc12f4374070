#include <fmt/format.h>

#include "run/step_type.h"

namespace daruma::run {
namespace {

// A line of a Markdown table must not hold its border.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string_view words(AfterCrash after_crash) {
  switch (after_crash) {
    case AfterCrash::kAgain:
      return "is done again";
    case AfterCrash::kReconcile:
      return "looks whether it happened";
    case AfterCrash::kAsk:
      return "asks a person whether it happened";
  }
  return "";
}

// As a plan would have it: "90s", "2m".
std::string short_duration(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  return seconds % 60 == 0 ? fmt::format("{}m", seconds / 60) : fmt::format("{}s", seconds);
}

std::string sentence(std::string_view words) {
  std::string out(words);
  if (out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out + ".";
}

std::string facts(const StepType& type) {
  std::string out(to_string(type.effect));
  if (type.act == nullptr) return out + "; the engine carries it out";
  out += fmt::format("; at most {} an attempt; after a crash it {}", short_duration(type.timeout),
                     words(type.after_crash));
  if (type.preview == nullptr) out += "; no preview";
  if (type.undo != nullptr) out += "; can be undone";
  if (type.needs_source) out += "; refused until the run has proved a source";
  if (type.proves_source) out += "; proves a source";
  return out;
}

void append_inputs(std::string& out, const StepType& type) {
  if (type.inputs.empty()) return;
  out += "\n| input | kind | standard | |\n| --- | --- | --- | --- |\n";
  for (const InputRow& row : type.inputs)
    out += fmt::format("| `{}` | {} | {} | {} |\n", row.name, to_string(row.kind),
                       row.required           ? "must be given"
                       : row.standard.empty() ? std::string()
                                              : fmt::format("`{}`", row.standard),
                       cell(row.help));
}

void append_outputs(std::string& out, const StepType& type) {
  if (type.outputs.empty()) return;
  out += "\nOutputs: ";
  std::string_view separator;
  for (const std::string_view name : type.outputs) {
    out += fmt::format("{}`{}`", separator, name);
    separator = ", ";
  }
  out += ".\n";
}

}  // namespace

std::string steps_reference() {
  std::string out =
      "# Step types\n\n"
      "What a step of a plan can `do` (see [the plan language](plan-language.md)). "
      "Printed by `daruma help steps`.\n\n"
      "Where a value may be a secret, it is written `{env: NAME}` or `{file: PATH}`, with `prefix: TEXT` to\n"
      "stand before it. Relative paths stand on the folder of daruma.yaml.\n";
  for (const StepType& type : step_types()) {
    out += fmt::format("\n## {}\n\n{}\n\n*{}*\n", type.name, sentence(type.summary), sentence(facts(type)));
    append_inputs(out, type);
    append_outputs(out, type);
  }
  return out;
}

}  // namespace daruma::run
