#include "cli/look_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/table.h"

namespace daruma {
namespace {

using namespace watch;

constexpr size_t kColumns = 80;
constexpr size_t kErrorsMost = 5;
constexpr size_t kLabelWidth = 10;

size_t character_size(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The most of `text` that fits, up to a space where there is one; at least one character.
size_t line_end(std::string_view text, size_t columns) {
  size_t fits = 0, space = 0, used = 0;
  while (fits < text.size()) {
    const size_t size = std::min(character_size(text[fits]), text.size() - fits);
    used += display_width(text.substr(fits, size));
    if (used > columns && fits > 0) break;
    if (text[fits] == ' ') space = fits;
    fits += size;
  }
  if (fits == text.size() || text[fits] == ' ') return fits;
  const bool wide =
      static_cast<unsigned char>(text[fits]) >= 0x80 || static_cast<unsigned char>(text[fits - 1]) >= 0x80;
  if (wide) return fits;  // Japanese is broken anywhere
  return space > 0 ? space : fits;
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}

class Page {
 public:
  Page(const Output& output, const Facts& facts, const Findings& findings, bool japanese)
      : output_(output), facts_(facts), findings_(findings), japanese_(japanese) {}

  std::string text() {
    headline();
    for (const Finding& finding : findings_.findings) show(finding);
    if (!findings_.well.empty()) show_well();
    if (!findings_.root.empty()) show_root();
    show_level();
    for (const run::Text& impact : findings_.impact) labelled("Impact", "影響範囲", ours(impact));
    show_errors();
    show_runs();
    show_next();
    return out_;
  }

 private:
  std::string ours(const run::Text& text) const {
    const std::string& first = japanese_ ? text.ja : text.en;
    return printable(!first.empty() ? first : japanese_ ? text.en : text.ja);
  }
  std::string word(std::string_view en, std::string_view ja) const {
    return std::string(japanese_ ? ja : en);
  }
  void line(const std::string& text) { out_ += text + "\n"; }

  // "Level     …", its lines below each other.
  void labelled(std::string_view en, std::string_view ja, const std::string& text) {
    const std::string label = padded(word(en, ja), kLabelWidth);
    const std::string lines = wrapped(text, std::string(kLabelWidth + 2, ' '), kColumns);
    line("\n  " + paint(output_, Colour::kBold, label) +
         lines.substr(std::min(kLabelWidth + 2, lines.size())));
  }

  void headline() {
    const auto down = std::ranges::count(findings_.findings, Severity::kDown, &Finding::severity);
    const std::string at = to_rfc3339(findings_.at).substr(0, 19) + "Z";
    const std::string well = word("all is well", "すべて正常です");
    const std::string not_all =
        word("nothing is down, but not all is well", "停止はありませんが、注意が必要です");
    if (down > 0)
      line(paint(output_, Colour::kRed,
                 word(fmt::format("{} down", down), fmt::format("停止・応答なし {} 件", down))) +
           "  " + at);
    else if (findings_.all_well)
      line(paint(output_, Colour::kGreen, well) + "  " + at);
    else
      line(paint(output_, Colour::kYellow, not_all) + "  " + at);
    line("");
  }

  std::string since(const Finding& finding) const {
    if (!finding.since) return "";
    const std::string age = human_duration(std::max(Duration{0}, findings_.at - *finding.since));
    if (finding.at_least) return word("for at least " + age, "少なくとも " + age + " 前から");
    std::string at = to_rfc3339(*finding.since).substr(0, 19) + "Z";
    if (at.substr(0, 10) == to_rfc3339(findings_.at).substr(0, 10)) at.erase(0, 11);
    return word(fmt::format("since {} ({})", at, age), fmt::format("{} から（{}）", at, age));
  }

  void show(const Finding& finding) {
    static constexpr std::pair<Colour, std::string_view> kMarks[] = {
        {Colour::kRed, "✗"}, {Colour::kYellow, "!"}, {Colour::kYellow, "?"}, {Colour::kFaint, "·"}};
    const auto& [colour, mark] = kMarks[static_cast<size_t>(finding.severity)];
    std::string right = since(finding);
    if (!finding.because_of.empty())
      right += (right.empty() ? "" : "  ") + word("needs ", "依存先: ") + finding.because_of;
    if (finding.subject == findings_.root)
      right += (right.empty() ? "" : "  ") + word("← root", "← 原因の候補");
    const std::string subject = printable(finding.subject);
    const std::string shown = right.empty() ? subject : padded(subject, 20) + "  ";
    line(fmt::format("  {} {}{}", paint(output_, colour, mark), paint(output_, Colour::kBold, shown),
                     paint(output_, Colour::kFaint, fit_to_width(right, kColumns - 26))));
    const std::string what = ours(finding.what);
    const bool said = std::exchange(last_, what) == what;
    line(wrapped(said ? word("the same", "同上") : what, "      ", kColumns));
  }

  void show_well() {
    std::string names;
    for (const std::string& name : findings_.well) names += (names.empty() ? "" : ", ") + printable(name);
    const std::string lines = wrapped(word("well: ", "正常: ") + names, "    ", kColumns);
    line("  " + paint(output_, Colour::kGreen, "✓") + " " + lines.substr(std::min<size_t>(4, lines.size())));
  }

  void show_root() {
    std::string names;
    for (const std::string& name : findings_.needed_by) names += (names.empty() ? "" : ", ") + name;
    const std::string en = names.empty() ? "" : ": needed, directly or not, by " + names;
    const std::string ja = names.empty() ? "" : "（これに依存: " + names + "）";
    labelled("Root", "原因候補", printable(findings_.root + word(en, ja)));
  }

  void show_level() {
    if (!findings_.level) return;
    const auto& [scheme, number, effect] = *findings_.level;
    const std::string words = ours(effect);
    const std::string en =
        fmt::format("Level {} ({}){}{}; a person decides", number, scheme, words.empty() ? "" : ": ", words);
    const std::string ja = fmt::format("レベル{}（{}）{}{}（判定は人が行います）", number, scheme,
                                       words.empty() ? "" : " — ", words);
    labelled("Proposed", "提案", word(en, ja));
  }

  void show_errors() {
    struct Row {
      const ServiceFacts* service;
      const ErrorGroup* group;
    };
    std::vector<Row> rows;
    for (const ServiceFacts& service : facts_.services)
      for (const ErrorGroup& group : service.errors) rows.push_back({&service, &group});
    if (rows.empty()) return;
    std::ranges::stable_sort(rows, std::greater(), [](const Row& row) { return row.group->count; });
    rows.resize(std::min(rows.size(), kErrorsMost));
    labelled("Errors", "エラー", word("of the last 5 minutes", "直近 5 分"));
    for (const auto& [service, group] : rows) {
      const std::string towards = group->dependency.empty() ? "" : " → " + group->dependency;
      const std::string text =
          fmt::format("{:>5} × {}{}: {}", group->count, service->config.name, towards, group->message);
      line("    " + fit_to_width(printable(text), kColumns - 4));
    }
  }

  void show_runs() {
    if (facts_.runs.empty()) return;
    labelled("Runs", "実行", word("not ended", "終わっていないもの"));
    for (const RunFacts& run : facts_.runs) {
      const std::string is = run.is == RunIs::kWaitsForPerson
                                 ? word("waits for a person", "人の判断を待っています")
                             : run.is == RunIs::kStandsStill ? word("stands still", "止まっています")
                                                             : word("is carried out", "実行中");
      line(fmt::format("    {}  {}", run.id, is));
    }
  }

  void commands(const std::vector<std::string>& all) {
    for (const std::string& command : all) line("      " + paint(output_, Colour::kBold, command));
  }
  void show_next() {
    const Next& next = findings_.next;
    if (next.commands.empty()) return;
    labelled("Next", "次の操作", ours(next.why));
    commands(next.commands);
    if (next.otherwise.empty()) return;
    line("    " +
         fit_to_width(word("if that does not help: ", "それでも直らないとき: ") + ours(next.otherwise_why),
                      kColumns - 4));
    commands(next.otherwise);
  }

  const Output& output_;
  const Facts& facts_;
  const Findings& findings_;
  const bool japanese_;
  std::string last_;  // what was said last of a finding
  std::string out_;
};

Value texts(const run::Text& text) { return Value(Value::Map{{"en", text.en}, {"ja", text.ja}}); }
Value list(const std::vector<std::string>& words) { return Value(Value::List(words.begin(), words.end())); }
Value maybe(const std::optional<Instant>& time) { return time ? Value(to_rfc3339(*time)) : Value(); }

Value value_of(const Finding& finding) {
  return Value(Value::Map{{"severity", to_string(finding.severity)},
                          {"subject", finding.subject},
                          {"what", texts(finding.what)},
                          {"since", maybe(finding.since)},
                          {"at_least", finding.at_least},
                          {"because_of", finding.because_of}});
}

std::string_view word_of(RunIs is) {
  return is == RunIs::kWaitsForPerson ? "waits" : is == RunIs::kStandsStill ? "stands_still" : "carried";
}

}  // namespace

std::string wrapped(const std::string& text, const std::string& indent, size_t columns) {
  const size_t room = columns - std::min(columns - 1, display_width(indent));
  std::string out;
  std::string_view rest = text;
  do {
    const size_t end = line_end(rest, room);
    out += (out.empty() ? "" : "\n") + indent + std::string(rest.substr(0, end));
    rest.remove_prefix(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  } while (!rest.empty());
  return out;
}

std::string look_text(const Output& output, const Facts& facts, const Findings& findings, bool japanese) {
  return Page(output, facts, findings, japanese).text();
}

Value look_value(const Facts& facts, const Findings& findings) {
  Value::List all, errors, runs, impact;
  for (const Finding& finding : findings.findings) all.push_back(value_of(finding));
  for (const ServiceFacts& service : facts.services)
    for (const ErrorGroup& group : service.errors)
      errors.emplace_back(Value::Map{{"service", service.config.name},
                                     {"dependency", group.dependency},
                                     {"message", group.message},
                                     {"count", group.count},
                                     {"first", maybe(group.first)},
                                     {"last", maybe(group.last)}});
  for (const RunFacts& run : facts.runs)
    runs.emplace_back(Value::Map{
        {"run", run.id}, {"plan", run.plan}, {"is", word_of(run.is)}, {"since", to_rfc3339(run.since)}});
  for (const run::Text& text : findings.impact) impact.push_back(texts(text));
  Value level;
  if (findings.level)
    level.set("scheme", findings.level->scheme)
        .set("number", findings.level->number)
        .set("effect", texts(findings.level->effect));
  const Next& next = findings.next;
  Value out;
  out.set("at", to_rfc3339(findings.at)).set("all_well", findings.all_well).set("findings", std::move(all));
  out.set("well", list(findings.well)).set("root", findings.root).set("needed_by", list(findings.needed_by));
  out.set("level", std::move(level)).set("impact", std::move(impact)).set("errors", std::move(errors));
  out.set("runs", std::move(runs)).set("halted", facts.halted ? Value(*facts.halted) : Value());
  out.set("next", Value(Value::Map{{"commands", list(next.commands)},
                                   {"why", texts(next.why)},
                                   {"otherwise", list(next.otherwise)},
                                   {"otherwise_why", texts(next.otherwise_why)}}));
  return out;
}

}  // namespace daruma
