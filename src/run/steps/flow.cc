// Steps that move the run itself: most are carried out by the engine.
#include <fmt/format.h>

#include "base/shell_word.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr InputRow kApprove[] = {
    {"question", Kind::kAny, true, {}, "what is asked: a text, or {ja: …, en: …}"},
    {"count", Kind::kInteger, false, "1", "how many different people must agree"},
    {"groups", Kind::kList, false, {}, "the groups of the operating system they must be in; none: anybody"},
};

constexpr InputRow kManual[] = {
    {"task", Kind::kText, true, {}, "what a person has to do"},
    {"checklist", Kind::kList, false, {}, "what must be so before it is called done"},
};

constexpr InputRow kPlan[] = {
    {"plan",
     Kind::kText,
     true,
     {},
     "the name of the plan that is carried out here; its parameters beside it"},
};

constexpr InputRow kFail[] = {
    {"reason", Kind::kText, true, {}, "why the run cannot go on"},
};

constexpr std::string_view kManualOutputs[] = {"by", "note"};
constexpr std::string_view kApproveOutputs[] = {"by"};

std::string failure_text(const StepContext& context) { return text_input(context, "reason"); }

Result<Value> fail(StepContext& context) { return Error{Errc::kFailed, failure_text(context)}; }

Result<Preview> preview_fail(StepContext& context) {
  return Preview{.would = {"fail: " + failure_text(context)}, .by_hand = {}};
}

std::vector<std::string> fail_by_hand(const StepContext& context) {
  return {"# stop here: " + failure_text(context)};
}

std::vector<std::string> manual_by_hand(const StepContext& context) {
  std::vector<std::string> lines{"# " + text_input(context, "task")};
  if (const auto items = texts_input(context, "checklist"); items.ok())
    for (const std::string& item : *items) lines.push_back("# [ ] " + item);
  return lines;
}

std::vector<std::string> approve_by_hand(const StepContext& context) {
  std::vector<std::string> lines;
  const Value* question = input(context, "question");
  if (question && question->map())
    for (const auto& [language, text] : *question->map()) lines.push_back("# " + to_text(text));
  else
    lines.push_back("# " + text_input(context, "question"));
  lines.push_back(fmt::format("daruma approve {} {}", shell_word(context.run), shell_word(context.step)));
  return lines;
}

std::vector<std::string> plan_by_hand(const StepContext& context) {
  return {"daruma recover " + shell_word(text_input(context, "plan"))};
}

constexpr StepType kTypes[] = {
    {.name = "approve",
     .summary = "waits until people agree",
     .inputs = kApprove,
     .outputs = kApproveOutputs,
     .by_hand = approve_by_hand},
    {.name = "manual",
     .summary = "waits until a person has done something that the machine cannot do",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kAgain,
     .inputs = kManual,
     .outputs = kManualOutputs,
     .by_hand = manual_by_hand},
    {.name = "plan",
     .summary = "carries out another plan, as a part of this one",
     .inputs = kPlan,
     .by_hand = plan_by_hand},
    {.name = "fail",
     .summary = "fails, with a reason: for a `when` that says that the run cannot go on",
     .timeout = std::chrono::seconds(5),
     .inputs = kFail,
     .act = fail,
     .preview = preview_fail,
     .by_hand = fail_by_hand},
};

}  // namespace

std::span<const StepType> flow_steps() { return kTypes; }

}  // namespace daruma::run
