// Approvals: which steps need one, what it agrees to, and who may give it.
#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "run/run_state.h"

namespace daruma::run {
namespace {

constexpr std::string_view kApprove = "approve";

}  // namespace

bool RunState::covered(const Step& step, std::set<std::string_view>& seen) const {
  for (const std::string& need : step.needs) {
    if (!seen.insert(need).second) continue;
    const Step* above = this->step(need);
    if (above->action.type == kApprove && at(need).phase == StepPhase::kSucceeded) return true;
    if (covered(*above, seen)) return true;
  }
  return false;
}

bool RunState::needs_approval(const Step& step) const {
  if (step.approve || step.action.type == kApprove) return true;
  const StepType* type = type_of(step);
  std::set<std::string_view> seen;
  return type && type->effect == Effect::kDestroy && !covered(step, seen);
}

Result<std::string> RunState::inputs_hash(const Step& step) const {
  DR_TRY(Value::Map with, inputs(step, Verb::kAct));
  Value all;
  all.set("plan", created_->plan.hash).set("target", std::string(to_string(created_->target)));
  if (!created_->config_hash.empty()) all.set("config", created_->config_hash);
  all.set("step", step.id).set("do", step.action.type).set("with", Value(std::move(with)));
  return sha256_hex(to_json(all));
}

Status RunState::may_approve(const ApprovalGiven& given, Instant now) const {
  const auto found = states_.find(given.step);
  if (found == states_.end() || found->second.phase != StepPhase::kAsking || !found->second.approval)
    return Error{Errc::kRefused, fmt::format("step '{}' does not wait for an approval", given.step),
                 "`daruma runs ID` shows what the run waits for"};
  const ApprovalState& approval = *found->second.approval;
  if (now >= approval.until)
    return Error{Errc::kRefused,
                 fmt::format("the request for '{}' expired at {}", given.step, to_rfc3339(approval.until)),
                 "start the run anew when somebody is there to approve"};
  if (!given.agree) return {};  // anybody may say no
  if (given.break_glass)
    return given.reason.empty()
               ? Status(Error{Errc::kRefused, "breaking the glass needs a reason", "give it with --reason"})
               : Status();
  const bool in_group =
      approval.groups.empty() || std::ranges::any_of(approval.groups, [&](const std::string& group) {
        return std::ranges::find(given.by.groups, group) != given.by.groups.end();
      });
  if (!in_group)
    return Error{
        Errc::kRefused,
        fmt::format("{} is in none of the groups that may approve '{}': {}", given.by.name, given.step,
                    fmt::join(approval.groups, ", ")),
        "ask one of them; alone, with a reason, and alarmed: daruma approve --break-glass --reason WHY"};
  if (!created_->by_starter && (given.by.uid == created_->by.uid || given.by.uid == 0))
    return Error{
        Errc::kRefused,
        given.by.uid == 0 ? std::string("root cannot be the second person")
                          : fmt::format("{} started this run, and cannot approve it", given.by.name),
        "ask somebody else; alone, with a reason, and alarmed: daruma approve --break-glass --reason WHY"};
  if (std::ranges::any_of(approval.given,
                          [&](const ApprovalGiven& earlier) { return earlier.by.uid == given.by.uid; }))
    return Error{Errc::kRefused, fmt::format("{} approved '{}' already", given.by.name, given.step),
                 "somebody else must approve it too"};
  return {};
}

}  // namespace daruma::run
