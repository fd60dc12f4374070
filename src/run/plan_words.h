// run/plan_words.h: what is said of a plan in more than one place, in the words of the glossary.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "report/report.h"
#include "run/plan.h"

namespace daruma::run {

// "Level 2 (backend)", 「レベル2（backend）」
std::string level_text(const Plan& plan, report::Language language);
// As a person sets it, without what is zero: "2 min", 「1 時間 30 分」
std::string duration_text(Duration duration, report::Language language);

// An input as people read it: of {ja: …, en: …} the text of their language.
std::string input_words(const Value& value, report::Language language);
// "service.restart service=web"
std::string action_words(const Action& action, report::Language language);

}  // namespace daruma::run
