#include "run/asked.h"

#include <algorithm>

#include <fmt/format.h>

namespace daruma::run {
namespace {

constexpr size_t kTextMost = 800;  // all of it goes over a socket in one message
constexpr size_t kItemsMost = 40;
constexpr size_t kAsksMost = 16;

// Words are no reason to fail: what cannot be filled in stays as it is written.
Value filled(const RunState& state, const Step& step, const Value& words) {
  Step alone = step;
  alone.action = {"", {{"words", words}}};
  const auto with = state.inputs(alone, Verb::kAct);
  return with.ok() ? with->find("words")->second : words;
}

Text text_in(const Value& value) {
  if (value.map()) return {value.text_at("ja"), value.text_at("en")};
  return value.is_null() ? Text{} : Text{to_text(value), to_text(value)};
}

Value to_value(const Text& text) { return Value(Value::Map{{"ja", text.ja}, {"en", text.en}}); }

Value shortened(const Value& value) {
  if (const std::string* text = value.text(); text && text->size() > kTextMost)
    return Value(fmt::format("{}… ({} bytes)", text->substr(0, kTextMost), text->size()));
  if (const Value::List* list = value.list()) {
    Value::List out;
    for (size_t i = 0; i < std::min(list->size(), kItemsMost); ++i) out.push_back(shortened((*list)[i]));
    if (list->size() > kItemsMost) out.emplace_back(fmt::format("… ({} in all)", list->size()));
    return Value(std::move(out));
  }
  if (const Value::Map* map = value.map()) {
    Value::Map out;
    for (const auto& [name, entry] : *map) {
      if (out.size() == kItemsMost) break;
      out.emplace(name, shortened(entry));
    }
    return Value(std::move(out));
  }
  return value;
}

Value ask_of(const RunState& state, const Step& step) {
  const StepState& at = state.at(step.id);
  const bool approval = at.phase == StepPhase::kAsking;
  const StepType* type = state.type_of(step);
  const auto with = state.inputs(step, Verb::kAct);
  Value ask;
  ask.set("step", step.id).set("kind", approval ? "approval" : at.attempts.empty() ? "task" : "happened");
  ask.set("title", to_value(step.title)).set("question", shortened(to_value(question_of(state, step))));
  ask.set("do", step.action.type).set("effect", type ? to_string(type->effect) : "");
  ask.set("with", shortened(Value(with.ok() ? *with : step.action.with)));
  Value::List checklist;
  for (std::string& line : checklist_of(state, step)) checklist.emplace_back(std::move(line));
  if (!checklist.empty()) ask.set("checklist", shortened(Value(std::move(checklist))));
  if (!at.error.empty()) ask.set("error", at.error);
  if (!approval) return ask;
  Value::List given, groups;
  for (const ApprovalGiven& one : at.approval->given) given.emplace_back(one.by.name);
  for (const std::string& group : at.approval->groups) groups.emplace_back(group);
  ask.set("count", at.approval->count).set("given", std::move(given)).set("groups", std::move(groups));
  return ask.set("until", to_rfc3339(at.approval->until));
}

bool may_see(const Value& asked, const Value& ask, const Person& person) {
  const Value* groups = ask.find("groups");
  if (!groups || groups->list()->empty() || person.uid == 0 || asked.integer_at("uid") == person.uid)
    return true;
  return std::ranges::any_of(*groups->list(), [&](const Value& group) {
    return std::ranges::find(person.groups, to_text(group)) != person.groups.end();
  });
}

}  // namespace

Text question_of(const RunState& state, const Step& step) {
  if (state.at(step.id).phase != StepPhase::kPerson) return state.question(step);
  const auto task = step.action.with.find("task");
  return task == step.action.with.end() ? step.title : text_in(filled(state, step, task->second));
}

std::vector<std::string> checklist_of(const RunState& state, const Step& step) {
  std::vector<std::string> out;
  const auto found = step.action.with.find("checklist");
  if (found == step.action.with.end()) return out;
  const Value items = filled(state, step, found->second);
  if (!items.list()) return {to_text(items)};
  for (const Value& item : *items.list()) out.push_back(to_text(item));
  return out;
}

Value asked_of(const RunState& state) {
  const RunCreated& created = state.created();
  Value out;
  out.set("run", state.id()).set("plan", created.plan.plan.name);
  out.set("title", to_value(created.plan.plan.title)).set("target", to_string(created.target));
  out.set("started_at", to_rfc3339(state.started_at())).set("by", created.by.name);
  out.set("uid", created.by.uid).set("reason", shortened(created.reason));
  Value::List asks;
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    const bool asking = at.phase == StepPhase::kAsking && at.approval && !at.approval->granted;
    if ((asking || at.phase == StepPhase::kPerson) && asks.size() < kAsksMost)
      asks.push_back(ask_of(state, step));
  }
  return out.set("asks", std::move(asks));
}

Result<Value> asked_for(const Value& asked, const Person& person) {
  const Value* asks = asked.find("asks");
  if (!asks || !asks->list() || asks->list()->empty())
    return Error{Errc::kRefused, fmt::format("run {} asks nothing of anybody now", asked.text_at("run")),
                 fmt::format("its steps can be seen by {}, who started it", asked.text_at("by"))};
  Value::List seen;
  std::string refused;
  for (const Value& ask : *asks->list()) {
    if (may_see(asked, ask, person))
      seen.push_back(ask);
    else
      refused = fmt::format("{} is in none of the groups that may approve '{}': {}", person.name,
                            ask.text_at("step"), to_json(*ask.find("groups")));
  }
  if (seen.empty()) return Error{Errc::kRefused, refused, "ask somebody who is in one of them"};
  return Value(asked).set("asks", std::move(seen));
}

}  // namespace daruma::run
