#include "run/record.h"

#include <algorithm>

#include <fmt/format.h>

namespace daruma::run {
namespace {

report::Words words(const Text& text, const std::string& otherwise) {
  return {text.ja.empty() ? (text.en.empty() ? otherwise : text.en) : text.ja,
          text.en.empty() ? (text.ja.empty() ? otherwise : text.ja) : text.en};
}

bool of_the_plan(const Step& step) { return !step.id.starts_with("finish."); }

report::StepOutcome outcome_of(const StepState& state) {
  if (state.undone) return report::StepOutcome::kUndone;
  if (state.undo_failed) return report::StepOutcome::kFailed;
  switch (state.phase) {
    case StepPhase::kSucceeded:
      return report::StepOutcome::kSucceeded;
    case StepPhase::kFailed:
      return report::StepOutcome::kFailed;
    case StepPhase::kSkipped:
      return report::StepOutcome::kSkipped;
    case StepPhase::kRunning:
    case StepPhase::kVanished:
      return report::StepOutcome::kUnknown;
    default:
      return report::StepOutcome::kNotReached;
  }
}

report::StepTaken taken(const RunState& run, const Step& step) {
  const StepState& state = run.at(step.id);
  report::StepTaken taken;
  taken.id = step.id;
  taken.type = step.action.type;
  taken.title = words(step.title, step.id);
  taken.outcome = outcome_of(state);
  taken.note = state.phase == StepPhase::kSkipped ? state.skipped_because : state.error;
  if (state.undo_failed) taken.note = "could not be undone, and remains: " + state.undo_error;
  if (state.attempts.empty()) return taken;
  taken.started = state.attempts.front().started;
  if (state.ended) taken.took = *state.ended - *taken.started;
  taken.attempts = static_cast<uint32_t>(std::ranges::count(state.attempts, Verb::kAct, &Attempt::verb));
  return taken;
}

// The point of the backup that a step used, where it says one.
std::optional<report::Fact<Instant>> backup_of(const StepState& state) {
  const std::string at = state.outputs.text_at("taken_at");
  if (at.empty()) return std::nullopt;
  if (const auto instant = parse_rfc3339(at); instant.ok()) return report::Fact<Instant>::known(*instant);
  return report::Fact<Instant>::unknown(
      {"バックアップに時刻の記録がない", "the backup does not say when it was taken"});
}

void add_evidence(const StepState& state, std::vector<report::Evidence>& out) {
  const Value* files = state.outputs.find("files");
  if (!files || !files->list()) return;
  for (const Value& file : *files->list())
    if (!file.text_at("sha256").empty())
      out.push_back(
          {file.text_at("name"), static_cast<uint64_t>(file.integer_at("bytes")), file.text_at("sha256")});
}

std::string_view scheme_ja(const std::string& scheme) {
  return scheme.empty() ? "方式なし" : std::string_view(scheme);
}

report::Words level_of(const Plan& plan) {
  if (plan.level == 0) return {};
  return {fmt::format("レベル{}（{}）— {}", plan.level, scheme_ja(plan.scheme), words(plan.impact, "").ja),
          fmt::format("Level {} ({}): {}", plan.level, plan.scheme.empty() ? "no scheme" : plan.scheme,
                      words(plan.impact, "").en)};
}

void add_steps(const RunState& run, report::IncidentFacts& facts) {
  std::optional<Instant> last;
  for (const Step& step : run.steps()) {
    if (!of_the_plan(step)) continue;
    const StepState& state = run.at(step.id);
    const StepType* type = run.type_of(step);
    facts.steps.push_back(taken(run, step));
    add_evidence(state, facts.evidence);
    if (state.ended) last = std::max(last.value_or(*state.ended), *state.ended);
    const bool ended = state.phase == StepPhase::kSucceeded || state.phase == StepPhase::kFailed;
    if (!type || !ended) continue;
    const auto backup = backup_of(state);
    if (state.phase == StepPhase::kSucceeded && !state.undone && (type->effect != Effect::kObserve || backup))
      facts.actions.push_back({words(step.title, step.id), backup});
    if (type->effect == Effect::kObserve && type->act)
      facts.checks.push_back({step.id, state.phase == StepPhase::kSucceeded, state.error});
  }
  if (facts.recovered && last)
    facts.recovery_completed = report::Fact<Instant>::known(*last);
  else
    facts.recovery_completed = report::Fact<Instant>::unknown({"復旧は未完了", "recovery is not complete"});
}

void add_approvals(const std::vector<JournalEvent>& events, report::IncidentFacts& facts) {
  for (const JournalEvent& event : events) {
    const auto body = event_of(event);
    if (!body.ok()) continue;
    if (const auto* given = std::get_if<ApprovalGiven>(&*body))
      facts.approvals.push_back(
          {given->step, given->by.name, event.at, given->agree, given->break_glass, given->reason});
  }
}

}  // namespace

report::IncidentFacts facts_of(const RunState& state, const std::vector<JournalEvent>& events, Instant now,
                               const JournalHead& head) {
  const RunCreated& created = state.created();
  const Plan& plan = created.plan.plan;
  const RunEnded end = state.outcome();
  report::IncidentFacts facts;
  facts.written = now;
  facts.incident = words(plan.title, plan.name);
  facts.level = level_of(plan);
  facts.scope = words(plan.impact, "");
  facts.run = state.id();
  facts.plan = plan.name;
  facts.plan_hash = created.plan.hash;
  facts.target = to_string(created.target);
  facts.started_by = created.by.name;
  facts.recovered = end.outcome == RunOutcome::kSucceeded;
  if (!facts.recovered) facts.open = {end.why, end.why};
  const report::Words unwatched{"監視の記録がこの実行に結び付いていない",
                                "no probe's record is tied to this run"};
  facts.outage_start = report::Fact<Instant>::unknown(unwatched);
  facts.detected = report::Fact<Instant>::unknown(unwatched);
  facts.recovery_started = report::Fact<Instant>::known(state.started_at());
  facts.data_loss = report::Fact<report::DataLoss>::unknown(
      {"復元後に残った最新の取引を測っていない", "the newest transaction that survived was not measured"});
  add_steps(state, facts);
  add_approvals(events, facts);
  facts.journal = report::Fact<JournalHead>::known(head);
  return facts;
}

}  // namespace daruma::run
