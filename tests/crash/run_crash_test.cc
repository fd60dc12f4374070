// Runs in a simulated world: the engine is killed before and after every append and every effect, at random
// many times, loses the run to another engine, and meets clocks that jump. The run always ends, in the same
// state as without a crash, and nothing exclusive is done twice.
//
// A failing schedule prints its seed: DARUMA_RUN_SEED=N runs that one alone; DARUMA_RUN_SCHEDULES=N how many.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "crash/run_world.h"
#include "os/environment.h"
#include "run/engine.h"
#include "run/library.h"

namespace daruma::run {
namespace {

using ::testing::IsEmpty;

Step a_step(std::string id, std::string type, std::vector<std::string> needs = {}) {
  Step step;
  step.id = std::move(id);
  step.action.type = std::move(type);
  step.needs = std::move(needs);
  return step;
}

Plan a_plan(std::vector<Step> steps) {
  Plan plan;
  plan.name = "simulated";
  plan.title = {"模擬", "simulated"};
  plan.steps = std::move(steps);
  plan.finish.notify = {"ops"};
  return plan;
}

// One run in one world, carried out by as many engines as it takes.
class Story {
 public:
  Story(const Plan& plan, uint64_t seed)
      : Story(*freeze(plan, {},
                      [](std::string_view) {
                        return Error{Errc::kNotFound, "no plan"};
                      }),
              seed) {}
  Story(const FrozenPlan& frozen, uint64_t seed)
      : journal_(clock_), world_(journal_, clock_, seed), random_(seed ^ 0x5eed) {
    RunCreated created;
    created.plan = frozen;
    created.by = {1000, "hanako", {"ops"}};
    DR_CHECK(journal_.append(stream_of("r"), 0, {to_event(created)}).ok());
    world_.run = "r";
    world_.point = [this] { on_point(); };
    journal_.fault = [this](bool) { return on_point(), Status(); };
  }

  RunWorld& world() { return world_; }
  JumpingClock& clock() { return clock_; }

  // A journal between the engines and the real one.
  template <class Between>
  void use_journal() {
    make_journal_ = [this] { return std::make_unique<Between>(journal_); };
  }
  FindType find_type = find_sim_type;
  // Counted over all engines; the engine at this point is killed. 0: none.
  uint64_t kill_at = 0;
  // One point in so many kills; 0: none.
  uint64_t kill_one_in = 0;
  // At this point another engine takes the run over and carries it to its end; then the first goes on.
  uint64_t overtake_at = 0;
  bool jumps = false;
  bool agrees = true;
  bool floods = false;                  // somebody who may not answer writes without end
  std::optional<uint64_t> abort_after;  // letters
  uint64_t points() const { return points_; }

  // The state at the end.
  RunState carry_to_its_end() {
    for (int engines = 0; engines < 10'000; ++engines) {
      const auto state = carry_once();
      if (state && state->phase() == RunPhase::kEnded) return *state;
    }
    ADD_FAILURE() << "the run never ends";
    return *load_run(journal_, "r", find_type);
  }

  // What must never have happened, and what must hold at the end.
  std::vector<std::string> wrongs(const RunState& state) const {
    std::vector<std::string> wrongs = world_.wrongs();
    for (const Step& step : state.steps()) {
      const StepState& at = state.at(step.id);
      const StepType* type = state.type_of(step);
      if (step.group == "finish" || type->effect == Effect::kObserve || !type->act) continue;
      const bool done = at.phase == StepPhase::kSucceeded && !at.undone;
      // One that may act again failed after its effect, and the run stopped before its next try.
      const bool to_be_tried = at.phase == StepPhase::kPausing && type->after_crash == AfterCrash::kAgain;
      if (done != world_.happened(step.id) && at.phase != StepPhase::kFailed && !to_be_tried)
        wrongs.push_back(
            fmt::format("{}: the journal says {}, the world {}", step.id, done, world_.happened(step.id)));
    }
    return wrongs;
  }

 private:
  std::optional<RunState> carry_once() {
    const auto hands = world_.hands();
    const std::unique_ptr<Journal> between = make_journal_();
    EngineParts parts{
        .journal = between ? *between : journal_, .clock = clock_, .hands = *hands, .find_type = find_type};
    const RunState* now = nullptr;
    parts.on_event = [&](const RunState& state, const JournalEvent&) { now = &state; };
    parts.letter = [&] { return now ? letter(*now) : std::nullopt; };
    try {
      auto state = carry_out(parts, "r", ++epoch_, 1, {});
      if (state.ok()) return *std::move(state);
      EXPECT_TRUE(state.is(Errc::kRefused) || make_journal_()) << state.error().what;  // overtaken
    } catch (const Killed&) {
      world_.engine_died();
    }
    return std::nullopt;
  }

  void on_point() {
    if (inside_) return;
    ++points_;
    if (jumps && random_.below(50) == 0)
      clock_.jump((random_.below(2) == 0 ? 1 : -1) * Duration(random_.below(3600) * 1s));
    if (points_ == overtake_at) {
      inside_ = true;
      (void)carry_once();
      inside_ = false;
      return;
    }
    if (points_ == kill_at || (kill_one_in > 0 && random_.below(kill_one_in) == 0)) throw Killed();
  }

  // People: they agree, answer truthfully, and perhaps abort.
  std::optional<Letter> letter(const RunState& state) const {
    if (state.phase() == RunPhase::kEnded) return std::nullopt;
    if (abort_after && !state.abort() && state.position() >= *abort_after)
      return Letter{AbortAsked{{1001, "jiro", {}}, "wrong plan"}};
    for (const Step& step : state.steps()) {
      const StepState& at = state.at(step.id);
      if (at.phase == StepPhase::kAsking && at.approval && !at.approval->granted)
        return Letter{ApprovalGiven{step.id, "", agrees, {1001, "jiro", {"ops"}}, "", false}};
      if (at.phase == StepPhase::kPerson)
        return Letter{
            PersonAnswered{step.id, at.attempts.empty() || world_.happened(step.id), {1001, "jiro", {}}, ""}};
    }
    if (floods) return Letter{ApprovalGiven{"nothing", "", true, {1002, "nobody", {}}, "", false}};
    return std::nullopt;
  }

  std::function<std::unique_ptr<Journal>()> make_journal_ = [] { return nullptr; };
  JumpingClock clock_;
  MemoryJournal journal_;
  RunWorld world_;
  SplitMix random_;
  uint64_t epoch_ = 0;
  uint64_t points_ = 0;
  bool inside_ = false;  // nobody is killed or overtaken here
};

Plan the_usual_plan() {
  std::vector<Step> steps{
      a_step("evidence", "observe"),
      a_step("agree", "approve", {"evidence"}),
      a_step("stop", "again+undo", {"agree"}),
      a_step("aside", "reconcile+undo", {"stop"}),
      a_step("restore", "reconcile", {"aside"}),
      a_step("flush", "ask", {"aside"}),
      a_step("check", "observe", {"restore", "flush"}),
      a_step("start", "again", {"check"}),
      a_step("discard", "destroy", {"start"}),
  };
  steps[1].action.with = {{"question", "go on?"}};
  return a_plan(std::move(steps));
}

TEST(ARun, GoesThroughItsStepsToItsEnd) {
  Story story(the_usual_plan(), 1);
  const RunState state = story.carry_to_its_end();
  EXPECT_EQ(state.end()->outcome, RunOutcome::kSucceeded) << state.end()->why;
  EXPECT_THAT(story.wrongs(state), IsEmpty());
  EXPECT_EQ(story.world().applied(),
            (std::set<std::string>{"stop", "aside", "restore", "flush", "start", "discard"}));
}

TEST(ARun, EndsTheSameWhereverItsEngineIsKilled) {
  Story whole(the_usual_plan(), 1);
  whole.carry_to_its_end();
  ASSERT_GT(whole.points(), 40u);
  for (uint64_t point = 1; point <= whole.points(); ++point)
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      Story story(the_usual_plan(), seed);
      story.kill_at = point;
      const RunState state = story.carry_to_its_end();
      EXPECT_EQ(state.end()->outcome, RunOutcome::kSucceeded)
          << point << "/" << seed << ": " << state.end()->why;
      EXPECT_THAT(story.wrongs(state), IsEmpty()) << point << "/" << seed;
      EXPECT_EQ(story.world().applied(), whole.world().applied()) << point << "/" << seed;
    }
}

TEST(ARun, IsNotCarriedOnByAnEngineThatLostIt) {
  Story whole(the_usual_plan(), 1);
  whole.carry_to_its_end();
  for (uint64_t point = 1; point <= whole.points(); ++point) {
    Story story(the_usual_plan(), 3);
    story.overtake_at = point;
    const RunState state = story.carry_to_its_end();
    EXPECT_EQ(state.end()->outcome, RunOutcome::kSucceeded) << point;
    EXPECT_THAT(story.wrongs(state), IsEmpty()) << point;
    EXPECT_EQ(story.world().applied(), whole.world().applied()) << point;
  }
}

TEST(ARun, EndsTheSameWhicheverHandsDieBySignal) {
  Plan plan = the_usual_plan();
  for (Step& step : plan.steps) step.retry = Retry{.times = 100};
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Story story(plan, seed);
    story.world().die_one_in = 3;
    story.kill_one_in = seed % 2 == 0 ? 20 : 0;
    const RunState state = story.carry_to_its_end();
    EXPECT_EQ(state.end()->outcome, RunOutcome::kSucceeded) << seed << ": " << state.end()->why;
    EXPECT_THAT(story.wrongs(state), IsEmpty()) << seed;
    EXPECT_EQ(story.world().applied(),
              (std::set<std::string>{"stop", "aside", "restore", "flush", "start", "discard"}))
        << seed;
  }
}

TEST(ARun, IsNotHeldUpByWhoeverWritesWithoutEnd) {
  Story story(the_usual_plan(), 1);
  story.floods = true;
  EXPECT_EQ(story.carry_to_its_end().end()->outcome, RunOutcome::kSucceeded);
}

TEST(ARun, ThatIsRejectedLeavesTheWorldAsItWas) {
  Plan plan = the_usual_plan();
  std::swap(plan.steps[1], plan.steps[2]);  // the gate comes too late, and still nothing stays changed
  plan.steps[1].needs = {"evidence"};
  plan.steps[2].needs = {"stop"};
  plan.steps[3].needs = {"agree"};
  plan.steps[1].id = "stop", plan.steps[2].id = "agree";
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Story story(plan, seed);
    story.agrees = false;
    story.kill_one_in = 20;
    const RunState state = story.carry_to_its_end();
    EXPECT_EQ(state.end()->outcome, RunOutcome::kFailed);
    EXPECT_THAT(state.end()->why, ::testing::HasSubstr("rejected by jiro"));
    EXPECT_THAT(story.world().applied(), IsEmpty()) << seed;
    EXPECT_THAT(story.wrongs(state), IsEmpty()) << seed;
  }
}

TEST(ARun, ThatIsAbortedUndoesWhatCanBeUndone) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Story story(the_usual_plan(), seed);
    story.abort_after = 2 + seed % 30;
    story.kill_one_in = seed % 3 == 0 ? 15 : 0;
    const RunState state = story.carry_to_its_end();
    if (!state.abort()) continue;  // it was quicker
    EXPECT_EQ(state.end()->outcome, RunOutcome::kAborted);
    EXPECT_FALSE(story.world().happened("stop")) << seed;
    EXPECT_FALSE(story.world().happened("aside")) << seed;
    EXPECT_THAT(story.world().wrongs(), IsEmpty()) << seed;
  }
}

TEST(ARun, NothingAfterAFailedStepRuns) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Story story(the_usual_plan(), seed);
    story.world().failures["restore"] = UINT32_MAX;
    const RunState state = story.carry_to_its_end();
    EXPECT_EQ(state.end()->outcome, RunOutcome::kFailed);
    EXPECT_EQ(state.at("restore").phase, StepPhase::kFailed);
    EXPECT_FALSE(story.world().happened("start"));
    EXPECT_FALSE(story.world().happened("discard"));
    EXPECT_EQ(state.at("finish.notify.ops").phase, StepPhase::kSucceeded) << "failure is told too";
  }
}

TEST(ARun, WhoseSourceWasNotProvedTakesNothingAway) {
  for (const bool proves : {true, false}) {
    Plan plan =
        a_plan({a_step("look", "postgres.find_point"), a_step("aside", "postgres.set_aside", {"look"})});
    for (Step& step : plan.steps) step.action.with = {{"datastore", "users"}};
    if (!proves) plan.steps[0].action.with = {{"datastore", "others"}};
    Story story(plan, 1);
    story.find_type = story.world().find_type = find_emptied_type;
    const RunState state = story.carry_to_its_end();
    EXPECT_EQ(state.end()->outcome, proves ? RunOutcome::kSucceeded : RunOutcome::kFailed);
    EXPECT_EQ(story.world().happened("aside"), proves);
    EXPECT_EQ(state.at("aside").attempts.size(), proves ? 1u : 0u) << "refused before its intent";
  }
}

// --- the plans that ship

TEST(EachShippedPlan, EndsTheSameWhereverItsEngineIsKilled) {
  const auto fs = real_file_system();
  const auto library = load_library(*fs, DARUMA_SOURCE_DIR "/systems",
                                    {"lastminutestay/plans/*.yaml", "ai-micro-service/plans/*.yaml"});
  ASSERT_TRUE(library.ok()) << library.error().what;
  ASSERT_THAT(library->bad, IsEmpty());
  for (const Plan& plan : library->plans) {
    Value::Map arguments;  // what must be given
    for (const Parameter& parameter : plan.parameters)
      if (!parameter.standard)
        arguments.emplace(parameter.name,
                          parameter.type == ParameterType::kTime ? "2026-11-22T01:00:00Z" : "one");
    const auto frozen = freeze(plan, arguments, library->finder());
    ASSERT_TRUE(frozen.ok()) << frozen.error().what;
    const auto tell = [&](uint64_t kill_at) {
      auto story = std::make_unique<Story>(*frozen, kill_at + 1);
      story->find_type = story->world().find_type = find_emptied_type;
      story->kill_at = kill_at;
      return story;
    };
    const auto whole = tell(0);
    const RunState end = whole->carry_to_its_end();
    EXPECT_EQ(end.end()->outcome, RunOutcome::kSucceeded) << plan.name << ": " << end.end()->why;
    for (uint64_t point = 1; point <= whole->points(); ++point) {
      const auto story = tell(point);
      const RunState state = story->carry_to_its_end();
      EXPECT_EQ(state.end()->outcome, RunOutcome::kSucceeded)
          << plan.name << " at " << point << ": " << state.end()->why;
      EXPECT_THAT(story->wrongs(state), IsEmpty()) << plan.name << " at " << point;
      EXPECT_EQ(story->world().applied(), whole->world().applied()) << plan.name << " at " << point;
    }
  }
}

// A plan made up from a seed: a graph of up to nine steps, some of which fail a few times, or always.
Plan random_plan(SplitMix& random, std::map<std::string, uint32_t>& failures) {
  static constexpr const char* kTypes[] = {"observe",        "again", "again+undo", "reconcile",
                                           "reconcile+undo", "ask",   "destroy",    "manual"};
  std::vector<Step> steps;
  const uint64_t count = 2 + random.below(8);
  for (uint64_t i = 0; i < count; ++i) {
    Step step = a_step("s" + std::to_string(i), kTypes[random.below(std::size(kTypes))]);
    for (const Step& earlier : steps)
      if (random.below(3) == 0) step.needs.push_back(earlier.id);
    if (random.below(4) == 0) {
      step.retry = Retry{.times = 3};
      failures[step.id] = static_cast<uint32_t>(random.below(3));
    } else if (random.below(12) == 0 && step.action.type != "manual") {
      failures[step.id] = UINT32_MAX;
      step.on_failure = static_cast<OnFailure>(random.below(3));
    }
    if (step.action.type == "manual") step.action.with = {{"task", "look"}};
    steps.push_back(std::move(step));
  }
  return a_plan(std::move(steps));
}

uint64_t number_from(const char* name, uint64_t otherwise) {
  const auto text = environment_variable(name);
  return text ? std::stoull(*text) : otherwise;
}

void run_schedule(uint64_t seed) {
  SplitMix random(seed);
  std::map<std::string, uint32_t> failures;
  const Plan plan = random_plan(random, failures);
  Story story(plan, seed);
  story.world().failures = failures;
  story.kill_one_in = random.below(3) == 0 ? 0 : 5 + random.below(60);
  story.overtake_at = random.below(4) == 0 ? 1 + random.below(60) : 0;
  story.jumps = random.below(2) == 0;
  if (random.below(8) == 0) story.abort_after = 2 + random.below(20);
  if (random.below(4) == 0) story.world().die_one_in = 2 + random.below(10);
  const RunState state = story.carry_to_its_end();
  EXPECT_THAT(story.wrongs(state), IsEmpty()) << "DARUMA_RUN_SEED=" << seed;
  bool must_fail = false, expired = false;
  for (const Step& step : state.steps()) {
    const auto bad = failures.find(step.id);
    must_fail = must_fail ||
                (bad != failures.end() && bad->second == UINT32_MAX &&
                 step.on_failure != OnFailure::kContinue && state.at(step.id).phase == StepPhase::kFailed);
    expired = expired || state.at(step.id).error.find("in time") != std::string::npos;
  }
  if (!must_fail && !state.abort() && !expired && story.world().deaths() == 0) {
    EXPECT_TRUE(state.end()->outcome == RunOutcome::kSucceeded ||
                state.end()->outcome == RunOutcome::kIncomplete)
        << "DARUMA_RUN_SEED=" << seed << ": " << state.end()->why;
  }
  if (must_fail) {
    EXPECT_NE(state.end()->outcome, RunOutcome::kSucceeded) << "DARUMA_RUN_SEED=" << seed;
  }
}

TEST(Schedules, NoneBreaksAPromise) {
  if (const uint64_t seed = number_from("DARUMA_RUN_SEED", 0)) return run_schedule(seed);
  const uint64_t count = number_from("DARUMA_RUN_SCHEDULES", 10'000);
  for (uint64_t seed = 1; seed <= count && !HasFailure(); ++seed) run_schedule(seed);
}

// --- planted bugs: what the checks above would be worth without them

// A journal before another one, for bugs that lie in append().
class JournalBefore : public Journal {
 public:
  explicit JournalBefore(Journal& inner) : inner_(inner) {}
  Result<std::vector<JournalEvent>> read(const std::string& stream, uint64_t from) override {
    return inner_.read(stream, from);
  }
  Result<std::vector<std::string>> streams(const std::string& prefix, size_t limit) override {
    return inner_.streams(prefix, limit);
  }
  Result<JournalHead> head() override { return inner_.head(); }

 protected:
  Journal& inner_;
};

// A journal that says "durable" of an intent before it is: a crash loses it.
class LazyJournal final : public JournalBefore {
 public:
  using JournalBefore::JournalBefore;
  Result<std::vector<JournalEvent>> append(const std::string& stream, uint64_t after,
                                           const std::vector<NewEvent>& events) override {
    if (events.size() == 1 && events[0].kind == "step_started" && held_.empty()) {
      held_ = events;
      return std::vector<JournalEvent>{{0, stream, after + 1, Instant{}, events[0].kind, events[0].body}};
    }
    std::vector<NewEvent> all = std::exchange(held_, {});
    const uint64_t begin = after - all.size();
    const size_t late = all.size();
    all.insert(all.end(), events.begin(), events.end());
    DR_TRY(auto appended, inner_.append(stream, begin, all));
    appended.erase(appended.begin(), appended.begin() + static_cast<ptrdiff_t>(late));
    return appended;
  }

 private:
  std::vector<NewEvent> held_;
};

// A journal that lets an engine go on that lost its run: no fencing.
class UnfencedJournal final : public JournalBefore {
 public:
  using JournalBefore::JournalBefore;
  Result<std::vector<JournalEvent>> append(const std::string& stream, uint64_t after,
                                           const std::vector<NewEvent>& events) override {
    auto appended = inner_.append(stream, after, events);
    if (!appended.is(Errc::kRefused)) return appended;
    DR_TRY(const auto all, inner_.read(stream, 1));
    DR_TRY(appended, inner_.append(stream, all.size(), events));
    for (JournalEvent& event : *appended) event.position = ++after;
    return appended;
  }
};

// A table that takes every step for one that may simply be done again.
const StepType* careless_type(std::string_view name) {
  static std::map<std::string, StepType, std::less<>> types;
  const StepType* real = find_sim_type(name);
  if (!real) return nullptr;
  StepType& type = types.emplace(name, *real).first->second;
  type.after_crash = AfterCrash::kAgain;
  return &type;
}

// A table that forgets that something destroys, and so its approval.
const StepType* harmless_type(std::string_view name) {
  static std::map<std::string, StepType, std::less<>> types;
  const StepType* real = find_sim_type(name);
  if (!real) return nullptr;
  StepType& type = types.emplace(name, *real).first->second;
  if (type.effect == Effect::kDestroy) type.effect = Effect::kChange;
  return &type;
}

bool is_found(const std::function<void(Story&)>& plant) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Plan plan = the_usual_plan();
    std::erase_if(plan.steps, [](const Step& step) { return step.id == "agree"; });
    for (Step& step : plan.steps) {
      std::ranges::replace(step.needs, "agree", "evidence");
      step.retry = Retry{.times = 3};
    }
    Story story(plan, seed);
    story.kill_one_in = seed % 2 == 0 ? 12 : 0;
    story.overtake_at = seed % 2 == 0 ? 0 : 1 + seed % 60;
    plant(story);
    story.carry_to_its_end();
    if (!story.world().wrongs().empty()) return true;
  }
  return false;
}

TEST(APlantedBugOfTheEngine, NoneIsFoundWhereNoneIs) {
  EXPECT_FALSE(is_found([](Story&) {}));
}
TEST(APlantedBugOfTheEngine, NoneIsFoundWhereHandsDie) {
  EXPECT_FALSE(is_found([](Story& story) { story.world().die_one_in = 3; }));
}
TEST(APlantedBugOfTheEngine, ADeathToldAsAFailureIsFound) {
  EXPECT_TRUE(is_found([](Story& story) {
    story.world().die_one_in = 3;
    story.world().deaths_are_told_as_failures = true;
  }));
}
TEST(APlantedBugOfTheEngine, AnEffectBeforeItsIntentIsFound) {
  EXPECT_TRUE(is_found([](Story& story) { story.use_journal<LazyJournal>(); }));
}
TEST(APlantedBugOfTheEngine, AnEngineThatGoesOnWithARunItLostIsFound) {
  EXPECT_TRUE(is_found([](Story& story) { story.use_journal<UnfencedJournal>(); }));
}
TEST(APlantedBugOfTheEngine, ARepeatOfAnExclusiveStepIsFound) {
  EXPECT_TRUE(is_found([](Story& story) { story.find_type = careless_type; }));
}
TEST(APlantedBugOfTheEngine, ALostApprovalIsFound) {
  EXPECT_TRUE(is_found([](Story& story) { story.find_type = harmless_type; }));
}

}  // namespace
}  // namespace daruma::run
