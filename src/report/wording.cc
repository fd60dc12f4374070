#include "report/wording.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace daruma::report {
namespace {

struct Word {
  std::string_view name, ja, en;
};
constexpr Word kTargets[] = {{"production", "本番", "production"},
                             {"staging", "ステージング", "staging"},
                             {"sandbox", "サンドボックス", "sandbox"}};
constexpr Word kUnits[] = {
    {"ms", "ミリ秒", "ms"}, {"s", "秒", "s"}, {"min", "分", "min"}, {"h", "時間", "h"}, {"d", "日", "d"}};

}  // namespace

std::string Wording::say(const Words& words) const {
  const std::string& wanted = japanese() ? words.ja : words.en;
  return !wanted.empty() ? wanted : japanese() ? words.en : words.ja;
}

std::string Wording::time(Instant instant) const { return time_without_zone(instant) + " " + zone_.name; }

std::string Wording::exact_time(Instant instant) const {
  return fmt::format("{}.{:03} {}", time_without_zone(instant), instant.micros / 1000 % 1000, zone_.name);
}

std::string Wording::time_without_zone(Instant instant) const {
  const int64_t micros = (instant + zone_.ahead).micros;
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(micros / 1'000'000)));
}

std::string Wording::duration(Duration duration) const {
  const std::string english = human_duration(duration);
  if (!japanese()) return english;
  std::string out;
  for (size_t at = 0; at < english.size();) {
    const size_t end = std::min(english.find(' ', at), english.size());
    std::string part = english.substr(at, end - at);
    for (const Word& unit : kUnits)
      if (part == unit.name) part = unit.ja;
    out += (out.empty() ? "" : " ") + part;
    at = end + 1;
  }
  return out;
}

std::string Wording::unknown(const Words& why) const {
  const std::string reason = why.empty() ? say("記録がありません", "nothing was recorded") : say(why);
  return japanese() ? "不明（理由：" + reason + "）" : "unknown, because " + reason;
}

std::string Wording::with(const std::string& text, const std::string& more) const {
  return japanese() ? text + "（" + more + "）" : text + " (" + more + ")";
}

std::string Wording::target(std::string_view name) const {
  for (const Word& target : kTargets)
    if (name == target.name) return say(target.ja, target.en);
  return std::string(name);
}

std::string Wording::outcome(StepOutcome outcome) const {
  switch (outcome) {
    case StepOutcome::kSucceeded:
      return say("成功", "succeeded");
    case StepOutcome::kFailed:
      return say("失敗", "failed");
    case StepOutcome::kSkipped:
      return say("省略", "skipped");
    case StepOutcome::kUndone:
      return say("取り消し済み", "undone");
    case StepOutcome::kNotReached:
      return say("未実行", "not reached");
    case StepOutcome::kUnknown:
      break;
  }
  return say("不明", "unknown");
}

}  // namespace daruma::report
