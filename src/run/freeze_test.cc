// What a run interprets: parameters given, nested plans laid flat, a hash, and the way into the journal and
// back.

#include <gtest/gtest.h>

#include <algorithm>

#include "os/split_mix.h"
#include "run/plan.h"
#include "run/plan_value.h"

namespace daruma::run {
namespace {

Plan parsed(const std::string& text) {
  auto plan = parse_plan(text, "/plans/p.yaml");
  EXPECT_TRUE(plan.ok()) << plan.error().what;
  return plan.ok() ? *std::move(plan) : Plan{};
}

class Freezing : public testing::Test {
 protected:
  // Adds a plan named `name` with the rest of its file.
  void plan(const std::string& name, const std::string& rest) {
    plans_[name] = parsed("plan: " + name + "\ntitle: {ja: 計画, en: plan}\n" + rest);
  }
  Result<FrozenPlan> freeze_it(const std::string& name, const Value::Map& arguments = {}) {
    return freeze(plans_.at(name), arguments, [this](std::string_view wanted) -> Result<Plan> {
      const auto found = plans_.find(std::string(wanted));
      if (found == plans_.end())
        return Error{Errc::kNotFound, "no plan is named '" + std::string(wanted) + "'"};
      return found->second;
    });
  }
  FrozenPlan frozen(const std::string& name, const Value::Map& arguments = {}) {
    auto plan = freeze_it(name, arguments);
    EXPECT_TRUE(plan.ok()) << plan.error().what;
    return plan.ok() ? *std::move(plan) : FrozenPlan{};
  }
  std::string refused(const std::string& name, const Value::Map& arguments = {}) {
    const auto plan = freeze_it(name, arguments);
    if (plan.ok()) return "nothing";
    EXPECT_EQ(plan.error().code, Errc::kInvalid);
    return plan.error().what;
  }

 private:
  std::map<std::string, Plan> plans_;
};

// "a; b < a; c < a b": the steps and what they need.
std::string shape(const FrozenPlan& plan) {
  std::string out;
  for (const Step& step : plan.plan.steps) {
    out += (out.empty() ? "" : "; ") + step.id;
    if (!step.needs.empty()) out += " <";
    for (const std::string& need : step.needs) out += " " + need;
  }
  return out;
}

const Step& step_of(const FrozenPlan& plan, const std::string& id) {
  const auto found = std::ranges::find(plan.plan.steps, id, &Step::id);
  DR_CHECK(found != plan.plan.steps.end());
  return *found;
}

// What the engine knows: any step's output is its whole name.
std::optional<Value> world(std::string_view name) { return Value("<" + std::string(name) + ">"); }

// The inputs of a step, filled in as the engine does.
std::string inputs(const FrozenPlan& plan, const std::string& id) {
  const Step& step = step_of(plan, id);
  const auto filled = fill(Value(step.action.with), lookup_for(plan, step, world));
  return filled.ok() ? to_json(*filled) : filled.error().what;
}

TEST_F(Freezing, TakesValuesGivenAndDefaults) {
  plan("p",
       "params: {service: {type: service, default: auth}, lines: {type: integer}, force: {type: boolean, "
       "default: false}}\n"
       "steps: {a: {do: x, with: {s: $service, n: $lines, f: $force}}}\n");
  EXPECT_EQ(inputs(frozen("p", {{"lines", "12"}}), "a"), "{\"f\":false,\"n\":12,\"s\":\"auth\"}");
  EXPECT_EQ(inputs(frozen("p", {{"lines", 3}, {"force", "true"}, {"service", "$x"}}), "a"),
            "{\"f\":true,\"n\":3,\"s\":\"$x\"}")
      << "a value given is never read as a reference";
}

TEST_F(Freezing, RefusesValuesThatAreMissingUnknownOrWrong) {
  plan("p",
       "params: {lines: {type: integer}, at: {type: time, default: \"2026-11-22T00:00:00Z\"}}\nsteps: {a: "
       "{do: x}}\n");
  plan("q", "steps: {a: {do: x}}\n");
  EXPECT_EQ(refused("p"), "plan 'p': parameter 'lines' (integer) is missing");
  EXPECT_EQ(refused("p", {{"line", 1}}), "plan 'p' has no parameter 'line'; did you mean 'lines'?");
  EXPECT_EQ(refused("q", {{"line", 1}}), "plan 'q' has no parameters, so no 'line'");
  EXPECT_EQ(refused("p", {{"lines", "many"}}), "parameter 'lines' (integer): 'many' is not a whole number");
  EXPECT_NE(refused("p", {{"lines", 1}, {"at", "yesterday"}}).find("parameter 'at' (time): "),
            std::string::npos);
}

TEST_F(Freezing, ANestedPlanStandsBehindTheStepThatNestsIt) {
  plan("inner", "steps: {one: {do: x}, two: {do: x, needs: [one]}, three: {do: x}}\n");
  plan("outer",
       "steps:\n"
       "  before: {do: x}\n"
       "  nested: {do: plan, with: {plan: inner}, needs: [before]}\n"
       "  after: {do: x, needs: [nested]}\n");
  EXPECT_EQ(shape(frozen("outer")),
            "before; nested < before; nested/one < nested; nested/two < nested/one; nested/three < nested; "
            "after < nested/two nested/three");
}

TEST_F(Freezing, PlansNestInPlansThatNest) {
  plan("a", "steps: {x: {do: x}}\n");
  plan("b", "steps: {n: {do: plan, with: {plan: a}}}\n");
  plan("c", "steps: {m: {do: plan, with: {plan: b}}, end: {do: x, needs: [m]}}\n");
  EXPECT_EQ(shape(frozen("c")), "m; m/n < m; m/n/x < m/n; end < m/n/x");
}

TEST_F(Freezing, ArgumentsPassThroughTheScopes) {
  plan("a",
       "params: {file: {}, mode: {default: \"$fast\"}}\nsteps: {x: {do: x, with: {f: $file, m: $mode}}, y: "
       "{do: x, with: {o: $steps.x.out, r: $run.id}}}\n");
  plan("b",
       "params: {name: {}}\nsteps: {find: {do: x}, n: {do: plan, with: {plan: a, file: "
       "\"${steps.find.dir}/${name}\"}}}\n");
  plan("c",
       "params: {who: {default: \"$me\"}}\nsteps: {m: {do: plan, with: {plan: b, name: \"${who}.gz\"}}}\n");
  const FrozenPlan plan = frozen("c");
  EXPECT_EQ(inputs(plan, "m/n/x"), "{\"f\":\"<steps.m/find.dir>/$me.gz\",\"m\":\"$fast\"}");
  EXPECT_EQ(inputs(plan, "m/n/y"), "{\"o\":\"<steps.m/n/x.out>\",\"r\":\"<run.id>\"}");
}

TEST_F(Freezing, ArgumentsOfANestedPlanAreChecked) {
  plan("inner", "params: {lines: {type: integer}}\nsteps: {x: {do: x, with: {n: $lines}}}\n");
  const auto outer = [&](const std::string& with) {
    plan("outer",
         "params: {n: {type: integer, default: 5}, t: {default: abc}}\nsteps: {s: {do: x}, m: {do: plan, "
         "with: {plan: inner" +
             with + "}}}\n");
    return refused("outer");
  };
  EXPECT_EQ(outer(", lines: $n"), "nothing");
  EXPECT_EQ(outer(", lines: $steps.s.count"), "nothing");
  EXPECT_EQ(outer(""), "plan 'outer', step 'm': plan 'inner': parameter 'lines' (integer) is missing");
  EXPECT_EQ(outer(", lines: $t"),
            "plan 'outer', step 'm': parameter 'lines' (integer): 'abc' is not a whole number");
  EXPECT_EQ(outer(", lines: 1, more: 2"),
            "plan 'outer', step 'm': plan 'inner' has no parameter 'more'; allowed: lines");
}

TEST_F(Freezing, APlanThatNestsItselfOrIsNotThereIsRefused) {
  plan("a", "steps: {n: {do: plan, with: {plan: b}}}\n");
  plan("b", "steps: {n: {do: plan, with: {plan: a}}}\n");
  plan("c", "steps: {n: {do: plan, with: {plan: nobody}}}\n");
  EXPECT_EQ(refused("a"), "plan 'a' nests itself: a, b, a");
  EXPECT_EQ(refused("c"), "plan 'c', step 'n': no plan is named 'nobody'");
}

TEST_F(Freezing, AConditionOnANestedPlanHoldsForAllOfIt) {
  plan("inner", "steps: {one: {do: x}, two: {do: x, when: steps.one.failed}}\n");
  plan("outer", "steps: {s: {do: x}, m: {do: plan, with: {plan: inner}, when: steps.s.found}}\n");
  const FrozenPlan plan = frozen("outer");
  const Step& two = step_of(plan, "m/two");
  EXPECT_EQ(two.when->text(), "group.succeeded and (steps.one.failed)");
  std::vector<std::string> asked;
  const Lookup engine = [&](std::string_view name) {
    asked.emplace_back(name);
    return std::optional<Value>(true);
  };
  EXPECT_TRUE(*two.when->holds(lookup_for(plan, two, engine)));
  EXPECT_EQ(asked, (std::vector<std::string>{"steps.m.succeeded", "steps.m/one.failed"}));
}

TEST_F(Freezing, WhatANestingStepSaysOfFailureHoldsInside) {
  plan("inner", "steps: {one: {do: x}, two: {do: x, on_failure: continue, raise: own}}\n");
  plan("outer", "steps: {m: {do: plan, with: {plan: inner}, on_failure: undo, raise: other}}\n");
  const FrozenPlan plan = frozen("outer");
  EXPECT_EQ(step_of(plan, "m/one").on_failure, OnFailure::kUndo);
  EXPECT_EQ(step_of(plan, "m/one").raise, "other");
  EXPECT_EQ(step_of(plan, "m/two").on_failure, OnFailure::kContinue);
  EXPECT_EQ(step_of(plan, "m/two").raise, "own");
}

TEST_F(Freezing, OnlyTheOutermostPlanNotifiesAndAllMustBeReachable) {
  plan("inner", "steps: {x: {do: x}}\ncontacts: [dba, ops]\nfinish: {notify: [dba]}\n");
  plan("outer", "steps: {m: {do: plan, with: {plan: inner}}}\ncontacts: [ops]\nfinish: {notify: [ops]}\n");
  const FrozenPlan plan = frozen("outer");
  EXPECT_EQ(plan.plan.finish.notify, std::vector<std::string>{"ops"});
  EXPECT_EQ(plan.plan.contacts, (std::vector<std::string>{"ops", "dba"}));
}

TEST_F(Freezing, PreconditionsOfNestedPlansComeFirstWhereTheyCan) {
  plan("inner",
       "params: {file: {}}\npreconditions: [{do: file.exists, with: {path: $file}}]\nsteps: {x: {do: x}}\n");
  plan("known", "params: {f: {default: \"/a$b\"}}\nsteps: {m: {do: plan, with: {plan: inner, file: $f}}}\n");
  plan("found", "steps: {find: {do: x}, m: {do: plan, with: {plan: inner, file: $steps.find.file}}}\n");
  const FrozenPlan known = frozen("known");
  ASSERT_EQ(known.plan.preconditions.size(), 1u);
  EXPECT_EQ(to_json(*fill(known.plan.preconditions[0].with, lookup_for(known, Step{}, world))),
            "{\"path\":\"/a$b\"}");
  const FrozenPlan found = frozen("found");
  EXPECT_EQ(shape(found), "find; m < find; m/precondition-1 < m; m/x < m m/precondition-1");
  EXPECT_EQ(inputs(found, "m/precondition-1"), "{\"path\":\"<steps.find.file>\"}");
}

TEST_F(Freezing, TheHashIsOfWhatIsDoneAndNotOfHowItIsWritten) {
  plan("a", "steps: {x: {do: x, with: {n: 1, m: 2}}}\n");
  const std::string hash = frozen("a").hash;
  EXPECT_EQ(hash.size(), 64u);
  plan("a", "# a comment\nsteps:\n  x:\n    with: {m: 2, n: 1}\n    do: x\n");
  EXPECT_EQ(frozen("a").hash, hash);
  plan("a", "steps: {x: {do: x, with: {n: 1, m: 3}}}\n");
  EXPECT_NE(frozen("a").hash, hash);
}

TEST_F(Freezing, TheHashCoversTheArguments) {
  plan("a", "params: {n: {type: integer}}\nsteps: {x: {do: x}}\n");
  EXPECT_NE(frozen("a", {{"n", 1}}).hash, frozen("a", {{"n", 2}}).hash);
}

TEST(FrozenPlanValue, WhatIsNoPlanIsCorrupt) {
  for (const char* text :
       {"1", "{}", "{\"plan\":{\"name\":\"p\"}}", "{\"plan\":{\"name\":3},\"scopes\":[{}]}",
        "{\"plan\":{\"name\":\"p\",\"steps\":[{\"on_failure\":\"x\"}]},\"scopes\":[{}]}",
        "{\"plan\":{\"name\":\"p\",\"steps\":[{\"when\":\"(\"}]},\"scopes\":[{}]}",
        "{\"plan\":{\"name\":\"p\",\"level\":-1},\"scopes\":[{}]}"})
    EXPECT_TRUE(frozen_plan_of(*parse_json(text)).is(Errc::kCorrupt)) << text;
}

// Plans at random, every field now and then.
class RandomPlan {
 public:
  explicit RandomPlan(uint64_t seed) : random_(seed) {}

  FrozenPlan frozen() {
    FrozenPlan plan;
    plan.plan.name = "p" + word();
    plan.plan.title = text();
    plan.plan.scheme = word();
    plan.plan.level = number();
    plan.plan.impact = text();
    plan.plan.head = {word(), word(), word(), word()};
    many([&] { plan.plan.detect.push_back({word(), word(), text()}); });
    many([&] { plan.plan.prevent.push_back(text()); });
    many([&] { plan.plan.preconditions.push_back(action()); });
    many([&] { plan.plan.contacts.push_back(word()); });
    many([&] { plan.plan.parameters.push_back(parameter()); });
    many([&] { plan.plan.steps.push_back(step()); });
    many([&] { plan.plan.finish.notify.push_back(word()); });
    plan.plan.finish.report = coin();
    plan.scopes.push_back({"", map(2)});
    many([&] { plan.scopes.push_back({word(), map(2)}); });
    plan.hash = hash_of(plan);
    return plan;
  }

 private:
  bool coin() { return random_.below(2) == 0; }
  uint32_t number() { return static_cast<uint32_t>(random_.below(4)); }
  Duration duration() { return Duration(static_cast<int64_t>(random_.below(3)) * 500'000'000); }
  std::string word() {
    const std::vector<std::string> words{"",           "a",  "達磨", "$x ${y} $$", "line\nbreak",
                                         "\"quoted\"", "\\", "null"};
    return words[random_.below(words.size())];
  }
  Text text() { return {word(), word()}; }
  template <class F>
  void many(F add) {
    for (uint64_t left = random_.below(4); left > 0; --left) add();
  }
  Value value(int depth) {
    switch (random_.below(depth > 0 ? 8 : 6)) {
      case 0:
        return Value();
      case 1:
        return Value(coin());
      case 2:
        return Value(static_cast<int64_t>(random_.next()));
      case 3:
        return Value(static_cast<double>(random_.below(10000)) / 100);
      case 6: {
        Value::List list;
        many([&] { list.push_back(value(depth - 1)); });
        return list;
      }
      case 7:
        return map(depth - 1);
      default:
        return Value(word());
    }
  }
  Value::Map map(int depth) {
    Value::Map map;
    many([&] { map.insert_or_assign(word(), value(depth)); });
    return map;
  }
  Action action() { return {word(), map(3)}; }
  Parameter parameter() {
    Parameter out;
    out.name = word();
    out.type = static_cast<ParameterType>(random_.below(9));
    out.help = text();
    if (coin()) out.standard = value(2);
    many([&] { out.choices.push_back(word()); });
    return out;
  }
  Step step() {
    Step out;
    out.id = word();
    out.title = text();
    out.action = action();
    out.raise = word();
    many([&] { out.needs.push_back(word()); });
    out.group = word();
    if (coin()) out.when = *Expression::parse("a and not b == '達磨'");
    if (coin()) out.retry = Retry{number(), duration(), duration(), duration()};
    if (coin()) out.timeout = duration();
    out.on_failure = static_cast<OnFailure>(random_.below(3));
    if (coin()) out.undo = action();
    if (coin()) out.approve = Approval{text(), number(), {word()}};
    return out;
  }

  SplitMix random_;
};

TEST(FrozenPlanValue, EveryPlanComesBackFromItsJson) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const FrozenPlan plan = RandomPlan(seed).frozen();
    const auto value = parse_json(to_json(to_value(plan)));
    ASSERT_TRUE(value.ok()) << seed;
    const auto back = frozen_plan_of(*value);
    ASSERT_TRUE(back.ok()) << seed << ": " << back.error().what;
    ASSERT_TRUE(to_value(*back) == to_value(plan)) << seed;
    ASSERT_EQ(back->hash, plan.hash) << seed;
    ASSERT_EQ(back->plan.steps.size(), plan.plan.steps.size()) << seed;
    for (size_t i = 0; i < plan.plan.steps.size(); ++i) {
      ASSERT_EQ(back->plan.steps[i].when == plan.plan.steps[i].when, true) << seed;
      ASSERT_EQ(back->plan.steps[i].timeout, plan.plan.steps[i].timeout) << seed;
      ASSERT_EQ(back->plan.steps[i].retry.has_value(), plan.plan.steps[i].retry.has_value()) << seed;
    }
    ASSERT_EQ(back->plan.finish.report, plan.plan.finish.report) << seed;
  }
}

}  // namespace
}  // namespace daruma::run
