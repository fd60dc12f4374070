#include "run/plan_yaml.h"

#include <fmt/format.h>

#include "run/parameter.h"

namespace daruma::run {
namespace {

// Texts that YAML reads as themselves, also inside braces.
bool is_plain(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text[0])) return false;
  for (const std::string_view word : {"true", "false", "null", "yes", "no", "on", "off"})
    if (text == word) return false;
  for (const char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.' && c != '/') return false;
  return true;
}

std::string word(const std::string& text) { return is_plain(text) ? text : to_json(Value(text)); }

std::string value_text(const Value& value) {
  if (const std::string* text = value.text()) return word(*text);
  if (const Value::List* list = value.list()) {
    std::string out;
    for (const Value& item : *list) out += (out.empty() ? "" : ", ") + value_text(item);
    return "[" + out + "]";
  }
  if (const Value::Map* map = value.map()) {
    std::string out;
    for (const auto& [key, item] : *map)
      out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", word(key), value_text(item));
    return "{" + out + "}";
  }
  if (const double* number = value.floating()) return fmt::format("{}", *number);
  return to_json(value);
}

// An entry of a mapping in braces, or several.
class Braces {
 public:
  void add(std::string_view key, const std::string& value) {
    out_ += fmt::format("{}{}: {}", out_.empty() ? "" : ", ", key, value);
  }
  void add_text(std::string_view key, const std::string& value) {
    if (!value.empty()) add(key, word(value));
  }
  std::string text() const { return "{" + out_ + "}"; }
  bool empty() const { return out_.empty(); }

 private:
  std::string out_;
};

std::string in_both(const Text& text) {
  Braces out;
  out.add_text("ja", text.ja);
  out.add_text("en", text.en);
  return out.text();
}

std::string list_of(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& each : words) out += (out.empty() ? "" : ", ") + word(each);
  return "[" + out + "]";
}

// "90s", as parse_duration reads it.
std::string duration_word(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms % 1000 != 0) return fmt::format("{}ms", ms);
  if (ms % 60000 != 0 || ms == 0) return fmt::format("{}s", ms / 1000);
  if (ms % 3600000 != 0) return fmt::format("{}m", ms / 60000);
  return fmt::format("{}h", ms / 3600000);
}

std::string action_text(const Action& action) {
  Braces out;
  out.add("do", word(action.type));
  if (!action.with.empty()) out.add("with", value_text(Value(action.with)));
  return out.text();
}

std::string retry_text(const Retry& retry) {
  Braces out;
  if (retry.within > Duration{}) out.add("for", duration_word(retry.within));
  if (retry.times > 0) out.add("times", std::to_string(retry.times));
  out.add("every", duration_word(retry.pause));
  out.add("most", duration_word(retry.pause_most));
  return out.text();
}

std::string approval_text(const Approval& approval) {
  Braces out;
  out.add("question", in_both(approval.question));
  if (approval.count != 1) out.add("count", std::to_string(approval.count));
  if (!approval.groups.empty()) out.add("groups", list_of(approval.groups));
  return out.text();
}

std::string parameter_text(const Parameter& parameter) {
  Braces out;
  out.add("type", std::string(to_string(parameter.type)));
  if (parameter.standard) out.add("default", value_text(*parameter.standard));
  if (!parameter.choices.empty()) out.add("choices", list_of(parameter.choices));
  if (!parameter.help.empty()) out.add("help", in_both(parameter.help));
  return out.text();
}

std::string step_text(const Step& step) {
  std::string out = fmt::format("  {}:\n    do: {}\n", step.id, word(step.action.type));
  const auto line = [&](std::string_view key, const std::string& value) {
    out += fmt::format("    {}: {}\n", key, value);
  };
  if (!step.action.with.empty()) line("with", value_text(Value(step.action.with)));
  if (!step.title.empty()) line("title", in_both(step.title));
  if (!step.needs.empty()) line("needs", list_of(step.needs));
  if (step.when) line("when", to_json(Value(step.when->text())));
  if (step.retry) line("retry", retry_text(*step.retry));
  if (step.timeout) line("timeout", duration_word(*step.timeout));
  if (step.on_failure != OnFailure::kFail)
    line("on_failure", step.on_failure == OnFailure::kUndo ? "undo" : "continue");
  if (!step.raise.empty()) line("raise", step.raise);
  if (step.undo) line("undo", action_text(*step.undo));
  if (step.approve) line("approve", approval_text(*step.approve));
  return out;
}

std::string head_text(const Head& head) {
  Braces out;
  if (!head.version.empty()) out.add("version", to_json(Value(head.version)));
  if (!head.updated.empty()) out.add("updated", head.updated);
  if (!head.review_due.empty()) out.add("review_due", head.review_due);
  out.add_text("status", head.status);
  return out.text();
}

std::string detection_text(const Detection& detection) {
  if (!detection.alert.empty()) return word(detection.alert);
  if (!detection.probe.empty()) return "{probe: " + detection.probe + "}";
  return in_both(detection.words);
}

template <class T>
void add_list(std::string& out, std::string_view key, const std::vector<T>& items,
              std::string (*text)(const T&)) {
  if (items.empty()) return;
  out += fmt::format("{}:\n", key);
  for (const T& item : items) out += fmt::format("  - {}\n", text(item));
}

}  // namespace

std::string to_yaml(const Plan& plan, const std::function<std::string(const Step&)>& remark) {
  std::string out = fmt::format("plan: {}\ntitle: {}\n", plan.name, in_both(plan.title));
  if (const std::string head = head_text(plan.head); head != "{}") out += "head: " + head + "\n";
  if (!plan.scheme.empty()) out += "scheme: " + plan.scheme + "\n";
  if (plan.level > 0) out += fmt::format("level: {}\n", plan.level);
  if (!plan.impact.empty()) out += "impact: " + in_both(plan.impact) + "\n";
  add_list(out, "detect", plan.detect, detection_text);
  add_list(out, "prevent", plan.prevent, in_both);
  add_list(out, "preconditions", plan.preconditions, action_text);
  if (!plan.contacts.empty()) out += "contacts: " + list_of(plan.contacts) + "\n";
  if (!plan.parameters.empty()) out += "params:\n";
  for (const Parameter& parameter : plan.parameters)
    out += fmt::format("  {}: {}\n", parameter.name, parameter_text(parameter));
  out += "steps:\n";
  for (const Step& step : plan.steps) {
    const std::string above = remark ? remark(step) : "";
    for (size_t at = 0; at < above.size();) {
      const size_t end = std::min(above.find('\n', at), above.size());
      out += "  # " + above.substr(at, end - at) + "\n";
      at = end + 1;
    }
    out += step_text(step);
  }
  Braces finish;
  if (!plan.finish.notify.empty()) finish.add("notify", list_of(plan.finish.notify));
  finish.add("report", plan.finish.report ? "true" : "false");
  return out + "finish: " + finish.text() + "\n";
}

}  // namespace daruma::run
