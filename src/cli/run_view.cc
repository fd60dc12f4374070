#include "cli/run_view.h"

#include <fmt/format.h>

#include "base/table.h"
#include "cli/asked_view.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma {
namespace {

using namespace run;
using namespace std::chrono_literals;

constexpr size_t kTitleMost = 60;
constexpr size_t kBesideTitle = 46;  // columns for the clock, the mark, how long it took and the first output
constexpr size_t kTitleLeast = 24;
constexpr size_t kFoundMost = 60;  // columns for what a step found
constexpr size_t kOneFoundMost = 32;
constexpr Duration kBetweenDraws = 200ms;

size_t title_width(const Output& out) {
  const auto columns = static_cast<size_t>(out.kind().columns.value_or(kTitleMost + kBesideTitle));
  return std::clamp(columns - std::min(columns, kBesideTitle), kTitleLeast, kTitleMost);
}

std::string clock_time(Instant at) { return to_rfc3339(at).substr(11, 8); }

std::string title_of(const Step& step) { return in_our_language(step.title, step.id); }

std::string took(const StepState& state) {
  if (!state.ended || state.attempts.empty()) return "";
  const Duration time = *state.ended - state.attempts.front().started;
  const size_t acts =
      static_cast<size_t>(std::count_if(state.attempts.begin(), state.attempts.end(),
                                        [](const Attempt& attempt) { return attempt.verb == Verb::kAct; }));
  return human_duration(time) + (acts > 1 ? fmt::format(", {} attempts", acts) : "");
}

struct Look {
  Colour colour;
  std::string_view mark;
};

Look look_of(const StepState& state) {
  if (state.undone) return {Colour::kYellow, "↶"};
  if (state.undo_failed) return {Colour::kRed, "✗"};
  switch (state.phase) {
    case StepPhase::kSucceeded:
      return {Colour::kGreen, "✓"};
    case StepPhase::kFailed:
      return {Colour::kRed, "✗"};
    case StepPhase::kSkipped:
      return {Colour::kFaint, "–"};
    case StepPhase::kAsking:
    case StepPhase::kPerson:
      return {Colour::kYellow, "?"};
    case StepPhase::kRunning:
    case StepPhase::kPausing:
    case StepPhase::kVanished:
      return {Colour::kBold, "▸"};
    case StepPhase::kWaiting:
      break;
  }
  return {Colour::kFaint, "·"};
}

// The short ones of a step's outputs, as "requests 100, p99_ms 5.05".
std::string found(const Value& outputs) {
  std::string out;
  if (!outputs.map()) return out;
  for (const auto& [name, value] : *outputs.map()) {
    if (value.map() || value.list() || value.is_null()) continue;
    const double* number = value.floating();
    const std::string text = number ? fmt::format("{:.3g}", *number) : printable(to_text(value));
    if (text.empty() || display_width(text) > kOneFoundMost) continue;
    const std::string one = fmt::format("{}{} {}", out.empty() ? "" : ", ", name, text);
    if (display_width(out) + display_width(one) <= kFoundMost) out += one;
  }
  return out;
}

// Whole seconds: a clock that people watch.
std::string watched(Duration time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return seconds < 60s ? fmt::format("{} s", seconds.count()) : human_duration(seconds);
}

std::string padded(const std::string& text, size_t width) {
  const std::string fitted = fit_to_width(printable(text), width);
  return fitted + std::string(width - std::min(width, display_width(fitted)), ' ');
}

}  // namespace

bool japanese_terminal() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"})
    if (const auto value = environment_variable(name); value && !value->empty())
      return value->starts_with("ja");
  return false;
}

std::string in_our_language(const Text& text, const std::string& otherwise) {
  const bool japanese = japanese_terminal();
  const std::string& first = japanese ? text.ja : text.en;
  const std::string& second = japanese ? text.en : text.ja;
  return !first.empty() ? first : !second.empty() ? second : otherwise;
}

void RunView::clear() {
  if (!std::exchange(drawn_, std::nullopt)) return;
  app_.out.write("\r\x1b[K");
}

void RunView::say(const std::string& text) {
  clear();
  app_.out.write(text + "\n");
  app_.out.flush();
}

void RunView::line(Instant at, Colour colour, std::string_view mark, const std::string& text,
                   const std::string& right) {
  say(fmt::format("  {}  {} {}  {}", paint(app_.out, Colour::kFaint, clock_time(at)),
                  paint(app_.out, colour, mark), padded(text, title_width(app_.out)), right));
}

void RunView::note_running(const RunState& state) {
  running_.clear();
  size_t ended = 0;
  const auto& steps = state.created().plan.plan.steps;
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    if (at.phase != StepPhase::kRunning || at.attempts.empty()) continue;
    const auto usual = usual_.find(step.id);
    running_.push_back({title_of(step), at.attempts.front().started,
                        usual == usual_.end() ? std::nullopt : std::optional(usual->second)});
  }
  for (const Step& step : steps) ended += has_ended(state.at(step.id).phase);
  progress_ = fmt::format("{} of {} steps", ended, steps.size());
  left_at_ = app_.clock.now();
  left_ = forecast_left(state, usual_, left_at_);
}

std::string RunView::running_text(Instant now) const {
  std::string titles;
  for (const Running& one : running_) titles += (titles.empty() ? "▸ " : ", ") + one.title;
  const Running& first = running_.front();
  std::string times = watched(now - first.since);
  if (first.usual && *first.usual >= 1s) times += ", usually " + watched(*first.usual);
  std::string rest = progress_;
  if (left_) rest += fmt::format(", about {} left", watched(std::max(Duration{}, *left_ - (now - left_at_))));
  return fmt::format("{}  {}  ·  {}", titles, times, rest);
}

void RunView::draw_running() {
  clear();
  if (!app_.out.kind().columns || running_.empty()) return;
  const auto columns = static_cast<size_t>(*app_.out.kind().columns);
  app_.out.write("            " +
                 fit_to_width(running_text(app_.clock.now()), columns - std::min<size_t>(columns, 14)));
  app_.out.flush();
  drawn_ = app_.clock.mono();
}

void RunView::tick() {
  if (drawn_ && app_.clock.mono() - *drawn_ >= kBetweenDraws) draw_running();
}

void RunView::show_step(const RunState& state, const StepEnded& ended) {
  const Step& step = *state.step(ended.step);
  const StepState& at = state.at(ended.step);
  const Instant when = at.ended.value_or(app_.clock.now());
  const Verb verb = at.attempts[ended.attempt - 1].verb;
  if (verb == Verb::kUndo) {
    if (at.undone) line(app_.clock.now(), Colour::kYellow, "↶", "undone: " + title_of(step), "");
    if (!at.undo_failed) return;  // it is undone, or that will be tried again
    line(app_.clock.now(), Colour::kRed, "✗", "not undone: " + title_of(step), "something remains");
    say("               " + paint(app_.out, Colour::kRed, printable(at.undo_error)));
    return;
  }
  if (at.phase == StepPhase::kVanished && verb == Verb::kAct)
    line(when, Colour::kYellow, "?", title_of(step),
         printable(at.error) + ": finding out whether it happened");
  if (at.phase != StepPhase::kSucceeded && at.phase != StepPhase::kFailed) return;  // it will be tried again
  const Look look = look_of(at);
  const std::string outputs = at.phase == StepPhase::kSucceeded ? found(at.outputs) : "";
  line(when, look.colour, look.mark, title_of(step),
       outputs.empty() ? took(at)
                       : fmt::format("{:<7}  {}", took(at), paint(app_.out, Colour::kFaint, outputs)));
  if (at.phase != StepPhase::kFailed) return;
  say("               " + paint(app_.out, Colour::kRed, printable(at.error)));
  if (!at.hint.empty()) say("               " + printable(at.hint));
  if (!step.raise.empty()) say(fmt::format("               next: daruma recover {}", step.raise));
  say(fmt::format("               output: {}",
                  (place_.attempt(state.id(), step.id, ended.attempt) / "output").string()));
}

// What a run was asked to do; the frozen plan itself is in the journal.
static Value beginning_of(const RunState& state) {
  const RunCreated& created = state.created();
  Value body;
  body.set("plan", created.plan.plan.name).set("plan_hash", created.plan.hash);
  body.set("target", std::string(to_string(created.target))).set("by", created.by.name);
  body.set("reason", created.reason);
  if (!created.plan.scopes.empty()) body.set("arguments", created.plan.scopes.front().arguments);
  return body;
}

void RunView::show(const RunState& state, const JournalEvent& event) {
  if (app_.json) {
    Value object;
    object.set("at", to_rfc3339(event.at)).set("run", state.id()).set("position", event.position);
    object.set("event", event.kind)
        .set("body", event.kind == "run_created" ? beginning_of(state) : event.body);
    app_.out.write(to_json(object) + "\n");
    app_.out.flush();
    return;
  }
  const auto body = event_of(event);
  if (!body.ok()) return;
  if (const auto* ended = std::get_if<StepEnded>(&*body)) show_step(state, *ended);
  if (const auto* skipped = std::get_if<StepSkipped>(&*body))
    line(event.at, Colour::kFaint, "–", title_of(*state.step(skipped->step)),
         fmt::format("skipped (when: {})", skipped->why));
  if (const auto* refused = std::get_if<StepRefused>(&*body)) {
    line(event.at, Colour::kRed, "✗", title_of(*state.step(refused->step)), "did not begin");
    say("               " + paint(app_.out, Colour::kRed, printable(refused->error)));
    if (!refused->hint.empty()) say("               " + printable(refused->hint));
  }
  if (const auto* vanished = std::get_if<StepVanished>(&*body))
    line(event.at, Colour::kYellow, "?", title_of(*state.step(vanished->step)),
         vanished->started ? "began, and left no outcome: finding out" : "never began: again");
  if (const auto* given = std::get_if<ApprovalGiven>(&*body))
    line(event.at, given->agree && !given->break_glass ? Colour::kGreen : Colour::kRed,
         given->break_glass ? "!"
         : given->agree     ? "✓"
                            : "✗",
         fmt::format("{} {} {}", given->by.name,
                     given->break_glass ? "BREAKS THE GLASS for"
                     : given->agree     ? "approves"
                                        : "rejects",
                     given->step),
         given->reason);
  if (const auto* asked = std::get_if<AbortAsked>(&*body))
    line(event.at, Colour::kRed, "■", fmt::format("{} aborts the run", asked->by.name), asked->reason);
  if (std::holds_alternative<ApprovalAsked>(*body) || std::holds_alternative<PersonAsked>(*body))
    say(waits_for(state));
  note_running(state);
  draw_running();
}

std::string waits_for(const RunState& state) { return describe_asked(asked_of(state), false); }

std::string describe(const App& app, const RunState& state) {
  const Plan& plan = state.created().plan.plan;
  std::string out = fmt::format("{}  {}\n", paint(app.out, Colour::kBold, state.id()),
                                in_our_language(plan.title, plan.name));
  out += fmt::format("on {}, started {} by {}{}\n\n", to_string(state.created().target),
                     to_rfc3339(state.started_at()), state.created().by.name,
                     state.created().reason.empty() ? "" : ": " + state.created().reason);
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    const Look look = look_of(at);
    std::string right = took(at);
    if (at.phase == StepPhase::kSkipped) right = fmt::format("skipped (when: {})", at.skipped_because);
    if (at.phase == StepPhase::kFailed) right = printable(at.error);
    if (at.undo_failed) right = "not undone: " + printable(at.undo_error);
    if (at.phase == StepPhase::kAsking) right = "waits for approval";
    if (at.phase == StepPhase::kPerson) right = "waits for a person";
    if (at.phase == StepPhase::kWaiting && state.end()) right = "not run";
    const std::string when = at.attempts.empty() ? "        " : clock_time(at.attempts.front().started);
    out += fmt::format("  {}  {} {}  {}\n", paint(app.out, Colour::kFaint, when),
                       paint(app.out, look.colour, look.mark), padded(title_of(step), title_width(app.out)),
                       right);
  }
  out += waits_for(state);
  if (state.end()) out += fmt::format("\n{}\n", state.summary(japanese_terminal()));
  return out;
}

int exit_of(const RunState& state) {
  if (!state.end()) return waits_for(state).empty() ? kFailed : kWaits;
  return state.end()->outcome == RunOutcome::kSucceeded ? kDone : kFailed;
}

}  // namespace daruma
