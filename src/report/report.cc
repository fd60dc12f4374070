#include "report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/document.h"
#include "report/wording.h"

namespace daruma::report {
namespace {

Line plain(std::string text) { return {{std::move(text), false}}; }
Line code(std::string text) { return {{std::move(text), true}}; }

class Builder {
 public:
  Builder(const IncidentFacts& facts, Language language) : facts_(facts), words_(language, facts.zone) {}

  Document build() {
    Document document;
    document.language = words_.japanese() ? "ja" : "en";
    document.title = words_.say("インシデントレポート", "Disaster Recovery Report");
    document.fields = {{words_.say("作成日時", "Date"), plain(words_.time(facts_.written))},
                       {words_.say("インシデント", "Incident"), plain(words_.say(facts_.incident))},
                       {words_.say("復旧時間", "Recovery Time"), plain(recovery_time())},
                       {words_.say("データ損失", "Data Loss"), plain(data_loss())}};
    document.lead = {{.lines = {plain(result())}}};
    document.sections = {timeline(), actions(),   lessons(), action_items(), particulars(),
                         steps(),    approvals(), checks(),  evidence(),     journal()};
    return document;
  }

 private:
  // "met", or "missed".
  std::string verdict(bool met) const {
    return met ? words_.say("達成", "met") : words_.say("未達", "missed");
  }

  std::string objective(std::string_view name, const std::optional<Duration>& allowed,
                        const std::string& judged) const {
    if (!allowed) return fmt::format("{}: {}", name, words_.say("未設定", "none set"));
    return fmt::format("{}: {}{}{}", name, words_.duration(*allowed),
                       judged.empty() ? "" : words_.say("、", ", "), judged);
  }

  std::string recovery_time() const {
    const auto& end = facts_.recovery_completed;
    if (!end.value) return words_.with(words_.unknown(end.why_not), objective("RTO", facts_.rto, ""));
    if (facts_.outage_start.value) {
      const Duration took = *end.value - *facts_.outage_start.value;
      return words_.with(words_.duration(took),
                         objective("RTO", facts_.rto, facts_.rto ? verdict(took <= *facts_.rto) : ""));
    }
    if (!facts_.detected.value)
      return words_.with(words_.unknown(facts_.outage_start.why_not), objective("RTO", facts_.rto, ""));
    const Duration least = *end.value - *facts_.detected.value;
    // An outage is at least as long as it was known, so the objective can be missed for sure, not met.
    const std::string judged =
        facts_.rto && least > *facts_.rto
            ? verdict(false)
            : words_.say("発生時刻は", "outage start ") + words_.unknown(facts_.outage_start.why_not);
    return words_.with(words_.say("検知から ", "at least ") + words_.duration(least) +
                           words_.say(" 以上", " from detection"),
                       objective("RTO", facts_.rto, judged));
  }

  std::string data_loss() const {
    if (!facts_.data_loss.value)
      return words_.with(words_.unknown(facts_.data_loss.why_not), objective("RPO", facts_.rpo, ""));
    const DataLoss& loss = *facts_.data_loss.value;
    std::string text =
        words_.with(loss.time <= Duration{0} ? words_.say("なし", "none") : words_.duration(loss.time),
                    objective("RPO", facts_.rpo, facts_.rpo ? verdict(loss.time <= *facts_.rpo) : ""));
    if (!loss.transactions) return text;
    const std::string lost = words_.say("失われた確定済み取引：", "acknowledged transactions lost: ") +
                             std::to_string(*loss.transactions) + words_.say(" 件", "");
    const std::string seen =
        loss.last_seen
            ? words_.say("最後に確認できた取引 ", "last one seen ") + words_.exact_time(*loss.last_seen)
            : words_.say("最後に確認できた取引は不明", "last one seen unknown");
    return text + words_.say("。", "; ") + words_.with(lost, seen);
  }

  size_t passed() const {
    return static_cast<size_t>(std::count_if(facts_.checks.begin(), facts_.checks.end(),
                                             [](const Checked& check) { return check.passed; }));
  }

  std::string checks_passed() const { return words_.say("検証 ", "") + counted(words_.say("", " checks")); }
  std::string counted(const std::string& what) const {
    return words_.japanese() ? fmt::format("{}/{} 合格", passed(), facts_.checks.size())
                             : fmt::format("{} of {}{} passed", passed(), facts_.checks.size(), what);
  }

  // Success is said only when verification passed.
  std::string result() const {
    const bool verified = !facts_.checks.empty() && passed() == facts_.checks.size();
    if (facts_.recovered && verified)
      return words_.with(words_.say("復旧しました", "Recovered"), checks_passed());
    std::string text =
        words_.with(words_.say("復旧は未完了です", "Recovery is not complete"), checks_passed());
    if (!facts_.open.empty()) text += words_.say("。残っていること：", "; open: ") + words_.say(facts_.open);
    return text;
  }

  std::string moment(const Fact<Instant>& fact) const {
    return fact.value ? words_.time(*fact.value) : words_.unknown(fact.why_not);
  }

  Section timeline() const {
    const auto entry = [&](std::string_view ja, std::string_view en, const Fact<Instant>& fact) {
      return Field{words_.say(ja, en), plain(moment(fact))};
    };
    Block block{Block::Kind::kFields};
    block.fields = {entry("検知", "Detection", facts_.detected),
                    entry("復旧開始", "Recovery Started", facts_.recovery_started),
                    entry("復旧完了", "Recovery Completed", facts_.recovery_completed)};
    return {words_.say("タイムライン", "Timeline"), {block}};
  }

  Section actions() const {
    Section section{words_.say("実施した対応", "Actions Taken"), {}};
    Block block{Block::Kind::kNumbers};
    for (const ActionTaken& action : facts_.actions) {
      const std::string what = words_.say(action.what);
      block.lines.push_back(plain(!action.backup ? what : words_.with(what, backup(*action.backup))));
    }
    section.blocks.push_back(block.lines.empty() ? nothing("なし", "none") : block);
    return section;
  }

  std::string backup(const Fact<Instant>& point) const {
    return point.value
               ? words_.say("バックアップの時点 ", "backup of ") + words_.time(*point.value)
               : words_.say("バックアップの時点は", "the backup's date is ") + words_.unknown(point.why_not);
  }

  Block nothing(std::string_view ja, std::string_view en) const {
    return {.lines = {plain(words_.say(ja, en))}};
  }
  // Only people can write these, and a report without them is not finished.
  Block to_fill() const {
    return nothing("未記入です。担当者が記入してください。",
                   "Not filled yet: to be written by the engineer in charge.");
  }

  Section lessons() const {
    Block block{Block::Kind::kBullets};
    for (const std::string& lesson : facts_.lessons) block.lines.push_back(plain(lesson));
    return {words_.say("教訓", "Lessons Learned"), {block.lines.empty() ? to_fill() : block}};
  }

  Section action_items() const {
    Block block{Block::Kind::kBullets};
    for (const ActionItem& item : facts_.action_items)
      block.lines.push_back(plain(words_.with(
          item.text, fmt::format("{}{}{}{}", words_.say("担当：", "owner: "),
                                 item.owner.empty() ? words_.say("未定", "nobody yet") : item.owner,
                                 words_.say("、期限：", ", due: "),
                                 item.due.empty() ? words_.say("未定", "not set") : item.due))));
    return {words_.say("再発防止策", "Action Items"), {block.lines.empty() ? to_fill() : block}};
  }

  Section particulars() const {
    Block block{Block::Kind::kFields};
    const auto add = [&](std::string_view ja, std::string_view en, Line value) {
      if (!value.front().text.empty()) block.fields.push_back({words_.say(ja, en), std::move(value)});
    };
    add("レベル", "Level", plain(words_.say(facts_.level)));
    add("影響範囲", "Scope of impact", plain(words_.say(facts_.scope)));
    add("発生", "Outage start", plain(moment(facts_.outage_start)));
    add("実行先", "Target", plain(words_.target(facts_.target)));
    add("復旧プラン", "Plan", code(facts_.plan));
    add("プランのハッシュ", "Plan hash", code(facts_.plan_hash));
    add("実行", "Run", code(facts_.run));
    add("開始した人", "Started by", plain(facts_.started_by));
    return {words_.say("対象と実行", "Incident and run"), {block}};
  }

  Section steps() const {
    Block table{Block::Kind::kTable};
    table.columns = {words_.say("ステップ", "Step"),
                     words_.say("内容", "What"),
                     words_.with(words_.say("開始", "Started"), facts_.zone.name),
                     words_.say("所要時間", "Duration"),
                     words_.say("試行", "Tries"),
                     words_.say("結果", "Outcome")};
    for (const StepTaken& step : facts_.steps) {
      const std::string title = words_.say(step.title);
      Line what = title.empty() ? code(step.type) : plain(title);
      Line outcome = plain(words_.outcome(step.outcome));
      if (!step.note.empty()) outcome.push_back({words_.say("：", ": ") + step.note, false});
      table.rows.push_back({code(step.id), std::move(what),
                            plain(step.started ? words_.time_without_zone(*step.started) : "–"),
                            plain(step.took ? words_.duration(*step.took) : "–"),
                            plain(std::to_string(step.attempts)), std::move(outcome)});
    }
    return {words_.say("ステップ", "Steps"), {table.rows.empty() ? nothing("なし", "none") : table}};
  }

  Section approvals() const {
    Block table{Block::Kind::kTable};
    table.columns = {words_.say("ステップ", "Step"), words_.say("承認者", "Who"),
                     words_.with(words_.say("時刻", "When"), facts_.zone.name), words_.say("回答", "Answer"),
                     words_.say("理由", "Reason")};
    for (const Approval& approval : facts_.approvals) {
      const std::string answer = approval.broke_glass ? words_.say("緊急の単独承認", "broke the glass")
                                 : approval.agreed    ? words_.say("承認", "agreed")
                                                      : words_.say("却下", "rejected");
      table.rows.push_back({code(approval.step), plain(approval.who),
                            plain(words_.time_without_zone(approval.at)), plain(answer),
                            plain(approval.reason.empty() ? "–" : approval.reason)});
    }
    return {
        words_.say("承認", "Approvals"),
        {table.rows.empty() ? nothing("承認を必要とするステップはありませんでした。", "No step needed one.")
                            : table}};
  }

  Section checks() const {
    Block table{Block::Kind::kTable};
    table.columns = {words_.say("検証", "Check"), words_.say("結果", "Outcome"),
                     words_.say("確認した値", "Found")};
    for (const Checked& check : facts_.checks)
      table.rows.push_back(
          {plain(check.name),
           plain(check.passed ? words_.say("✓ 合格", "✓ passed") : words_.say("✗ 不合格", "✗ failed")),
           plain(check.found.empty() ? "–" : check.found)});
    return {words_.with(words_.say("検証", "Checks"), counted("")),
            {table.rows.empty() ? nothing("検証は行われませんでした。", "None was made.") : table}};
  }

  Section evidence() const {
    Block table{Block::Kind::kTable};
    table.columns = {words_.say("ファイル", "File"), words_.say("バイト数", "Bytes"), "SHA-256"};
    for (const Evidence& kept : facts_.evidence)
      table.rows.push_back({code(kept.name), plain(std::to_string(kept.bytes)), code(kept.sha256)});
    return {words_.say("証拠保全", "Evidence kept"), {table.rows.empty() ? nothing("なし", "none") : table}};
  }

  Section journal() const {
    Block block{Block::Kind::kFields};
    if (const auto& head = facts_.journal.value)
      block.fields = {{words_.say("最後のイベント", "Last event"), plain(std::to_string(head->number))},
                      {words_.say("連鎖ハッシュ (SHA-256)", "Chain hash (SHA-256)"),
                       code(to_hex(std::as_bytes(std::span(head->hash))))}};
    else
      block = {.lines = {plain(words_.unknown(facts_.journal.why_not))}};
    return {words_.say("実行記録", "Journal"), {block}};
  }

  const IncidentFacts& facts_;
  const Wording words_;
};

}  // namespace

std::string report_name(const IncidentFacts& facts) {
  std::string date = Wording(Language::kEn, facts.zone).time_without_zone(facts.written).substr(0, 10);
  date.erase(std::remove(date.begin(), date.end(), '-'), date.end());
  return "incident_report_" + date;
}

std::string to_markdown(const IncidentFacts& facts, Language language) {
  return write_markdown(Builder(facts, language).build());
}

std::string to_html(const IncidentFacts& facts, Language language) {
  return write_html(Builder(facts, language).build());
}

}  // namespace daruma::report
