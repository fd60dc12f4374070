// report/wording.h: times, durations and small words in the language of a report.
//
// Threads: plain values and pure functions.
#pragma once

#include <string>

#include "report/report.h"

namespace daruma::report {

class Wording {
 public:
  Wording(Language language, Zone zone) : language_(language), zone_(std::move(zone)) {}

  bool japanese() const { return language_ == Language::kJa; }
  std::string say(std::string_view ja, std::string_view en) const {
    return std::string(japanese() ? ja : en);
  }
  // In the other language where this one is missing: a text in the wrong language is better than none.
  std::string say(const Words& words) const;

  // "2026-11-22 10:42:07 JST"
  std::string time(Instant instant) const;
  // To the millisecond: where it is about single transactions.
  std::string exact_time(Instant instant) const;
  std::string time_without_zone(Instant instant) const;
  // "4 min 10 s", 「4 分 10 秒」
  std::string duration(Duration duration) const;
  // "unknown, because …", 「不明（理由：…）」
  std::string unknown(const Words& why) const;
  // "TEXT (MORE)", 「TEXT（MORE）」
  std::string with(const std::string& text, const std::string& more) const;

  std::string target(std::string_view name) const;
  std::string outcome(StepOutcome outcome) const;

 private:
  Language language_;
  Zone zone_;
};

}  // namespace daruma::report
