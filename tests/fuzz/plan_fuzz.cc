// Fuzzes the reader of plans, what makes them flat, and what checks them.
//
// Input:  a text.
// Checks: it is read or refused with a place; a plan that was read can be laid flat or is refused; what is
//         flat comes back from its JSON with the same hash; checking it comes to an end.
#include <string>

#include "fuzz.h"
#include "run/check.h"
#include "run/graph.h"

using namespace daruma;
using namespace daruma::run;

namespace {

Result<Value> nothing(StepContext&) { return Value(); }

constexpr InputRow kInputs[] = {{"service", InputRow::Kind::kService, true, {}, "which"},
                                {"lines", InputRow::Kind::kInteger, false, "100", "how many"}};
constexpr std::string_view kOutputs[] = {"file"};

const StepType kTypes[] = {
    {.name = "look", .summary = "", .inputs = kInputs, .outputs = kOutputs, .act = nothing},
    {.name = "delete", .summary = "", .effect = Effect::kDestroy, .needs_source = true, .act = nothing},
    {.name = "plan", .summary = ""},
};

void freeze_and_check(const Plan& plan) {
  const FindPlan itself = [&](std::string_view name) -> Result<Plan> {
    if (name == plan.name) return plan;
    Plan other;  // nests in anything, and takes no arguments
    other.name = std::string(name);
    other.steps.emplace_back().id = "only";
    return other;
  };
  Value::Map arguments;
  for (const Parameter& parameter : plan.parameters)
    if (!parameter.standard) arguments.emplace(parameter.name, "1");
  const Result<FrozenPlan> frozen = freeze(plan, arguments, itself);
  if (frozen.ok()) {
    FUZZ_CHECK(Graph(frozen->plan.steps).cycle().empty());
    const Result<Value> value = parse_json(to_json(to_value(*frozen)));
    FUZZ_CHECK(value.ok());
    const Result<FrozenPlan> back = frozen_plan_of(*value);
    FUZZ_CHECK(back.ok());
    FUZZ_CHECK(back->hash == frozen->hash);
  } else {
    FUZZ_CHECK(frozen.is(Errc::kInvalid));
  }
  static_cast<void>(check_plan(plan, {.types = kTypes, .find_plan = itself}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<Plan> plan = parse_plan(std::string(reinterpret_cast<const char*>(data), size), "/f");
  if (plan.ok()) {
    FUZZ_CHECK(!plan->name.empty() && !plan->steps.empty());
    freeze_and_check(*plan);
  } else {
    FUZZ_CHECK(plan.is(Errc::kInvalid));
    FUZZ_CHECK(plan.error().what.starts_with("/f:"));
  }
  return 0;
}
