// A plan as a shell script for the day the tool is down.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/shell_word.h"
#include "report/wording.h"
#include "run/graph.h"
#include "run/plan_links.h"
#include "run/plan_words.h"
#include "run/render.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

// What every script begins with; the words with @ are put in, in the script's language.
constexpr const char* kFrame = R"SH(set -eu
yes=no
[ "${1:-}" != --yes ] || yes=yes
current=0
note() { printf '   %s\n' "$*"; }
ask() {
  [ "$yes" != yes ] || return 0
  [ -t 0 ] || { printf '%s\n' @TERMINAL >&2; exit 3; }
  printf '%s [yes/no] ' "$1"
  read -r answer
  [ "$answer" = yes ]
}
must() { ask "$1" || { printf '%s\n' @REFUSED >&2; exit 4; }; }
begin() { current=$1; printf '\n== %s/%s %s\n' "$1" "$2" "$3"; }
failed() { printf '%s %s\n' @FAILED "$current" >&2; exit 1; }
value() {
  [ -t 0 ] || { printf '%s %s\n' @VALUE "$1" >&2; exit 3; }
  printf '%s: ' "$1"
  read -r answer
}
again() {
  last=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$last" ] || return 1
    sleep 1
  done
}
)SH";

void put(std::string& text, const std::string& mark, const std::string& with) {
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += with.size())
    text.replace(at, mark.size(), with);
}

class Script {
 public:
  Script(const Plan& plan, const Paper& paper)
      : plan_(plan), paper_(paper), wording_(paper.language, {}), graph_(plan.steps), order_(graph_.order()) {
    for (size_t i = 0; i < order_.size(); ++i) numbers_[plan.steps[order_[i]].id] = i + 1;
  }

  std::string text() {
    out_ = fmt::format("#!/bin/sh\n# {}\n# {}\n", one_line(say(plan_.title)),
                       say(fmt::format("復旧プラン {} から作成。Daruma が動かない日のために", plan_.name),
                           fmt::format("made of the plan {}, for the day Daruma is down", plan_.name)));
    std::string frame = kFrame;
    put(frame, "@TERMINAL",
        shell_word(say("端末がないため何もしません（--yes で承認済みとして実行）",
                       "no terminal to ask at, so nothing is done (--yes: all is agreed to)")));
    put(frame, "@REFUSED",
        shell_word(
            say("承認されませんでした。ここまで何も変更していません", "not agreed to; nothing was changed")));
    put(frame, "@FAILED",
        shell_word(say("失敗しました。この後は何も行っていません。ステップ",
                       "FAILED, and nothing after it was done. Step")));
    put(frame, "@VALUE",
        shell_word(say("端末がないため尋ねられない値：", "no terminal to ask for the value of")));
    out_ += frame;
    add_questions();
    const size_t before_steps = out_.size();
    bool returns = true;
    for (const size_t at : order_) {
      const Step& step = plan_.steps[at];
      if (returns && effect_of(step) == Effect::kDestroy) {
        returns = false;
        out_ += fmt::format("\nprintf '\\n%s\\n' {}\n",
                            shell_word(say("━━ 引き返せない点 ━━", "━━ point of no return ━━")));
      }
      add_step(step);
    }
    out_ += fmt::format("\nprintf '\\n%s\\n' {}\n",
                        shell_word(say("すべてのステップが終わりました。検証してから通知してください",
                                       "every step has ended; verify, then tell people")));
    // Whoever starts it without a terminal learns at once that it could not go to its end.
    if (!variables_.empty())
      out_.insert(before_steps, "[ -t 0 ] || value " + shell_word(variables_.begin()->first) + "\n");
    return std::move(out_);
  }

 private:
  std::string say(std::string_view ja, std::string_view en) const { return wording_.say(ja, en); }
  std::string say(const Text& text) const { return wording_.say(report::Words{text.ja, text.en}); }
  static std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
  }

  Effect effect_of(const Step& step) const {
    const auto type = std::ranges::find(paper_.types, step.action.type, &StepType::name);
    return type == paper_.types.end() ? Effect::kChange : type->effect;
  }
  std::string title_of(const Step& step) const {
    const std::string title = one_line(say(step.title));
    return title.empty() ? step.id : fmt::format("{}: {}", step.id, title);
  }

  // All of them before the first step: whoever says no finds everything as it was.
  void add_questions() {
    out_ += "\n";
    for (const size_t at : order_) {
      const Step& step = plan_.steps[at];
      std::string question = step.approve ? say(step.approve->question) : "";
      if (step.action.type == "approve")
        if (const auto asked = step.action.with.find("question"); asked != step.action.with.end())
          question = input_words(asked->second, paper_.language);
      if (!question.empty())
        out_ +=
            fmt::format("must {}\n", shell_word(fmt::format("{} — {}", title_of(step), one_line(question))));
    }
  }

  void add_step(const Step& step) {
    if (step.action.type == "approve" || step.action.type == kNest) return;
    const size_t number = numbers_.at(step.id);
    out_ += fmt::format("\ndo_{}() {{\n", number);
    add_commands(step);
    out_ += "}\n";
    const std::string indent = step.when ? "  " : "";
    if (step.when) out_ += fmt::format("state_{}=skipped\nif {}; then\n", number, condition_of(step));
    std::string values;  // a step that was skipped may not have asked
    for (const std::string& name : std::exchange(used_now_, {}))
      values += fmt::format("{0}[ -n \"${{value_{1}:-}}\" ] || {{ value {2} && value_{1}=$answer; }}\n",
                            indent, variables_.at(name), shell_word(name));
    out_ += fmt::format("{}begin {} {} {}\n", indent, number, order_.size(), shell_word(title_of(step)));
    out_ += values;
    const auto seconds = step.retry ? seconds_of(*step.retry) : 0;
    const std::string call =
        seconds > 0 ? fmt::format("again {} do_{}", seconds, number) : fmt::format("do_{}", number);
    const std::string otherwise =
        step.on_failure == OnFailure::kContinue ? fmt::format("state_{}=failed", number) : "failed";
    out_ +=
        fmt::format("{0}if {1}; then state_{2}=succeeded; else {3}; fi\n", indent, call, number, otherwise);
    if (step.when) out_ += "fi\n";
  }

  static int64_t seconds_of(const Retry& retry) {
    const Duration whole = retry.within > Duration{} ? retry.within : retry.times * retry.pause_most;
    return std::chrono::duration_cast<std::chrono::seconds>(whole).count();
  }

  // What only an earlier step will tell stands there as <STEP.OUTPUT>; a person is asked for it, once.
  std::string with_variables(const std::string& line) {
    std::string out;
    char quote = 0;
    for (size_t at = 0; at < line.size(); ++at) {
      const char c = line[at];
      const size_t end = line.find('>', at);
      const std::string name = c == '<' && end != std::string::npos ? line.substr(at + 1, end - at - 1) : "";
      const bool open =
          name.find('.') != std::string::npos &&
          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_/.") == std::string::npos;
      if (open) {
        const std::string variable = variable_of(name);
        out += quote == '\''  ? "'\"$" + variable + "\"'"
               : quote == '"' ? "${" + variable + "}"
                              : "\"$" + variable + "\"";
        at = end;
        continue;
      }
      if (c == '\\' && quote != '\'' && at + 1 < line.size()) out += line[at++];
      if ((c == '\'' || c == '"') && (quote == 0 || quote == c)) quote = quote == 0 ? c : '\0';
      out += line[at];
    }
    return out;
  }

  std::string variable_of(const std::string& name) {
    const auto [known, added] = variables_.emplace(name, variables_.size() + 1);
    used_now_.insert(name);
    return fmt::format("value_{}", known->second);
  }

  // One after the other, each only if the one before it went well: "set -e" does not hold inside an `if`.
  void add_commands(const Step& step) {
    std::vector<std::string> lines =
        paper_.by_hand ? paper_.by_hand(step, step.action) : std::vector<std::string>();
    const bool person = lines.empty() || std::ranges::all_of(lines, [](const std::string& line) {
                          return line.starts_with('#');
                        });
    for (std::string& line : lines)
      if (line.starts_with('#'))
        line =
            "note " + shell_word(one_line(line.substr(std::min(line.find_first_not_of("# "), line.size()))));
    if (person) {
      if (lines.empty())
        lines.push_back("note " + shell_word(one_line(action_words(step.action, paper_.language))));
      lines.push_back("ask " + shell_word(say("終わりましたか", "is it done?")));
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      lines[i] = with_variables(lines[i]);
      // A remark at the line's end would swallow what joins it to the next.
      const bool remark = lines[i].find(" #") != std::string::npos;
      const std::string_view joint = i + 1 < lines.size() ? " &&" : "";
      out_ += remark ? fmt::format("  {{ {}\n  }}{}\n", lines[i], joint)
                     : fmt::format("  {}{}\n", lines[i], joint);
    }
  }

  // How another step ended is known here; anything else a person must tell.
  std::string condition_of(const Step& step) const {
    const std::vector<std::string> names = step.when->names();
    const std::string text = step.when->text();
    if (names.size() == 1 && (text == names[0] || text == "not " + names[0])) {
      const auto reference = step_reference(names[0]);
      const std::string id = !reference           ? ""
                             : step.group.empty() ? std::string(reference->step)
                                                  : fmt::format("{}/{}", step.group, reference->step);
      const bool end = reference && (reference->name == "failed" || reference->name == "succeeded" ||
                                     reference->name == "skipped");
      if (const auto number = numbers_.find(id); end && number != numbers_.end())
        return fmt::format("[ \"${{state_{}:-skipped}}\" {} {} ]", number->second,
                           text == names[0] ? "=" : "!=", reference->name);
    }
    return "ask " + shell_word(fmt::format("{} — {}", title_of(step),
                                           say("次の条件は成り立ちますか：", "does this hold: ") + text));
  }

  const Plan& plan_;
  const Paper& paper_;
  const report::Wording wording_;
  const Graph graph_;
  const std::vector<size_t> order_;
  std::map<std::string, size_t> numbers_;
  std::map<std::string, size_t> variables_;  // by what an earlier step will tell
  std::set<std::string> used_now_;           // those of the step at hand
  std::string out_;
};

}  // namespace

std::string render_script(const Plan& plan, const Paper& paper) { return Script(plan, paper).text(); }

}  // namespace daruma::run
