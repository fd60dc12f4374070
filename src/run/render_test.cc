// The papers made of a plan: what a person reads, and what a shell runs.

#include "run/render.h"

#include <gmock/gmock.h>

#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma::run {
namespace {

using report::Language;
using testing::HasSubstr;
using testing::Not;

Status undo_nothing(StepContext&) { return {}; }
std::vector<std::string> say_inputs(const StepContext& context) {
  return {"do " + to_json(Value(context.with))};
}
constexpr InputRow kInputs[] = {{"service", InputRow::Kind::kService, true, {}, ""},
                                {"lines", InputRow::Kind::kInteger, false, "100", ""}};

const StepType kTypes[] = {
    {.name = "look", .summary = "", .inputs = kInputs, .by_hand = say_inputs},
    {.name = "change", .summary = "", .effect = Effect::kChange, .undo = undo_nothing},
    {.name = "delete", .summary = "", .effect = Effect::kDestroy},
};

constexpr const char* kPlan = R"(plan: postgres-corruption
title: {ja: PostgreSQL データ破損, en: PostgreSQL data corrupt}
head: {version: "1.0", updated: 2026-11-01, review_due: 2027-02-01, status: final}
scheme: microservices
level: 2
impact: {ja: 全サービスが停止, en: all services stop}
detect: [PostgreSQLDown, {probe: users-db}, {ja: 利用者からの報告, en: report from a user}]
prevent: [{ja: 監視する, en: watch it}]
preconditions: [{do: look, with: {service: postgres}}]
contacts: [dba]
params: {service: {type: service, default: postgres, help: {ja: 対象, en: which one}}}
steps:
  evidence: {do: look, title: {ja: 証拠を保全する, en: Keep evidence}, with: {service: $service}}
  stop: {do: change, title: {ja: 停止する, en: Stop it}, needs: [evidence], timeout: 2m, on_failure: undo}
  wipe: {do: delete, title: {ja: 空にする, en: Empty it}, needs: [stop],
         approve: {question: {ja: 消しますか, en: "Delete it?"}, count: 2, groups: [dba]}}
  check: {do: look, title: {ja: 確認, en: Check}, with: {service: $steps.wipe.name}, needs: [wipe],
          retry: {for: 30s}, on_failure: continue, raise: host-lost}
  again: {do: change, title: {ja: やり直す, en: Do it again}, when: steps.check.failed}
finish: {notify: [ops]}
)";

Plan parsed(const std::string& text) {
  auto plan = parse_plan(text, "p.yaml");
  EXPECT_TRUE(plan.ok()) << plan.error().what;
  return plan.ok() ? *std::move(plan) : Plan{};
}

// Commands by step; a step without any is for a person.
Paper paper_with(std::map<std::string, std::vector<std::string>> commands,
                 Language language = Language::kEn) {
  Paper paper{.types = kTypes, .language = language, .by_hand = {}};
  paper.by_hand = [commands](const Step& step, const Action&) -> std::vector<std::string> {
    const auto found = commands.find(step.id);
    return found == commands.end() ? std::vector<std::string>{"echo " + step.id} : found->second;
  };
  return paper;
}

TEST(RunbookPaper, SaysWhatTheCaseIsAndWhatComesWhen) {
  const std::string book = render_runbook(parsed(kPlan), paper_with({}));
  for (const char* part :
       {"# PostgreSQL data corrupt\n",
        "| plan | `postgres-corruption` |\n",
        "| version | 1.0 |\n",
        "| status | final |\n",
        "| updated | 2026-11-01 |\n",
        "| next review due | 2027-02-01 |\n",
        "- Level 2 (microservices): all services stop\n",
        "- alert `PostgreSQLDown`\n- probe `users-db`\n- report from a user\n",
        "- `look service=postgres`\n",
        "- `service` (service): `postgres`; which one\n",
        "- `dba`\n",
        "| 2 | Stop it | changes | 1 | no basis for a forecast |\n| | **── point of no return ──** | | | |\n"
        "| 3 | Empty it (approval) | **destroys** | 2 | no basis for a forecast |\n",
        "\n---\n\n**Point of no return**",
        "### 3. Empty it\n\n- step: `wipe`, `delete`, **destroys**\n- approval: 2 people (dba): Delete it?\n",
        "```sh\necho stop\n```\n",
        "- bounds: within 2 min\n",
        "- to undo it: bring back what was before it",
        "- to undo it: it cannot be undone\n",
        "- bounds: again and again for 30 s\n",
        "- if it fails: go on; then the plan `host-lost`\n",
        "- only if: `steps.check.failed`\n",
        "- tell, once verification has passed: `ops`\n",
        "## Preventive measures\n\n- watch it\n"})
    EXPECT_THAT(book, HasSubstr(part));
}

TEST(RunbookPaper, IsWrittenInTheWordsOfTheGlossary) {
  const std::string book = render_runbook(parsed(kPlan), paper_with({}, Language::kJa));
  for (const char* part :
       {"# PostgreSQL データ破損\n", "| ステータス | 確定 |\n", "| 次回レビュー予定 | 2027-02-01 |\n",
        "## 影響範囲\n\n- レベル2（microservices）— 全サービスが停止\n",
        "| | **── 引き返せない点 ──** | | | |\n", "予測の根拠がありません",
        "- 承認：2 人（dba）：消しますか\n", "- 上限：2 分以内\n", "## 予防措置\n\n- 監視する\n",
        "- [ ] 完了"})
    EXPECT_THAT(book, HasSubstr(part));
}

TEST(RunbookPaper, ForecastsFromMeasuredTimesAlongTheLongestWay) {
  Paper paper = paper_with({});
  paper.rto = 4h;
  for (const char* id : {"evidence", "stop", "wipe", "check"}) paper.expected[id] = 30s;
  EXPECT_THAT(render_runbook(parsed(kPlan), paper), HasSubstr("| forecast | no basis for a forecast |"));
  paper.expected["again"] = 90s;
  const std::string book = render_runbook(parsed(kPlan), paper);
  EXPECT_THAT(book, HasSubstr("| forecast | 3 min 30 s (without waiting for people) |"));
  EXPECT_THAT(book, HasSubstr("| RTO | 4 h |"));
  EXPECT_THAT(book, HasSubstr("| 1 | Keep evidence | looks |  | 30 s |"));
}

TEST(RunbookPaper, TextsCannotBecomeMarkup) {
  Plan plan = parsed(kPlan);
  plan.title.en = "a | <script> `b` **c**";
  plan.steps[0].title.en = "x\n# y";
  const std::string book = render_runbook(plan, paper_with({{"evidence", {"echo '```'"}}}));
  EXPECT_THAT(book, HasSubstr("# a \\| \\<script\\> \\`b\\` \\*\\*c\\*\\*\n"));
  EXPECT_THAT(book, HasSubstr("### 1. x \\# y\n"));
  EXPECT_THAT(book, HasSubstr("````sh\necho '```'\n````\n"));
}

class ScriptPaper : public testing::Test {
 protected:
  // Runs the script of the plan; fills `output`.
  int run(const Paper& paper, const std::vector<std::string>& arguments = {"--yes"},
          const std::string& text = kPlan) {
    const Path file = scratch.path() / "script.sh";
    const std::string script = render_script(parsed(text), paper);
    EXPECT_TRUE(replace_file(*fs, file, as_bytes(script)).ok());
    std::vector<std::string> argv{"sh", file.string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto exit = processes->run({.argv = argv}, clock->after(20s));
    EXPECT_TRUE(exit.ok());
    output = exit.ok() ? exit->output : exit.error().what;
    return exit.ok() ? exit->code : -1;
  }

  ScratchDir scratch;
  std::unique_ptr<Clock> clock = real_clock();
  std::unique_ptr<FileSystem> fs = real_file_system();
  std::unique_ptr<ProcessRunner> processes = real_processes(*clock);
  std::string output;
};

TEST_F(ScriptPaper, RunsTheStepsInOrderAndSkipsWhatIsNotNeeded) {
  EXPECT_EQ(run(paper_with({{"evidence", {"echo one", "echo two"}}})), 0) << output;
  EXPECT_EQ(
      output,
      "\n== 1/5 evidence: Keep evidence\none\ntwo\n\n== 2/5 stop: Stop it\nstop\n\n━━ point of no return ━━\n"
      "\n== 3/5 wipe: Empty it\nwipe\n\n== 4/5 check: Check\ncheck\n"
      "\nevery step has ended; verify, then tell people\n");
}

TEST_F(ScriptPaper, EndsAtTheFirstCommandThatFails) {
  EXPECT_EQ(run(paper_with({{"stop", {"false", "echo not this"}}})), 1);
  EXPECT_THAT(output, HasSubstr("FAILED, and nothing after it was done. Step 2\n"));
  EXPECT_THAT(output, Not(HasSubstr("not this")));
  EXPECT_THAT(output, Not(HasSubstr("wipe")));
}

TEST_F(ScriptPaper, ARemarkBehindACommandHidesNoFailure) {
  EXPECT_EQ(run(paper_with({{"stop", {"false    # must be so", "echo not this  # at all"}}})), 1);
  EXPECT_THAT(output, Not(HasSubstr("not this")));
  EXPECT_EQ(run(paper_with({{"stop", {"true    # must be so", "echo this  # at all"}}})), 0);
  EXPECT_THAT(output, HasSubstr("\nthis\n"));
}

TEST_F(ScriptPaper, GoesOnWhereThePlanDoesAndAnswersToTheFailure) {
  const std::string text = [] {
    std::string plan = kPlan;
    plan.replace(plan.find("retry: {for: 30s}"), 17, "retry: {for: 1s}");
    return plan;
  }();
  EXPECT_EQ(run(paper_with({{"check", {"echo tried", "false"}}}), {"--yes"}, text), 0) << output;
  EXPECT_THAT(output, HasSubstr("tried\ntried\n"));
  EXPECT_THAT(output, HasSubstr("== 5/5 again: Do it again\nagain\n"));
}

TEST_F(ScriptPaper, DoesNothingWhereNobodyCanBeAsked) {
  EXPECT_EQ(run(paper_with({}), {}), 3);
  EXPECT_EQ(output, "no terminal to ask at, so nothing is done (--yes: all is agreed to)\n");
}

TEST_F(ScriptPaper, AsksBeforeTheFirstStep) {
  const std::string script = render_script(parsed(kPlan), paper_with({}, Language::kJa));
  const size_t asked = script.find("must 'wipe: 空にする — 消しますか'");
  ASSERT_NE(asked, std::string::npos);
  EXPECT_LT(asked, script.find("do_1()"));
}

TEST_F(ScriptPaper, WhatOnlyAPersonCanDoIsReadAndConfirmed) {
  EXPECT_EQ(run(paper_with({{"stop", {"# pull the plug", "# [ ] the light is off"}}})), 0);
  EXPECT_THAT(output, HasSubstr("   pull the plug\n   [ ] the light is off\n"));
}

TEST_F(ScriptPaper, WhatOnlyARunWouldTellIsAskedOfAPerson) {
  const Paper paper =
      paper_with({{"stop", {"echo 'is <evidence.file>!' <evidence.file> \"<evidence.file>\""}},
                  {"wipe", {"echo '<evidence.file>'"}}});
  EXPECT_EQ(run(paper), 3);
  EXPECT_EQ(output, "no terminal to ask for the value of evidence.file\n") << "nothing was begun";
  const std::string script = render_script(parsed(kPlan), paper);
  EXPECT_THAT(script, HasSubstr("  echo 'is '\"$value_1\"'!' \"$value_1\" \"${value_1}\"\n"));
  const std::string asked = "[ -n \"${value_1:-}\" ] || { value evidence.file && value_1=$answer; }\n";
  EXPECT_THAT(script, HasSubstr("begin 2 5 'stop: Stop it'\n" + asked + "if do_2;"));
  EXPECT_THAT(script, HasSubstr("begin 3 5 'wipe: Empty it'\n" + asked + "if do_3;"));
}

TEST_F(ScriptPaper, WordsOfThePlanAreNeverRun) {
  std::string text = kPlan;
  text.replace(text.find("Keep evidence"), 13, "\"it's $(touch boo) `touch boo`; x\"");
  EXPECT_EQ(run(paper_with({}), {"--yes"}, text), 0);
  EXPECT_THAT(output, HasSubstr("evidence: it's $(touch boo) `touch boo`; x\n"));
}

TEST_F(ScriptPaper, CommandsAreTheTypesOwnWithThePlansValues) {
  const auto frozen = freeze(parsed(kPlan), {}, [](std::string_view) { return Error{Errc::kNotFound, ""}; });
  ASSERT_TRUE(frozen.ok());
  Config config;
  const StepContext base{.config = config,
                         .fs = *fs,
                         .clock = *clock,
                         .processes = *processes,
                         .runtime_of = {},
                         .run = "",
                         .step = "",
                         .directory = {},
                         .run_directory = {},
                         .with = {},
                         .deadline = {},
                         .stop = {},
                         .secret = {}};
  const auto commands = commands_of(*frozen, kTypes, base);
  const std::vector<Step>& steps = frozen->plan.steps;
  EXPECT_EQ(commands(steps[0], steps[0].action)[0], "do {\"lines\":100,\"service\":\"postgres\"}");
  EXPECT_EQ(commands(steps[3], steps[3].action)[0], "do {\"lines\":100,\"service\":\"<wipe.name>\"}");
  EXPECT_TRUE(commands(steps[1], steps[1].action).empty());
}

}  // namespace
}  // namespace daruma::run
