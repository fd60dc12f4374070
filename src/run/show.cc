#include "run/show.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/table.h"
#include "report/wording.h"
#include "run/lanes.h"
#include "run/parameter.h"
#include "run/plan_words.h"

namespace daruma::run {
namespace {

enum class Paint : uint8_t { kNone, kBold, kFaint, kRed, kYellow, kGreen, kRedBold };

class Drawing {
 public:
  Drawing(const Plan& plan, std::span<const StepType> types, const Canvas& canvas)
      : plan_(plan),
        types_(types),
        canvas_(canvas),
        columns_(std::max<size_t>(40, canvas.columns)),
        wording_(canvas.language, report::Zone{}),
        lanes_(Graph(plan.steps)) {
    for (const Step& step : plan.steps) id_width_ = std::max(id_width_, display_width(step.id));
    id_width_ = std::min<size_t>(id_width_, columns_ / 3);
  }

  std::string text() {
    draw_head();
    bool returns = true;
    for (const size_t at : lanes_.order()) {
      const Step& step = plan_.steps[at];
      lanes_.enter(at);
      if (step.approve) draw_approval(*step.approve);
      if (returns && effect_of(step) == Effect::kDestroy) {
        returns = false;
        draw_point_of_no_return();
      }
      draw_step(step);
      if (const std::string joints = lanes_.leave(); !joints.empty()) out_ += " " + trimmed(joints) + "\n";
    }
    draw_foot();
    return std::move(out_);
  }

 private:
  std::string say(std::string_view ja, std::string_view en) const { return wording_.say(ja, en); }
  std::string say(const Text& text) const { return wording_.say(report::Words{text.ja, text.en}); }

  const StepType* type_of(const std::string& name) const {
    const auto found = std::ranges::find(types_, name, &StepType::name);
    return found == types_.end() ? nullptr : &*found;
  }
  Effect effect_of(const Step& step) const {
    const StepType* type = type_of(step.action.type);
    return type ? type->effect : Effect::kObserve;
  }

  std::string paint(Paint paint, const std::string& text) const {
    static constexpr std::string_view kCodes[] = {"", "1", "2", "31", "33", "32", "1;31"};
    if (!canvas_.colours || paint == Paint::kNone || text.empty()) return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(paint)], text);
  }

  static std::string trimmed(std::string text) {
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

  // A line of the graph's rows and a text, cut where the terminal ends.
  void line(const std::string& row, Paint row_paint, const std::string& text, Paint text_paint) {
    const size_t used = 1 + lanes_.width() + 1;
    const std::string fitted = fit_to_width(printable(text), columns_ > used + 10 ? columns_ - used : 10);
    const std::string left = fitted.empty() ? trimmed(row) : row + " ";
    out_ += " " + paint(row_paint, left) + paint(text_paint, fitted) + "\n";
  }

  void field(const std::string& label, const std::string& value) {
    if (value.empty()) return;
    const std::string gap(label_width() > display_width(label) ? label_width() - display_width(label) : 0,
                          ' ');
    out_ += " " + paint(Paint::kFaint, label + gap) + "  " +
            fit_to_width(printable(value), columns_ - label_width() - 3) + "\n";
  }
  size_t label_width() const { return wording_.japanese() ? 10 : 13; }

  void draw_head() {
    const std::string title = fit_to_width(printable(say(plan_.title)), columns_ - 1);
    const std::string level = plan_.level > 0 ? "  " + level_text(plan_, canvas_.language) : "";
    const size_t used = 1 + display_width(title) + display_width(level) + 2 + display_width(plan_.name);
    out_ += " " + paint(Paint::kBold, title) + (used <= columns_ ? level + "  " : "\n ") +
            paint(Paint::kFaint, plan_.name) + (used <= columns_ ? "" : level) + "\n";
    field(say("影響範囲", "impact"), say(plan_.impact));
    std::string detected;
    for (const Detection& detection : plan_.detect) {
      const std::string one = !detection.alert.empty()   ? detection.alert
                              : !detection.probe.empty() ? say("監視項目 ", "probe ") + detection.probe
                                                         : say(detection.words);
      detected += (detected.empty() ? "" : say("、", ", ")) + one;
    }
    field(say("検知", "detected by"), detected);
    std::string parameters;
    for (const Parameter& parameter : plan_.parameters) {
      parameters += (parameters.empty() ? "" : ", ") + parameter.name;
      parameters += parameter.standard ? "=" + to_text(*parameter.standard)
                                       : fmt::format(" ({})", to_string(parameter.type));
    }
    field(say("パラメータ", "parameters"), parameters);
    std::string preconditions;
    for (const Action& action : plan_.preconditions)
      preconditions += (preconditions.empty() ? "" : ", ") + action_words(action, canvas_.language);
    field(say("前提条件", "preconditions"), preconditions);
    out_ += "\n";
  }

  void draw_approval(const Approval& approval) {
    std::string who = approval.count == 1 ? say("承認", "approval")
                                          : say(fmt::format("{} 人の承認", approval.count),
                                                fmt::format("{} approvals", approval.count));
    if (!approval.groups.empty())
      who = wording_.with(who, fmt::format("{}", fmt::join(approval.groups, ", ")));
    line(lanes_.row("◇"), Paint::kNone, who + say("：", ": ") + say(approval.question), Paint::kYellow);
  }

  void draw_point_of_no_return() {
    const std::string words = say(" 引き返せない点 ", " point of no return ");
    const std::string crossed = lanes_.crossed();
    const size_t used = lanes_.width() + display_width(words) + 3;
    std::string right;
    for (size_t i = used; i + 1 < columns_; ++i) right += "━";
    out_ += " " + paint(Paint::kRedBold, crossed + "━━" + words + right) + "\n";
  }

  void draw_step(const Step& step) {
    const Effect effect = effect_of(step);
    const bool asks = step.action.type == "approve";
    const std::string mark = asks                         ? "◇"
                             : effect == Effect::kObserve ? "○"
                             : effect == Effect::kChange  ? "●"
                                                          : "◆";
    const Paint colour = asks                         ? Paint::kNone
                         : effect == Effect::kObserve ? Paint::kGreen
                         : effect == Effect::kChange  ? Paint::kYellow
                                                      : Paint::kRed;
    const std::string id = fit_to_width(step.id, id_width_);
    const std::string gap(id_width_ - display_width(id) + 2, ' ');
    const std::string title = say(step.title);
    const size_t used = 1 + lanes_.width() + 1 + id_width_ + 2;
    const std::string fitted = fit_to_width(printable(title), columns_ > used + 10 ? columns_ - used : 10);
    std::string row = lanes_.row("\x01");
    row.replace(row.find('\x01'), 1, paint(colour, mark));
    out_ += " " + row + " " + paint(Paint::kBold, id) + (fitted.empty() ? "" : gap + fitted) + "\n";
    line(lanes_.below(), Paint::kNone, action_words(step.action, canvas_.language), Paint::kFaint);
    if (step.when)
      line(lanes_.below(), Paint::kNone, say("条件：", "only if ") + step.when->text(), Paint::kNone);
    if (const std::string bounds = bounds_of(step); !bounds.empty())
      line(lanes_.below(), Paint::kNone, bounds, Paint::kFaint);
  }

  // How long, how often, and what becomes of a failure.
  std::string bounds_of(const Step& step) const {
    std::vector<std::string> parts;
    if (step.timeout)
      parts.push_back(say(duration_text(*step.timeout, canvas_.language) + "以内",
                          "within " + duration_text(*step.timeout, canvas_.language)));
    if (step.retry && step.retry->within > Duration{}) {
      const std::string within = duration_text(step.retry->within, canvas_.language);
      parts.push_back(say(within + "まで再試行", "retried for " + within));
    } else if (step.retry) {
      parts.push_back(say(fmt::format("{} 回まで再試行", step.retry->times),
                          fmt::format("retried {} times", step.retry->times)));
    }
    if (step.on_failure == OnFailure::kContinue)
      parts.push_back(say("失敗しても先へ進む", "goes on after a failure"));
    if (step.on_failure == OnFailure::kUndo)
      parts.push_back(say("失敗したら元に戻す", "undoes all on failure"));
    if (!step.raise.empty())
      parts.push_back(say("失敗したら " + step.raise + " を提案", "on failure proposes " + step.raise));
    return fmt::format("{}", fmt::join(parts, say("、", ", ")));
  }

  void draw_foot() {
    out_ += "\n";
    field(say("終了後", "in the end"),
          plan_.finish.notify.empty()
              ? ""
              : say(fmt::format("{} に通知", fmt::join(plan_.finish.notify, ", ")),
                    fmt::format("tells {}", fmt::join(plan_.finish.notify, ", "))) +
                    (plan_.finish.report ? say("、報告書を作成", ", writes the report") : ""));
    out_ += " " + paint(Paint::kGreen, "○") + say(" 見るだけ   ", " looks   ") + paint(Paint::kYellow, "●") +
            say(" 変更する   ", " changes   ") + paint(Paint::kRed, "◆") +
            say(" 元に戻せない   ", " destroys   ") + "◇" + say(" 承認", " approval") + "\n";
  }

  const Plan& plan_;
  const std::span<const StepType> types_;
  const Canvas& canvas_;
  const size_t columns_;
  const report::Wording wording_;
  Lanes lanes_;
  size_t id_width_ = 0;
  std::string out_;
};

}  // namespace

std::string draw_plan(const Plan& plan, std::span<const StepType> types, const Canvas& canvas) {
  return Drawing(plan, types, canvas).text();
}

}  // namespace daruma::run
