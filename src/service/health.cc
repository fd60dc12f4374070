#include "service/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>

#include "base/size.h"
#include "os/environment.h"
#include "service/json_text.h"

namespace daruma::service {
namespace {

namespace asio = boost::asio;

constexpr Duration kAtStart = 50ms;  // between questions, while a failure does not count yet

std::string_view word_of(HealthState state) {
  static constexpr std::string_view kWords[] = {"warn", "pass", "warn",
                                                "fail"};  // the draft has no "unknown"
  return kWords[static_cast<size_t>(state)];
}

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

// A question that was asked, and its answer once it is there. Shared by the one who waits and the coroutine
// that asks: either may end first.
struct Question {
  explicit Question(const asio::any_io_executor& executor) : wake(executor) {}

  asio::steady_timer wake;
  std::optional<HealthAnswer> answer = std::nullopt;
  MonoInstant asked = {};
};

std::shared_ptr<Question> ask(const HealthCheck& check, const asio::any_io_executor& executor,
                              MonoInstant now) {
  auto question = std::make_shared<Question>(executor);
  question->asked = now;
  asio::co_spawn(executor, check.ask(), [question](const std::exception_ptr& thrown, HealthAnswer answer) {
    if (thrown) answer = {HealthState::kFail, "the question itself failed"};
    question->answer = std::move(answer);
    question->wake.cancel();
  });
  return question;
}

// For questions that have their answer at once.
Task<HealthAnswer> ready(HealthAnswer answer) { co_return answer; }

std::string check_json(const HealthCheck& check, const HealthAnswer& answer, Duration latency, Instant since,
                       Instant asked) {
  std::string out;
  append_json_string(out, check.name);
  out += fmt::format(R"(:[{{"status":"{}","componentType":)", word_of(answer.state));
  append_json_string(out, check.component);
  out += R"(,"observedValue":)";
  out += answer.value ? fmt::format("{}", *answer.value) : fmt::format("{:.3f}", milliseconds(latency));
  out += R"(,"observedUnit":)";
  append_json_string(out, answer.value ? answer.unit : "ms");
  out += fmt::format(R"(,"latencyMs":{:.3f},"since":"{}")", milliseconds(latency), to_rfc3339(since));
  if (asked != Instant{}) out += fmt::format(R"(,"time":"{}")", to_rfc3339(asked));
  if (!answer.output.empty()) {
    out += R"(,"output":)";
    append_json_string(out, answer.output);
  }
  return out + "}]";
}

}  // namespace

Health::Health(std::string service, std::string version, const Clock& clock)
    : service_(std::move(service)), version_(std::move(version)), clock_(clock) {}

void Health::add(HealthCheck check) {
  DR_CHECK(check.ask &&
           std::ranges::none_of(known_, [&](const Known& known) { return known.check.name == check.name; }));
  known_.push_back({.check = std::move(check), .since = clock_.now(), .asked = {}});
}

Task<void> Health::watch() { return watch_from(0); }

Task<void> Health::watch_from(size_t index) {
  using asio::experimental::awaitable_operators::operator&&;
  if (index == known_.size()) co_return;
  co_await (watch_one(index) && watch_from(index + 1));
}

Task<void> Health::watch_one(size_t index) {
  const auto executor = co_await asio::this_coro::executor;
  Known& known = known_[index];
  known.watched_from = clock_.mono();
  std::shared_ptr<Question> question;
  for (;;) {
    if (!question) question = ask(known.check, executor, clock_.mono());
    if (!question->answer) {
      question->wake.expires_after(known.check.time_max);
      co_await question->wake.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      co_return;
    const Duration latency = clock_.mono() - question->asked;
    if (!question->answer) {
      note(known,
           {HealthState::kFail, "no answer for " + human_duration(std::max(latency, known.check.time_max))},
           latency);
      continue;  // goes on waiting for the same answer
    }
    const bool too_early = question->answer->state == HealthState::kFail && starting(known);
    if (too_early) question->answer->state = HealthState::kUnknown;
    note(known, *std::move(question->answer), latency);
    question->wake.expires_after(too_early ? std::min(kAtStart, known.check.every) : known.check.every);
    co_await question->wake.async_wait(asio::as_tuple(asio::use_awaitable));
    question.reset();
  }
}

bool Health::starting(const Known& known) const {
  return !known.passed && clock_.mono() - known.watched_from < known.check.time_max;
}

void Health::note(Known& known, HealthAnswer answer, Duration latency) {
  known.asked = clock_.now();
  known.passed = known.passed || answer.state == HealthState::kPass;
  if (answer.state != known.answer.state) known.since = known.asked;
  known.answer = std::move(answer);
  known.latency = latency;
}

void Health::report(const std::string& name, HealthAnswer answer, Duration latency) {
  const auto found = std::ranges::find(known_, name, [](const Known& known) { return known.check.name; });
  if (found != known_.end()) note(*found, std::move(answer), latency);
}

void Health::set_draining() { draining_ = true; }

bool Health::ready() const {
  return !draining_ && std::ranges::none_of(known_, [](const Known& known) {
    return known.check.needed && known.answer.state == HealthState::kFail;
  });
}

bool Health::settled() const {
  return std::ranges::none_of(known_, [](const Known& known) {
    return known.check.needed && known.answer.state == HealthState::kUnknown;
  });
}

HealthState Health::state() const {
  if (!ready()) return HealthState::kFail;
  const bool hurt = std::ranges::any_of(known_, [](const Known& known) {
    return known.answer.state == HealthState::kWarn || known.answer.state == HealthState::kFail;
  });
  return hurt ? HealthState::kWarn : HealthState::kPass;
}

// What is wrong, in the order in which the checks were added; without the closing brace.
std::string Health::head() const {
  std::string out = fmt::format(R"({{"status":"{}","version":)", word_of(state()));
  append_json_string(out, version_);
  out += R"(,"serviceId":)";
  append_json_string(out, service_);
  std::string output = draining_ ? "draining: takes no new requests" : "";
  for (const Known& known : known_)
    if (known.answer.state == HealthState::kWarn || known.answer.state == HealthState::kFail)
      output += fmt::format("{}{}: {}", output.empty() ? "" : "; ", known.check.name,
                            known.answer.output.empty() ? word_of(known.answer.state) : known.answer.output);
  if (!output.empty()) {
    out += R"(,"output":)";
    append_json_string(out, output);
  }
  return out;
}

Response Health::response(std::string body) const {
  return {.status = ready() ? 200 : 503, .content_type = "application/health+json", .body = std::move(body)};
}

Response Health::brief() const { return response(head() + "}"); }

Response Health::detailed() const {
  std::string body = head() + R"(,"checks":{)";
  for (size_t i = 0; i < known_.size(); ++i) {
    const Known& known = known_[i];
    if (i > 0) body += ',';
    body += check_json(known.check, known.answer, known.latency, known.since, known.asked);
  }
  return response(body + "}}");
}

HealthCheck disk_check(FileSystem& fs, Path directory) {
  const auto answer = [&fs, directory = std::move(directory)]() -> HealthAnswer {
    const auto free = fs.free_bytes(directory), total = fs.total_bytes(directory);
    if (!free.ok()) return {HealthState::kFail, free.error().what};
    if (!total.ok()) return {HealthState::kFail, total.error().what};
    const double percent =
        *total == 0 ? 100.0 : 100.0 * static_cast<double>(*free) / static_cast<double>(*total);
    HealthAnswer told{.value = std::round(percent * 10) / 10, .unit = "% free"};
    if (percent < 10) {
      told.state = percent < 2 ? HealthState::kFail : HealthState::kWarn;
      told.output = fmt::format("{} free at '{}'", human_bytes(*free), directory.native());
    }
    return told;
  };
  return {.name = "disk", .component = "system", .every = 5s, .ask = [answer] { return ready(answer()); }};
}

HealthCheck memory_check(uint64_t limit_bytes) {
  const auto answer = [limit_bytes]() -> HealthAnswer {
    const auto used = resident_bytes();
    if (!used) return {HealthState::kWarn, "the kernel does not say how much memory is in use"};
    HealthAnswer told{.value = std::round(10.0 * static_cast<double>(*used) / static_cast<double>(kMiB)) / 10,
                      .unit = "MiB"};
    if (limit_bytes > 0 && *used > limit_bytes / 5 * 4) {
      told.state = HealthState::kWarn;
      told.output = fmt::format("{} of {} in use", human_bytes(*used), human_bytes(limit_bytes));
    }
    return told;
  };
  return {.name = "memory", .component = "system", .every = 5s, .ask = [answer] { return ready(answer()); }};
}

HealthCheck event_loop_check(const Clock& clock) {
  static constexpr Duration kEvery = 250ms;
  auto answer = [&clock, last = std::optional<MonoInstant>()]() mutable -> HealthAnswer {
    const MonoInstant now = clock.mono();
    const Duration late = std::max(last ? now - *last - kEvery : Duration{0}, Duration{0});
    last = now;
    HealthAnswer told{.value = std::round(milliseconds(late) * 10) / 10, .unit = "ms"};
    if (late > 100ms) {
      told.state = late > 1s ? HealthState::kFail : HealthState::kWarn;
      told.output = "the event loop was late by " + human_duration(late);
    }
    return told;
  };
  return {.name = "eventLoop", .component = "system", .every = kEvery, .ask = [answer]() mutable {
            return ready(answer());
          }};
}

}  // namespace daruma::service
