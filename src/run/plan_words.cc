#include "run/plan_words.h"

#include <fmt/format.h>

#include "report/wording.h"

namespace daruma::run {

std::string level_text(const Plan& plan, report::Language language) {
  const report::Wording wording(language, {});
  const std::string level =
      wording.say(fmt::format("レベル{}", plan.level), fmt::format("Level {}", plan.level));
  return plan.scheme.empty() ? level : wording.with(level, plan.scheme);
}

std::string duration_text(Duration duration, report::Language language) {
  std::string text = report::Wording(language, {}).duration(duration);
  for (const std::string_view nothing : {" 0 s", " 0 秒", " 0 min", " 0 分", " 0 h", " 0 時間"})
    if (text.ends_with(nothing)) text.erase(text.size() - nothing.size());
  if (const size_t fraction = text.find(".0 "); fraction != std::string::npos) text.erase(fraction, 2);
  return text;
}

std::string input_words(const Value& value, report::Language language) {
  const Value* ja = value.find("ja");
  const Value* en = value.find("en");
  const bool both = value.map() && value.map()->size() == (ja ? 1u : 0u) + (en ? 1u : 0u) && (ja || en);
  if (!both) return to_text(value);
  return report::Wording(language, {}).say(report::Words{value.text_at("ja"), value.text_at("en")});
}

std::string action_words(const Action& action, report::Language language) {
  std::string words = action.type;
  for (const auto& [name, value] : action.with)
    words += fmt::format(" {}={}", name, input_words(value, language));
  return words;
}

}  // namespace daruma::run
