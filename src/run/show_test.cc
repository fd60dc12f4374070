// The picture of a plan, as a person sees it.

#include "run/show.h"

#include <gmock/gmock.h>

#include "base/table.h"
#include "run/graph.h"
#include "run/lanes.h"

namespace daruma::run {
namespace {

using testing::HasSubstr;
using testing::Not;

const StepType kTypes[] = {
    {.name = "look", .summary = ""},
    {.name = "change", .summary = "", .effect = Effect::kChange},
    {.name = "delete", .summary = "", .effect = Effect::kDestroy},
};

Plan parsed(const std::string& text) {
  auto plan = parse_plan(text, "p.yaml");
  EXPECT_TRUE(plan.ok()) << plan.error().what;
  return plan.ok() ? *std::move(plan) : Plan{};
}

constexpr const char* kPlan = R"(plan: postgres-corruption
title: {ja: PostgreSQL データ破損, en: PostgreSQL data corrupt}
scheme: microservices
level: 2
impact: {ja: 全サービスが機能停止, en: all services stop working}
detect: [PostgreSQLDown, {probe: users-db}]
params: {service: {type: service, default: postgres}, at: {type: time}}
steps:
  evidence: {do: look, title: {ja: 証拠を保全する, en: Keep evidence}, with: {service: $service, lines: 100}}
  source: {do: look, title: {ja: 復元元を確かめる, en: Prove the source}}
  stop-apps: {do: change, title: {ja: アプリを停止する, en: Stop the applications},
              needs: [evidence, source], timeout: 2m, on_failure: undo}
  wipe: {do: delete, title: {ja: 空にする, en: Empty the volume}, needs: [stop-apps],
         approve: {question: {ja: 消しますか, en: "Delete it?"}, count: 2, groups: [dba]}}
  restore: {do: change, title: {ja: 復元する, en: Restore}, needs: [wipe], retry: {for: 30s}, raise: host-lost}
  users: {do: look, title: {ja: 件数, en: Row counts}, needs: [restore], on_failure: continue}
  docs: {do: look, title: {ja: 文書, en: Documents}, needs: [restore]}
  start: {do: change, title: {ja: 起動する, en: Start the applications}, needs: [users, docs]}
  recreate: {do: change, title: {ja: 作り直す, en: Recreate}, when: steps.users.failed}
finish: {notify: [ops]}
)";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

TEST(Picture, ShowsWhatComesBeforeWhatAndWhereNothingCanBeTakenBack) {
  EXPECT_EQ(draw_plan(parsed(kPlan), kTypes, {}),
            R"PICTURE( PostgreSQL data corrupt  Level 2 (microservices)  postgres-corruption
 impact         all services stop working
 detected by    PostgreSQLDown, probe users-db
 parameters     service=postgres, at (time)

 ○      evidence   Keep evidence
 │      look lines=100 service=$service
 │ ○    source     Prove the source
 │ │    look
 ├─╯
 ●      stop-apps  Stop the applications
 │      change
 │      within 2 min, undoes all on failure
 ◇      2 approvals (dba): Delete it?
 ┿━━━━━━━ point of no return ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
 ◆      wipe       Empty the volume
 │      delete
 ●      restore    Restore
 │      change
 │      retried for 30 s, on failure proposes host-lost
 ├─╮
 ○ │    users      Row counts
 │ │    look
 │ │    goes on after a failure
 ├─│─╮
 │ ○ │  docs       Documents
 │ │ │  look
 ├─╯ │
 ●   │  start      Start the applications
     │  change
     ●  recreate   Recreate
        change
        only if steps.users.failed

 in the end     tells ops, writes the report
 ○ looks   ● changes   ◆ destroys   ◇ approval
)PICTURE");
}

TEST(Picture, IsDrawnInJapaneseToo) {
  const std::string picture = draw_plan(parsed(kPlan), kTypes, {.language = report::Language::kJa});
  for (const char* line : {" PostgreSQL データ破損  レベル2（microservices）  postgres-corruption\n",
                           " 影響範囲    全サービスが機能停止\n", " ◇      2 人の承認（dba）：消しますか\n",
                           "━━ 引き返せない点 ━━", " │      2 分以内、失敗したら元に戻す\n",
                           " │      30 秒まで再試行、失敗したら host-lost を提案\n",
                           " │ │    失敗しても先へ進む\n", " 終了後      ops に通知、報告書を作成\n"})
    EXPECT_THAT(picture, HasSubstr(line));
}

TEST(Picture, OfAStepThatAsksIsItsQuestion) {
  const Plan plan = parsed(
      "plan: p\ntitle: {en: x}\nsteps: {a: {do: approve, with: {question: {ja: よいですか, en: May I}}}}\n");
  EXPECT_THAT(draw_plan(plan, kTypes, {}), HasSubstr(" ◇  a\n    approve question=May I\n"));
}

TEST(Picture, FitsTheTerminal) {
  Plan plan = parsed(kPlan);
  plan.impact = {std::string(300, 'x'), "達磨" + std::string(300, 'x')};
  plan.steps[0].title = {"非常に" + std::string(200, 'x'), std::string(200, 'x')};
  plan.steps[1].id = std::string(60, 's');
  for (const report::Language language : {report::Language::kJa, report::Language::kEn})
    for (const size_t columns : {60u, 80u, 132u})
      for (const std::string& line :
           lines_of(draw_plan(plan, kTypes, {.columns = columns, .language = language})))
        EXPECT_LE(display_width(line), columns) << line;
}

TEST(Picture, ColoursChangeNothingElse) {
  std::string coloured = draw_plan(parsed(kPlan), kTypes, {.colours = true});
  EXPECT_THAT(coloured, HasSubstr("\x1b[1;31m┿━"));
  for (size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  EXPECT_EQ(coloured, draw_plan(parsed(kPlan), kTypes, {}));
}

TEST(Picture, NamesCannotPaintTheTerminal) {
  Plan plan = parsed(kPlan);
  plan.title.en = "red \x1b[31m alert";
  plan.steps[0].action.with["service"] = "\x1b]0;title\x07";
  EXPECT_THAT(draw_plan(plan, kTypes, {}), Not(HasSubstr("\x1b")));
}

// The rows of a graph given as "b < a; c < a b".
std::string graph_of(std::vector<std::pair<std::string, std::vector<std::string>>> rows) {
  std::vector<Step> steps;
  for (auto& [id, needs] : rows) {
    steps.emplace_back().id = id;
    steps.back().needs = needs;
  }
  Lanes lanes{Graph(steps)};
  std::string out;
  for (const size_t step : lanes.order()) {
    lanes.enter(step);
    out += lanes.row(steps[step].id) + "|\n";
    if (const std::string joints = lanes.leave(); !joints.empty()) out += joints + "|\n";
  }
  return out;
}

TEST(Lines, PartAndJoin) {
  EXPECT_EQ(graph_of({{"a", {}}, {"b", {"a"}}, {"c", {"a"}}, {"d", {"b", "c"}}}),
            "a   |\n"
            "├─╮ |\n"
            "b │ |\n"
            "│ c |\n"
            "├─╯ |\n"
            "d   |\n");
}

TEST(Lines, WhatFollowsFromOtherNeedsIsNotDrawn) {
  EXPECT_EQ(graph_of({{"a", {}}, {"b", {"a"}}, {"c", {"a", "b"}}}), "a |\nb |\nc |\n");
}

TEST(Lines, PassOverThoseThatTheyDoNotMeet) {
  EXPECT_EQ(graph_of({{"a", {}}, {"b", {}}, {"c", {}}, {"d", {"a", "c"}}, {"e", {"b"}}}),
            "a     |\n"
            "│ b   |\n"
            "│ │ c |\n"
            "├─│─╯ |\n"
            "d │   |\n"
            "  e   |\n");
}

TEST(Lines, ThoseThatBeginAloneStandAlone) { EXPECT_EQ(graph_of({{"a", {}}, {"b", {}}}), "a |\nb |\n"); }

}  // namespace
}  // namespace daruma::run
