#include "cli/asked_view.h"

#include <fmt/format.h>

#include "base/table.h"
#include "cli/run_session.h"
#include "cli/run_view.h"

namespace daruma {
namespace {

using namespace run;

constexpr Duration kAnswerWithin = 10s;

std::string our_text(const Value& holder, std::string_view name, const std::string& otherwise) {
  const Value* text = holder.find(name);
  if (!text) return otherwise;
  return printable(in_our_language({text->text_at("ja"), text->text_at("en")}, otherwise));
}

std::string head_of(const Value& asked) {
  const std::string reason = asked.text_at("reason");
  return fmt::format("{}  {}\non {}, started {} by {}{}\n", asked.text_at("run"),
                     our_text(asked, "title", asked.text_at("plan")), asked.text_at("target"),
                     asked.text_at("started_at"), asked.text_at("by"),
                     reason.empty() ? "" : ": " + printable(reason));
}

// What would be done, for somebody who has not seen the plan.
std::string deed_of(const Value& ask) {
  const std::string effect = ask.text_at("effect");
  std::string out = fmt::format("     {}: {}{}\n", ask.text_at("step"), ask.text_at("do"),
                                effect == "destroys" ? ", which cannot be taken back" : "");
  if (const Value* with = ask.find("with"); with && with->map())
    for (const auto& [name, value] : *with->map())
      if (name != "question" && name != "task" && name != "checklist")
        out += fmt::format("       {}: {}\n", name, printable(to_text(value)));
  return out;
}

std::string approvals_of(const Value& ask) {
  const Value* given = ask.find("given");
  std::string out = fmt::format("     {} of {} approvals until {}Z", given ? given->list()->size() : 0,
                                ask.integer_at("count", 1), ask.text_at("until").substr(11, 8));
  std::string groups;
  if (const Value* of = ask.find("groups"))
    for (const Value& group : *of->list()) groups += (groups.empty() ? ", of " : ", ") + to_text(group);
  return out + groups + "\n";
}

}  // namespace

std::string describe_asked(const Value& asked, bool whole) {
  const Value* asks = asked.find("asks");
  if (!asks || !asks->list() || asks->list()->empty()) return "";
  std::string out = whole ? head_of(asked) : "";
  for (const Value& ask : *asks->list()) {
    const std::string step = ask.text_at("step"), kind = ask.text_at("kind");
    const std::string question = our_text(ask, "question", our_text(ask, "title", step));
    const bool happened = kind == "happened";
    out += fmt::format("\n  ?  {}\n",
                       happened ? fmt::format("did '{}' happen? nobody else can tell", step) : question);
    if (whole || happened) out += deed_of(ask);
    if (const Value* lines = ask.find("checklist"))
      for (const Value& line : *lines->list()) out += fmt::format("     [ ] {}\n", printable(to_text(line)));
    if (kind == "approval") out += approvals_of(ask);
    out += fmt::format("     daruma approve {0} {1}        {2}: daruma approve {0} {1} --reject\n",
                       asked.text_at("run"), step, kind == "approval" ? "or" : "or, if not");
  }
  return out;
}

Result<RunPlace> open_runs_of(App& app, const std::string& run) {
  auto place = open_runs(app);
  if (!place.is(Errc::kRefused)) return place;
  return Error{Errc::kRefused, place.error().what + ", and nobody carries this one out",
               fmt::format("whoever started it goes on with: daruma resume {}", run)};
}

Result<Value> asked_here(App& app, const std::string& run) {
  auto seen = look_control(app.config->state, run, kAnswerWithin);
  if (seen.ok() || (!seen.is(Errc::kUnavailable) && !seen.is(Errc::kNotFound))) return seen;
  DR_TRY(RunPlace place, open_runs_of(app, run));
  DR_TRY(const RunState state, load_run(place.journal(), run, find_step_type));
  return asked_for(asked_of(state), person_of(this_user()));
}

}  // namespace daruma
