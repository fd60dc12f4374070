// http.measure: many requests, and how long their answers take.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "base/guarded.h"
#include "base/shell_word.h"
#include "probe/http.h"
#include "run/steps/families.h"
#include "run/steps/http_parts.h"
#include "run/steps/inputs.h"
#include "run/steps/percentiles.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr int64_t kRequestsMost = 100'000;
constexpr int64_t kAtOnceMost = 200;
constexpr Duration kRequestMost = 10s;

constexpr InputRow kMeasure[] = {
    {"url", Kind::kText, false, {}, "what is asked, with GET"},
    {"service", Kind::kService, false, {}, "instead of `url`: its health address"},
    {"headers", Kind::kMap, false, {}, "headers; a value may be a secret"},
    {"requests", Kind::kInteger, false, "100", "how many in all"},
    {"at_once", Kind::kInteger, false, "10", "how many at a time, each over a connection of its own"},
    {"status", Kind::kAny, false, "200", "the status expected, or a list of them; any other is an error"},
    {"errors_most", Kind::kInteger, false, "0", "fails when more requests have no answer or a wrong one"},
    {"p95_most", Kind::kDuration, false, {}, "fails when the 95th percentile is slower"},
    {"most", Kind::kDuration, false, {}, "fails when the slowest is slower"},
    {"before_p95_ms", Kind::kAny, false, {}, "the 95th percentile of before the incident, to compare with"},
    {"slower_most", Kind::kInteger, false, "50", "fails when it is slower than before by more percent"},
};
constexpr std::string_view kMeasureOutputs[] = {"requests", "errors", "min_ms", "mean_ms",    "p50_ms",
                                                "p95_ms",   "p99_ms", "max_ms", "per_second", "statuses"};
struct Tally {
  std::vector<Duration> times;          // of the answers that were as expected
  std::map<std::string, int64_t> ends;  // by status, or by the error's words
  int64_t errors = 0;
};

struct Load {
  int64_t requests = 0, at_once = 0;
  std::vector<int> statuses;
};

Result<Load> load_of(const StepContext& context) {
  Load load{.requests = integer_input(context, "requests", 100),
            .at_once = integer_input(context, "at_once", 10),
            .statuses = {}};
  if (load.requests < 1 || load.requests > kRequestsMost)
    return Error{Errc::kInvalid,
                 fmt::format("input 'requests': {} is not in 1 to {}", load.requests, kRequestsMost)};
  if (load.at_once < 1 || load.at_once > kAtOnceMost)
    return Error{Errc::kInvalid,
                 fmt::format("input 'at_once': {} is not in 1 to {}", load.at_once, kAtOnceMost)};
  DR_TRY(load.statuses, statuses_input(context));
  return load;
}

void ask_once(StepContext& context, const probe::HttpQuestion& question, const Load& load,
              Guarded<Tally>& tally) {
  const Deadline deadline{std::min(context.deadline.at, context.clock.after(kRequestMost).at)};
  const auto answer = probe::ask_http(question, context.clock, deadline, context.stop);
  const bool good = answer.ok() && std::find(load.statuses.begin(), load.statuses.end(), answer->status) !=
                                       load.statuses.end();
  auto locked = tally.lock();
  ++locked->ends[answer.ok() ? std::to_string(answer->status) : answer.error().what];
  if (good)
    locked->times.push_back(answer->took);
  else
    ++locked->errors;
}

Tally ask_all(StepContext& context, const probe::HttpQuestion& question, const Load& load) {
  Guarded<Tally> tally;
  std::atomic<int64_t> begun{0};
  {
    std::vector<std::jthread> clients;
    for (int64_t i = 0; i < std::min(load.at_once, load.requests); ++i)
      clients.emplace_back([&] {
        while (begun++ < load.requests && !context.deadline.passed(context.clock.mono()))
          ask_once(context, question, load, tally);
      });
  }
  return std::move(*tally.lock());
}

// Why what was measured is not good enough; "": it is.
Result<std::string> too_bad(const StepContext& context, const Load& load, const Tally& tally,
                            const Percentiles& found) {
  const auto answered = static_cast<int64_t>(tally.times.size()) + tally.errors;
  if (answered < load.requests)
    return fmt::format("only {} of {} requests were made in the time given", answered, load.requests);
  const int64_t errors_most = integer_input(context, "errors_most");
  if (tally.errors > errors_most)
    return fmt::format("{} of {} requests failed, more than {}", tally.errors, load.requests, errors_most);
  DR_TRY(const auto p95_most, duration_input(context, "p95_most"));
  if (p95_most && found.p95 > *p95_most)
    return fmt::format("the 95th percentile is {:.1f} ms, more than {:.1f} ms", ms_of(found.p95),
                       ms_of(*p95_most));
  DR_TRY(const auto most, duration_input(context, "most"));
  if (most && found.max > *most)
    return fmt::format("the slowest took {:.1f} ms, more than {:.1f} ms", ms_of(found.max), ms_of(*most));
  DR_TRY(const auto before, number_input(context, "before_p95_ms"));
  const auto slower_most = static_cast<double>(integer_input(context, "slower_most", 50));
  if (before && ms_of(found.p95) > *before * (1 + slower_most / 100))
    return fmt::format(
        "the 95th percentile is {:.1f} ms, before the incident it was {:.1f} ms: more than {} % slower",
        ms_of(found.p95), *before, slower_most);
  return std::string();
}

Result<Value> measure(StepContext& context) {
  DR_TRY(const std::string url, url_input(context));
  DR_TRY(const Load load, load_of(context));
  DR_TRY(probe::HttpQuestion question, question_of(context, url));
  question.method = "GET";
  const MonoInstant begin = context.clock.mono();
  Tally tally = ask_all(context, question, load);
  const Duration took = std::max<Duration>(context.clock.mono() - begin, 1us);
  const Percentiles found = percentiles_of(tally.times);
  Value::Map statuses;
  for (const auto& [end, count] : tally.ends) {
    fmt::print("{:>7}  {}\n", count, end);
    statuses.emplace(end, Value(count));
  }
  fmt::print("min {:.1f} ms, mean {:.1f}, p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, max {:.1f}\n", ms_of(found.min),
             ms_of(found.mean), ms_of(found.p50), ms_of(found.p95), ms_of(found.p99), ms_of(found.max));
  DR_TRY(const std::string bad, too_bad(context, load, tally, found));
  if (!bad.empty()) return Error{Errc::kFailed, fmt::format("{}: {}", url, bad)};
  const double per_second = static_cast<double>(tally.times.size()) * 1e9 / static_cast<double>(took.count());
  return Value(Value::Map{{"requests", Value(load.requests)},
                          {"errors", Value(tally.errors)},
                          {"min_ms", Value(ms_of(found.min))},
                          {"mean_ms", Value(ms_of(found.mean))},
                          {"p50_ms", Value(ms_of(found.p50))},
                          {"p95_ms", Value(ms_of(found.p95))},
                          {"p99_ms", Value(ms_of(found.p99))},
                          {"max_ms", Value(ms_of(found.max))},
                          {"per_second", Value(per_second)},
                          {"statuses", Value(std::move(statuses))}});
}

std::vector<std::string> measure_by_hand(const StepContext& context) {
  const auto url = url_input(context);
  if (!url.ok()) return {"# " + url.error().what};
  return {shell_line({"ab", "-n", std::to_string(integer_input(context, "requests", 100)), "-c",
                      std::to_string(integer_input(context, "at_once", 10)), *url})};
}

Result<Preview> preview_measure(StepContext& context) {
  DR_TRY(const std::string url, url_input(context));
  DR_TRY(const Load load, load_of(context));
  return Preview{.would = {fmt::format("ask {} {} times, {} at a time", url, load.requests, load.at_once)},
                 .by_hand = measure_by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "http.measure",
     .summary = "asks a URL many times and checks how long the answers take",
     .timeout = std::chrono::minutes(2),
     .inputs = kMeasure,
     .outputs = kMeasureOutputs,
     .act = measure,
     .preview = preview_measure,
     .by_hand = measure_by_hand},
};

}  // namespace

std::span<const StepType> measure_steps() { return kTypes; }

}  // namespace daruma::run
