#include "run/forecast.h"

#include <algorithm>
#include <functional>

#include "run/engine.h"
#include "run/graph.h"

namespace daruma::run {
namespace {

constexpr size_t kRunsLookedAt = 200;
constexpr size_t kRunsMeasured = 10;

std::optional<Duration> longest_way(const std::vector<Step>& steps,
                                    const std::function<std::optional<Duration>(const Step&)>& takes) {
  const Graph graph(steps);
  std::vector<Duration> ends(steps.size());
  Duration whole{};
  for (const size_t at : graph.order()) {
    const auto time = takes(steps[at]);
    if (!time) return std::nullopt;
    for (const size_t need : graph.needs(at)) ends[at] = std::max(ends[at], ends[need]);
    ends[at] += *time;
    whole = std::max(whole, ends[at]);
  }
  return whole;
}

std::optional<Duration> time_of(const StepTimes& times, const std::string& step) {
  const auto found = times.find(step);
  return found == times.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Result<StepTimes> usual_times(Journal& journal, const std::string& plan, const FindType& find_type) {
  DR_TRY(const auto streams, journal.streams("run/", kRunsLookedAt));
  std::map<std::string, std::vector<Duration>> measured;
  size_t runs = 0;
  for (const std::string& stream : streams) {
    if (runs == kRunsMeasured) break;
    if (stream.find("-" + plan + "-") == std::string::npos) continue;
    DR_TRY(const RunState run, load_run(journal, stream.substr(std::string_view("run/").size()), find_type));
    if (run.created().plan.plan.name != plan) continue;
    if (!run.end() || run.end()->outcome != RunOutcome::kSucceeded) continue;
    ++runs;
    for (const Step& step : run.created().plan.plan.steps) {
      const StepState& state = run.at(step.id);
      const bool acted = state.ended && !state.attempts.empty();
      measured[step.id].push_back(acted ? *state.ended - state.attempts.front().started : Duration{});
    }
  }
  StepTimes usual;
  for (auto& [step, times] : measured) {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    usual[step] = *middle;
  }
  return usual;
}

std::optional<Duration> forecast(const std::vector<Step>& steps, const StepTimes& usual) {
  return longest_way(steps, [&](const Step& step) { return time_of(usual, step.id); });
}

std::optional<Duration> forecast_left(const RunState& state, const StepTimes& usual, Instant now) {
  return longest_way(state.created().plan.plan.steps, [&](const Step& step) -> std::optional<Duration> {
    const StepState& at = state.at(step.id);
    if (has_ended(at.phase)) return Duration{};
    const auto time = time_of(usual, step.id);
    if (!time || at.phase != StepPhase::kRunning || at.attempts.empty()) return time;
    return std::max(Duration{}, *time - (now - at.attempts.front().started));
  });
}

}  // namespace daruma::run
