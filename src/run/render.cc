#include "run/render.h"

#include <algorithm>

#include <fmt/format.h>

#include "report/wording.h"
#include "run/graph.h"
#include "run/parameter.h"
#include "run/plan_words.h"
#include "run/step_inputs.h"

namespace daruma::run {
namespace {

// Text as it is, whatever Markdown would make of it.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += ' ';
      continue;
    }
    if (std::string_view("\\`*_[]<>|#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string code(const std::string& text) {
  const std::string ticks = text.find('`') == std::string::npos ? "`" : "``";
  return ticks + (ticks.size() > 1 ? " " : "") + text + (ticks.size() > 1 ? " " : "") + ticks;
}

class Runbook {
 public:
  Runbook(const Plan& plan, const Paper& paper)
      : plan_(plan), paper_(paper), wording_(paper.language, {}), graph_(plan.steps), order_(graph_.order()) {
    for (size_t i = 0; i < order_.size(); ++i) numbers_[order_[i]] = i + 1;
    for (const size_t at : order_)
      if (!no_return_ && effect_of(plan.steps[at]) == Effect::kDestroy) no_return_ = at;
  }

  std::string text() {
    out_ = "# " + plain(say(plan_.title)) + "\n\n";
    add_head();
    add_case();
    add_overview();
    out_ += say("## 手順\n", "## Steps\n");
    for (const size_t at : order_) add_step(at);
    add_end();
    return std::move(out_);
  }

 private:
  std::string say(std::string_view ja, std::string_view en) const { return wording_.say(ja, en); }
  std::string say(const Text& text) const { return wording_.say(report::Words{text.ja, text.en}); }
  std::string colon() const { return say("：", ": "); }

  const StepType* type_of(const Action& action) const {
    const auto found = std::ranges::find(paper_.types, action.type, &StepType::name);
    return found == paper_.types.end() ? nullptr : &*found;
  }
  Effect effect_of(const Step& step) const {
    const StepType* type = type_of(step.action);
    return type ? type->effect : Effect::kChange;
  }
  std::string effect_word(const Step& step) const {
    if (step.action.type == "approve") return say("承認", "approval");
    switch (effect_of(step)) {
      case Effect::kObserve:
        return say("見るだけ", "looks");
      case Effect::kChange:
        return say("変更する", "changes");
      case Effect::kDestroy:
        break;
    }
    return say("**元に戻せない**", "**destroys**");
  }

  void row(const std::string& label, const std::string& value) {
    out_ += fmt::format("| {} | {} |\n", label, value.empty() ? say("記載なし", "not given") : value);
  }

  void add_head() {
    const Head& head = plan_.head;
    const std::string status = head.status == "final"   ? say("確定", "final")
                               : head.status == "draft" ? say("下書き", "draft")
                                                        : "";
    out_ += say("| 項目 | 内容 |\n", "| | |\n") + "| --- | --- |\n";
    row(say("復旧プラン", "plan"), code(plan_.name));
    row(say("バージョン", "version"), plain(head.version));
    row(say("ステータス", "status"), status);
    row(say("最終更新", "updated"), head.updated);
    row(say("次回レビュー予定", "next review due"), head.review_due);
    if (paper_.rpo) row(say("目標復旧時点 (RPO)", "RPO"), duration_text(*paper_.rpo, paper_.language));
    if (paper_.rto) row(say("目標復旧時間 (RTO)", "RTO"), duration_text(*paper_.rto, paper_.language));
    row(say("所要時間の予測", "forecast"), forecast());
    out_ += "\n";
  }

  std::string forecast() const {
    const auto whole = run::forecast(plan_.steps, paper_.expected);
    if (!whole) return no_basis();
    return duration_text(*whole, paper_.language) +
           say("（承認を待つ時間を除く）", " (without waiting for people)");
  }
  std::string no_basis() const { return say("予測の根拠がありません", "no basis for a forecast"); }

  void bullets(const std::string& heading, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out_ += "## " + heading + "\n\n";
    for (const std::string& item : items) out_ += "- " + item + "\n";
    out_ += "\n";
  }

  void add_case() {
    if (plan_.level > 0 || !plan_.impact.empty()) {
      const std::string level = plan_.level > 0 ? level_text(plan_, paper_.language) : "";
      const std::string joint = level.empty() || plan_.impact.empty() ? "" : say("— ", ": ");
      bullets(say("影響範囲", "Scope of impact"), {plain(level) + joint + plain(say(plan_.impact))});
    }
    std::vector<std::string> items;
    for (const Detection& each : plan_.detect)
      items.push_back(!each.alert.empty()   ? say("アラート ", "alert ") + code(each.alert)
                      : !each.probe.empty() ? say("監視項目 ", "probe ") + code(each.probe)
                                            : plain(say(each.words)));
    bullets(say("検知", "How it is detected"), items);
    items.clear();
    for (const Action& action : plan_.preconditions)
      items.push_back(code(action_words(action, paper_.language)));
    bullets(say("前提条件", "Preconditions"), items);
    items.clear();
    for (const Parameter& each : plan_.parameters)
      items.push_back(code(each.name) + " (" + std::string(to_string(each.type)) + ")" +
                      (each.standard ? colon() + standard_of(*each.standard) : "") +
                      (each.help.empty() ? "" : say("。", "; ") + plain(say(each.help))));
    bullets(say("パラメータ", "Parameters"), items);
    items.clear();
    for (const std::string& contact : plan_.contacts) items.push_back(code(contact));
    bullets(say("緊急連絡先", "Emergency contacts"), items);
  }

  std::string standard_of(const Value& value) const {
    return value == Value("") ? say("空", "empty") : code(to_text(value));
  }

  std::string title_of(const Step& step) const {
    const std::string title = say(step.title);
    return title.empty() ? code(step.id) : plain(title);
  }

  void add_overview() {
    out_ += say("## 全体の流れ\n\n| 番号 | ステップ | 影響 | 待つもの | 所要時間 |\n",
                "## Overview\n\n| no. | step | effect | waits for | expected |\n");
    out_ += "| --- | --- | --- | --- | --- |\n";
    for (const size_t at : order_) {
      const Step& step = plan_.steps[at];
      if (no_return_ == at)
        out_ += say("| | **── 引き返せない点 ──** | | | |\n", "| | **── point of no return ──** | | | |\n");
      std::string needs;
      for (const size_t need : graph_.needs(at))
        needs += fmt::format("{}{}", needs.empty() ? "" : ", ", numbers_.at(need));
      const auto expected = paper_.expected.find(step.id);
      out_ += fmt::format(
          "| {} | {}{} | {} | {} | {} |\n", numbers_.at(at), title_of(step),
          step.approve ? say("（承認）", " (approval)") : "", effect_word(step), needs,
          expected == paper_.expected.end() ? no_basis() : duration_text(expected->second, paper_.language));
    }
    out_ += "\n";
  }

  void point(const std::string& label, const std::string& text) {
    out_ += "- " + label + colon() + text + "\n";
  }

  void add_step(size_t at) {
    const Step& step = plan_.steps[at];
    if (no_return_ == at)
      out_ +=
          say("\n---\n\n**引き返せない点**"
              "：ここから先は元に戻せません。承認と復元元を確かめてから進んでください。\n",
              "\n---\n\n**Point of no return**: nothing below can be taken back. Go on only with the "
              "approvals, and "
              "with the source proven.\n");
    out_ += fmt::format("\n### {}. {}\n\n", numbers_.at(at), title_of(step));
    point(say("ステップ", "step"),
          code(step.id) + say("、", ", ") + code(step.action.type) + say("、", ", ") + effect_word(step));
    if (step.when) point(say("条件", "only if"), code(step.when->text()));
    if (step.approve) add_approval(*step.approve);
    if (step.timeout || step.retry) point(say("上限", "bounds"), bounds_of(step));
    add_commands(step, step.action);
    point(say("失敗したら", "if it fails"), on_failure(step));
    add_undo(step);
    out_ += say("- [ ] 完了（時刻　　　　　　担当　　　　　　）\n",
                "- [ ] done (at               by               )\n");
  }

  void add_approval(const Approval& approval) {
    std::string who = say(fmt::format("{} 人", approval.count),
                          fmt::format("{} {}", approval.count, approval.count == 1 ? "person" : "people"));
    if (!approval.groups.empty())
      who = wording_.with(who, fmt::format("{}", fmt::join(approval.groups, ", ")));
    point(say("承認", "approval"), who + colon() + plain(say(approval.question)));
  }

  std::string bounds_of(const Step& step) const {
    std::vector<std::string> parts;
    if (step.timeout)
      parts.push_back(say(duration_text(*step.timeout, paper_.language) + "以内",
                          "within " + duration_text(*step.timeout, paper_.language)));
    if (step.retry && step.retry->within > Duration{}) {
      const std::string within = duration_text(step.retry->within, paper_.language);
      parts.push_back(say(within + "まで繰り返す", "again and again for " + within));
    } else if (step.retry) {
      parts.push_back(say(fmt::format("{} 回まで繰り返す", step.retry->times),
                          fmt::format("again up to {} times", step.retry->times)));
    }
    return fmt::format("{}", fmt::join(parts, say("、", ", ")));
  }

  void add_commands(const Step& step, const Action& action) {
    const std::vector<std::string> lines =
        paper_.by_hand ? paper_.by_hand(step, action) : std::vector<std::string>();
    if (lines.empty())
      return point(say("手で行うこと", "by hand"), code(action_words(action, paper_.language)));
    std::string fence = "```";
    for (const std::string& line : lines)
      while (line.find(fence) != std::string::npos) fence += '`';
    out_ += "\n" + fence + "sh\n";
    for (const std::string& line : lines) out_ += line + "\n";
    out_ += fence + "\n\n";
  }

  std::string on_failure(const Step& step) const {
    std::string text =
        step.on_failure == OnFailure::kContinue ? say("先へ進む", "go on")
        : step.on_failure == OnFailure::kUndo
            ? say("止まり、ここまでを新しい順に元に戻す", "stop, and undo what was done, newest first")
            : say("ここで止まる", "stop here");
    if (!step.raise.empty()) text += say("。次のプランへ：", "; then the plan ") + code(step.raise);
    return text;
  }

  void add_undo(const Step& step) {
    if (effect_of(step) == Effect::kObserve) return;
    const StepType* type = type_of(step.action);
    const std::string label = say("元に戻すには", "to undo it");
    if (step.undo) {
      point(label, code(action_words(*step.undo, paper_.language)));
      return add_commands(step, *step.undo);
    }
    if (type && type->undo)
      return point(label, say("直前の状態に戻す（Daruma は記録から行います）",
                              "bring back what was before it (Daruma does so from its record)"));
    point(label, effect_of(step) == Effect::kDestroy
                     ? say("元に戻せません", "it cannot be undone")
                     : say("このステップに取り消しはありません", "this step has no undo"));
  }

  void add_end() {
    if (!plan_.finish.notify.empty()) {
      out_ += say("\n## 終了後\n\n", "\n## In the end\n\n");
      point(say("検証に合格してから通知", "tell, once verification has passed"),
            code(fmt::format("{}", fmt::join(plan_.finish.notify, ", "))));
      if (plan_.finish.report)
        out_ += say("- インシデントレポートを書く（発生、検知、復旧の時刻と、失われたデータ）\n",
                    "- write the incident report (times of outage, detection and recovery; data lost)\n");
    }
    if (plan_.prevent.empty()) return;
    out_ += say("\n## 予防措置\n\n", "\n## Preventive measures\n\n");
    for (const Text& each : plan_.prevent) out_ += "- " + plain(say(each)) + "\n";
  }

  const Plan& plan_;
  const Paper& paper_;
  const report::Wording wording_;
  const Graph graph_;
  const std::vector<size_t> order_;
  std::map<size_t, size_t> numbers_;  // by step: its number on paper
  std::optional<size_t> no_return_;   // the first step that cannot be taken back
  std::string out_;
};

}  // namespace

std::string render_runbook(const Plan& plan, const Paper& paper) { return Runbook(plan, paper).text(); }

std::function<std::vector<std::string>(const Step&, const Action&)> commands_of(
    const FrozenPlan& plan, std::span<const StepType> types, const StepContext& base) {
  return [&plan, types, &base](const Step& step, const Action& action) -> std::vector<std::string> {
    const auto type = std::ranges::find(types, action.type, &StepType::name);
    if (type == types.end() || !type->by_hand) return {};
    // What is not known yet stands there by its name, so that a person can put it in.
    const Lookup later = [](std::string_view name) {
      const std::string_view shown = name.starts_with("steps.") ? name.substr(6) : name;
      return std::optional<Value>(fmt::format("<{}>", shown));
    };
    const auto filled = fill(Value(action.with), lookup_for(plan, step, later));
    if (!filled.ok()) return {"# " + filled.error().what};
    StepContext context = base;
    context.step = step.id;
    context.with = *filled->map();
    // A name in the place of a number is no input, but still says what a person must put in.
    if (auto inputs = step_inputs(*type, context.with); inputs.ok()) context.with = *std::move(inputs);
    return type->by_hand(context);
  };
}

}  // namespace daruma::run
