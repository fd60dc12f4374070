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

}  // namespace daruma::run
