// What is to be done next, and who may agree to it, from what has happened and nothing else.

#include "run/run_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace daruma::run {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<Value> acts(StepContext&) { return Value(); }
Status undoes(StepContext&) { return {}; }

const StepType* find(std::string_view name) {
  static const std::vector<StepType> types = [] {
    std::vector<StepType> out(6);
    out[0].name = "look", out[0].act = acts;
    out[1].name = "change", out[1].act = acts, out[1].effect = Effect::kChange, out[1].undo = undoes;
    out[2].name = "destroy", out[2].act = acts, out[2].effect = Effect::kDestroy;
    out[3].name = "approve";
    out[4].name = "manual", out[4].effect = Effect::kChange;
    out[5].name = "plan";
    return out;
  }();
  const auto found = std::ranges::find(types, name, &StepType::name);
  return found == types.end() ? nullptr : &*found;
}

const Person kHanako{1000, "hanako", {"ops"}};
const Person kJiro{1001, "jiro", {"ops", "dba"}};
const Person kRoot{0, "root", {"root"}};

Step step(std::string id, std::string type, std::vector<std::string> needs = {}) {
  Step out;
  out.id = std::move(id);
  out.action.type = std::move(type);
  out.needs = std::move(needs);
  return out;
}

// A run whose journal a test writes.
class ARunOf {
 public:
  explicit ARunOf(std::vector<Step> steps, const std::function<void(RunCreated&)>& with = {}) {
    Plan plan;
    plan.name = "p";
    plan.title = {"題", "title"};
    plan.steps = std::move(steps);
    plan.finish.report = false;
    RunCreated created;
    created.plan = *freeze(plan, {}, [](std::string_view) { return Error{Errc::kNotFound, "none"}; });
    created.by = kHanako;
    if (with) with(created);
    happens(created);
    happens(EngineTook{1, 1});
  }

  ARunOf& happens(const EventBody& body) {
    const Status applied = apply(body);
    EXPECT_TRUE(applied.ok()) << applied.error().what;
    return *this;
  }
  Status apply(const EventBody& body) {
    const NewEvent made = to_event(body);
    return state.apply({position_ + 1, "run/r", ++position_, now, made.kind, made.body});
  }
  ARunOf& starts(const std::string& id, Verb verb = Verb::kAct) {
    return happens(StepStarted{id, next(id), verb, state.epoch(), Value::Map()});
  }
  ARunOf& ends(const std::string& id, Outcome outcome = Outcome::kSucceeded, Value outputs = Value::Map()) {
    StepEnded ended;
    ended.step = id;
    ended.attempt = next(id) - 1;
    ended.epoch = state.epoch();
    ended.outcome = outcome;
    ended.error = outcome == Outcome::kFailed ? "it did not work" : "";
    ended.outputs = std::move(outputs);
    return happens(ended);
  }
  ARunOf& asks(const std::string& id, uint32_t count = 1, std::vector<std::string> groups = {}) {
    return happens(
        ApprovalAsked{id, *state.inputs_hash(*state.step(id)), count, std::move(groups), now + 1h});
  }
  ARunOf& agrees(const std::string& id, const Person& by) { return happens(given(id, by)); }
  ApprovalGiven given(const std::string& id, const Person& by) const {
    return {id, *state.inputs_hash(*state.step(id)), true, by, "", false};
  }
  uint32_t next(const std::string& id) const {
    return static_cast<uint32_t>(state.at(id).attempts.size()) + 1;
  }

  // The moves as words: "start a", "skip b", "end succeeded".
  std::vector<std::string> moves() const {
    struct Words {
      std::string operator()(const Start& move) const {
        return (move.verb == Verb::kUndo        ? "undo "
                : move.verb == Verb::kReconcile ? "reconcile "
                                                : "start ") +
               move.step;
      }
      std::string operator()(const Settle& move) const { return "settle " + move.step; }
      std::string operator()(const Skip& move) const { return "skip " + move.step; }
      std::string operator()(const Refuse& move) const { return "refuse " + move.step + ": " + move.error; }
      std::string operator()(const Ask& move) const { return "ask " + move.step; }
      std::string operator()(const Expire& move) const { return "expire " + move.step; }
      std::string operator()(const AskPerson& move) const { return "person " + move.step; }
      std::string operator()(const EndAttempt& move) const { return "kill " + move.step; }
      std::string operator()(const EndRun& move) const {
        return "end " + std::string(to_string(move.outcome));
      }
    };
    std::vector<std::string> words;
    for (const Move& move : state.decide(now).moves) words.push_back(std::visit(Words{}, move));
    return words;
  }

  RunState state{find};
  Instant now{1'790'000'000'000'000};

 private:
  uint64_t position_ = 0;
};

TEST(RunState, AQuestionTellsWhatEarlierStepsFound) {
  std::vector<Step> steps{step("look", "look"), step("own", "destroy", {"look"}),
                          step("gate", "approve", {"look"})};
  steps[1].approve.emplace().question = {"${steps.look.file} を使う", "use ${steps.look.file} for $$5"};
  steps[2].action.with = {{"question", "go on with ${steps.look.file}"}};
  ARunOf run(steps);
  const auto asked = [&](const char* id) { return run.state.question(*run.state.step(id)).en; };
  EXPECT_EQ(asked("look"), "");
  EXPECT_EQ(asked("gate"), "go on with ${steps.look.file}") << "not known yet";
  run.starts("look").ends("look", Outcome::kSucceeded, Value::Map{{"file", "a.dump"}});
  EXPECT_EQ(asked("own"), "use a.dump for $5");
  EXPECT_EQ(run.state.question(*run.state.step("own")).ja, "a.dump を使う");
  EXPECT_EQ(asked("gate"), "go on with a.dump");
}

TEST(RunState, StepsWithoutNeedsStartTogetherAndTheOthersWait) {
  ARunOf run({step("a", "look"), step("b", "look"), step("c", "look", {"a", "b"})});
  EXPECT_THAT(run.moves(), ElementsAre("start a", "start b"));
  run.starts("a").ends("a").starts("b");
  EXPECT_THAT(run.moves(), IsEmpty());
  run.ends("b");
  EXPECT_THAT(run.moves(), ElementsAre("start c"));
  run.starts("c").ends("c");
  EXPECT_THAT(run.moves(), ElementsAre("end succeeded"));
}

TEST(RunState, AStepWhoseConditionDoesNotHoldIsSkippedAndTheNextGoesOn) {
  Step again = step("again", "change", {"check"});
  again.when = *Expression::parse("steps.check.failed");
  Step check = step("check", "look");
  check.on_failure = OnFailure::kContinue;
  ARunOf run({check, again, step("after", "look", {"again"})});
  run.starts("check").ends("check");
  EXPECT_THAT(run.moves(), ElementsAre("skip again"));
  run.happens(StepSkipped{"again", "steps.check.failed"});
  EXPECT_THAT(run.moves(), ElementsAre("start after"));
}

TEST(RunState, AFailedStepEndsTheRunUnlessThePlanLetsItGoOn) {
  ARunOf stops({step("a", "look"), step("b", "look", {"a"})});
  stops.starts("a").ends("a", Outcome::kFailed);
  EXPECT_THAT(stops.moves(), ElementsAre("end failed"));
  EXPECT_THAT(stops.state.outcome().why, HasSubstr("step 'a': it did not work"));

  Step lenient = step("a", "look");
  lenient.on_failure = OnFailure::kContinue;
  ARunOf goes({lenient, step("b", "look", {"a"})});
  goes.starts("a").ends("a", Outcome::kFailed);
  EXPECT_THAT(goes.moves(), ElementsAre("start b"));
  goes.starts("b").ends("b");
  EXPECT_THAT(goes.moves(), ElementsAre("end incomplete"));
}

TEST(RunState, AFailureThatALaterStepAnsweredNoLongerCounts) {
  Step check = step("check", "look");
  check.on_failure = OnFailure::kContinue;
  Step mend = step("mend", "change", {"check"});
  mend.when = *Expression::parse("steps.check.failed");
  ARunOf run({check, mend});
  run.starts("check").ends("check", Outcome::kFailed).starts("mend");
  EXPECT_EQ(run.state.outcome().outcome, RunOutcome::kIncomplete) << "not before it is mended";
  run.ends("mend");
  EXPECT_THAT(run.moves(), ElementsAre("end succeeded"));
}

TEST(RunState, AStepKnowsWhenAnEarlierOneBeganAndEnded) {
  Step after = step("after", "look", {"check"});
  after.when = *Expression::parse("steps.check.began_at < steps.check.ended_at");
  ARunOf run({step("check", "look"), after});
  run.starts("check");
  run.now = run.now + 5s;
  run.ends("check");
  EXPECT_THAT(run.moves(), ElementsAre("start after"));
}

TEST(RunState, WhatRunsBesideAFailedStepIsLetEnd) {
  ARunOf run({step("a", "look"), step("b", "look")});
  run.starts("a").starts("b").ends("a", Outcome::kFailed);
  EXPECT_THAT(run.moves(), IsEmpty());
  run.ends("b");
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
}

TEST(RunState, AFailedAttemptIsRepeatedAfterAPauseThatGrows) {
  Step a = step("a", "look");
  a.retry = Retry{.times = 2, .within = {}, .pause = 1s, .pause_most = 15s};
  ARunOf run({a});
  run.starts("a").ends("a", Outcome::kFailed);
  EXPECT_THAT(run.moves(), IsEmpty());
  EXPECT_EQ(run.state.decide(run.now).wake, run.now + 1s);
  run.now = run.now + 1s;
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
  run.starts("a").ends("a", Outcome::kFailed);
  EXPECT_EQ(run.state.decide(run.now).wake, run.now + 1500ms);
  run.now = run.now + 2s;
  run.starts("a").ends("a", Outcome::kFailed);
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
}

TEST(RunState, AClockThatWasSetBackMakesNobodyWait) {
  Step a = step("a", "look");
  a.retry = Retry{.times = 2};
  ARunOf run({a});
  run.starts("a").ends("a", Outcome::kFailed);
  run.now = run.now + -3600s;
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
}

TEST(RunState, ARefusalIsNotRepeated) {
  Step a = step("a", "look");
  a.retry = Retry{.times = 5};
  ARunOf run({a});
  run.starts("a");
  StepEnded refused;
  refused.step = "a", refused.attempt = 1, refused.no_retry = true, refused.error = "would be unsafe";
  run.happens(refused);
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
}

TEST(RunState, UndoGoesNewestFirst) {
  Step last = step("c", "change", {"b"});
  last.on_failure = OnFailure::kUndo;
  ARunOf run({step("a", "change"), step("b", "change", {"a"}), last});
  run.starts("a").ends("a").starts("b").ends("b").starts("c").ends("c", Outcome::kFailed);
  EXPECT_THAT(run.moves(), ElementsAre("undo c")) << "it failed half way, perhaps";
  run.starts("c", Verb::kUndo).ends("c");
  EXPECT_THAT(run.moves(), ElementsAre("undo b"));
  run.starts("b", Verb::kUndo).ends("b");
  EXPECT_THAT(run.moves(), ElementsAre("undo a"));
  run.starts("a", Verb::kUndo).ends("a");
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
}

TEST(RunState, AnUndoThatFailsThreeTimesIsGivenUpAndTheOthersGoOn) {
  Step last = step("b", "look", {"a", "z"});
  last.on_failure = OnFailure::kUndo;
  ARunOf run({step("z", "change"), step("a", "change", {"z"}), last});
  run.starts("z").ends("z").starts("a").ends("a").starts("b").ends("b", Outcome::kFailed);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(run.moves(), ElementsAre("undo a"));
    run.starts("a", Verb::kUndo).ends("a", Outcome::kFailed);
  }
  EXPECT_THAT(run.moves(), ElementsAre("undo z"));
}

TEST(RunState, AnAbortEndsWhatRunsAndStaysAnAbort) {
  ARunOf run({step("a", "change"), step("b", "change", {"a"})});
  run.starts("a").ends("a").starts("b").happens(AbortAsked{kJiro, "wrong plan"});
  EXPECT_THAT(run.moves(), ElementsAre("kill b"));
  run.ends("b", Outcome::kFailed);
  EXPECT_THAT(run.moves(), ElementsAre("undo b"));
  run.starts("b", Verb::kUndo).ends("b").starts("a", Verb::kUndo).ends("a");
  EXPECT_THAT(run.moves(), ElementsAre("end aborted"));
}

TEST(RunState, AnAttemptOfAnEarlierEngineIsLookedAtFirst) {
  ARunOf run({step("a", "change")});
  run.starts("a").happens(EngineTook{2, 2});
  EXPECT_THAT(run.moves(), ElementsAre("settle a"));
  run.happens(StepVanished{"a", 1, false});
  EXPECT_THAT(run.moves(), ElementsAre("start a")) << "it never began";
}

TEST(RunState, TheLateResultOfAnAttemptThatWasGivenUpChangesNothing) {
  ARunOf run({step("a", "change")});
  run.starts("a").happens(EngineTook{2, 2}).happens(StepVanished{"a", 1, false}).starts("a");
  StepEnded late;
  late.step = "a", late.attempt = 1, late.epoch = 1, late.outcome = Outcome::kFailed;
  run.happens(late);
  EXPECT_EQ(run.state.at("a").phase, StepPhase::kRunning);
}

// --- approvals

TEST(RunState, WhatDestroysAsksEvenWhereThePlanForgotTo) {
  ARunOf run({step("a", "destroy")});
  EXPECT_THAT(run.moves(), ElementsAre("ask a"));
  run.asks("a");
  EXPECT_THAT(run.moves(), IsEmpty());
  run.agrees("a", kHanako);
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
}

TEST(RunState, AGateCoversWhatComesAfterIt) {
  ARunOf run({step("gate", "approve"), step("stop", "change", {"gate"}), step("a", "destroy", {"stop"})});
  EXPECT_THAT(run.moves(), ElementsAre("ask gate"));
  run.asks("gate").agrees("gate", kHanako).starts("gate").ends("gate").starts("stop").ends("stop");
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
}

TEST(RunState, AGateThatWasSkippedCoversNothing) {
  Step gate = step("gate", "approve");
  gate.when = *Expression::parse("false");
  ARunOf run({gate, step("a", "destroy", {"gate"})});
  run.happens(StepSkipped{"gate", "false"});
  EXPECT_THAT(run.moves(), ElementsAre("ask a"));
}

TEST(RunState, ARejectionUndoesAndFails) {
  ARunOf run({step("stop", "change"), step("a", "destroy", {"stop"})});
  run.starts("stop").ends("stop").asks("a");
  ApprovalGiven no = run.given("a", kJiro);
  no.agree = false, no.reason = "not now";
  run.happens(no);
  EXPECT_THAT(run.moves(), ElementsAre("undo stop"));
  run.starts("stop", Verb::kUndo).ends("stop");
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
  EXPECT_THAT(run.state.outcome().why, HasSubstr("rejected by jiro: not now"));
}

TEST(RunState, ARequestThatNobodyAnswersExpires) {
  ARunOf run({step("a", "destroy")});
  run.asks("a");
  EXPECT_EQ(run.state.decide(run.now).wake, run.now + 1h);
  run.now = run.now + 1h;
  EXPECT_THAT(run.moves(), ElementsAre("expire a"));
  EXPECT_TRUE(run.state.may_approve(run.given("a", kJiro), run.now).is(Errc::kRefused));
  run.happens(ApprovalExpired{"a"});
  EXPECT_THAT(run.moves(), ElementsAre("end failed"));
}

TEST(RunState, AnApprovalThatWasNotUsedInTimeIsAskedForAgain) {
  ARunOf run({step("a", "destroy")});
  run.asks("a").agrees("a", kJiro);
  run.now = run.now + 2h;
  EXPECT_THAT(run.moves(), ElementsAre("expire a"));
  run.happens(ApprovalExpired{"a"});
  EXPECT_THAT(run.moves(), ElementsAre("ask a"));
}

TEST(RunState, AnApprovalOfOtherInputsCountsForNothing) {
  ARunOf run({step("a", "destroy")});
  run.asks("a");
  ApprovalGiven other = run.given("a", kJiro);
  other.inputs_hash = "0000";
  run.happens(other);
  EXPECT_THAT(run.moves(), IsEmpty());
}

TEST(RunState, TwoPeopleAreTwoPeople) {
  ARunOf run({step("a", "destroy")}, [](RunCreated& created) { created.by_starter = false; });
  run.asks("a", 2);
  run.agrees("a", kJiro);
  EXPECT_THAT(run.moves(), IsEmpty());
  EXPECT_THAT(run.state.may_approve(run.given("a", kJiro), run.now).error().what,
              HasSubstr("approved 'a' already"));
  EXPECT_THAT(run.state.may_approve(run.given("a", kHanako), run.now).error().what,
              HasSubstr("hanako started this run"));
  EXPECT_THAT(run.state.may_approve(run.given("a", kRoot), run.now).error().what,
              HasSubstr("root cannot be the second person"));
  run.agrees("a", Person{1002, "saburo", {}});
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
}

TEST(RunState, OnlyTheGroupsNamedMayAgreeAndAnybodyMaySayNo) {
  ARunOf run({step("a", "destroy")});
  run.asks("a", 1, {"dba"});
  EXPECT_THAT(run.state.may_approve(run.given("a", kHanako), run.now).error().what,
              HasSubstr("none of the groups"));
  EXPECT_TRUE(run.state.may_approve(run.given("a", kJiro), run.now).ok());
  ApprovalGiven no = run.given("a", kHanako);
  no.agree = false;
  EXPECT_TRUE(run.state.may_approve(no, run.now).ok());
}

TEST(RunState, BreakingTheGlassNeedsAReasonAndIsEnoughAlone) {
  ARunOf run({step("a", "destroy")}, [](RunCreated& created) { created.by_starter = false; });
  run.asks("a", 2);
  ApprovalGiven glass = run.given("a", kHanako);
  glass.break_glass = true;
  EXPECT_TRUE(run.state.may_approve(glass, run.now).is(Errc::kRefused));
  glass.reason = "nobody else is awake";
  EXPECT_TRUE(run.state.may_approve(glass, run.now).ok());
  run.happens(glass);
  EXPECT_THAT(run.moves(), ElementsAre("start a"));
}

// --- a journal that does not make sense

TEST(RunState, EventsThatCannotFollowAreRefused) {
  ARunOf run({step("a", "look")});
  EXPECT_TRUE(run.apply(StepStarted{"nobody", 1, Verb::kAct, 1, Value::Map()}).is(Errc::kCorrupt));
  RunState empty(find);
  const NewEvent made = to_event(EngineTook{1, 1});
  EXPECT_TRUE(empty.apply({1, "run/r", 1, {}, made.kind, made.body}).is(Errc::kCorrupt));
  EXPECT_TRUE(empty.apply({2, "run/r", 2, {}, made.kind, made.body}).is(Errc::kCorrupt));
  EXPECT_TRUE(empty.apply({1, "run/r", 1, {}, "unheard_of", Value::Map()}).is(Errc::kCorrupt));
}

TEST(RunEvents, EachComesBackFromItsTextAndNoneWithoutOneOfItsFields) {
  const RunCreated created = ARunOf({step("a", "look")}).state.created();
  const EventBody all[] = {
      created,
      EngineTook{3, 4},
      StepStarted{"a", 1, Verb::kUndo, 3, Value().set("x", 1)},
      StepEnded{"a", 1, 3, Outcome::kSucceeded, true, "e", "h", Value().set("y", 2), Value(3), "aa"},
      StepVanished{"a", 1, false},
      StepSkipped{"a", "because"},
      StepRefused{"a", "e", "h"},
      ApprovalAsked{"a", "hash", 2, {"g"}, Instant{5}},
      ApprovalGiven{"a", "hash", false, kJiro, "r", true},
      ApprovalExpired{"a"},
      PersonAsked{"a", 2},
      PersonAnswered{"a", false, kJiro, "n"},
      AbortAsked{kJiro, "r"},
      RunEnded{RunOutcome::kIncomplete, "w"}};
  for (const EventBody& body : all) {
    const NewEvent made = to_event(body);
    const Value read = *parse_json(to_json(made.body));
    const auto back = event_of({1, "run/r", 1, {}, made.kind, read});
    ASSERT_TRUE(back.ok()) << made.kind;
    EXPECT_EQ(to_json(to_event(*back).body), to_json(made.body)) << made.kind;
    // What journals of older darumas lack.
    static const std::set<std::string> kMayLack = {"config_file", "config_hash", "cut", "prepared"};
    for (const auto& [key, value] : *made.body.map()) {
      if (kMayLack.contains(key) && !(key == "prepared" && made.kind == "step_ended")) continue;
      Value::Map less = *made.body.map();
      less.erase(key);
      EXPECT_TRUE(event_of({1, "run/r", 1, {}, made.kind, Value(less)}).is(Errc::kCorrupt))
          << made.kind << "." << key;
    }
  }
}

}  // namespace
}  // namespace daruma::run
