// tests/support/service_world.h: what a worker hands to a part of the service kit, in a test's hands: an
// event loop, the real clock, metrics of its own and a log that can be read.
//
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/random.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/task.h"

namespace daruma::service {

class RememberingLog final : public Log {
 public:
  struct Line {
    Severity severity;
    std::string dependency, message, recovered;
  };

  void access(const AccessLine&) override {}
  void error(const ErrorLine& line) override {
    lines.push_back({line.severity, std::string(line.dependency), std::string(line.message),
                     std::string(line.recovered)});
  }
  void flush() override {}
  void reopen() override {}

  size_t recovered() const {
    size_t count = 0;
    for (const Line& line : lines) count += !line.recovered.empty();
    return count;
  }
  size_t unrecovered() const { return lines.size() - recovered(); }

  std::vector<Line> lines;
};

struct ServiceWorld {
  static constexpr Duration kPatience = 30s;

  // Runs the event loop until `condition` holds: true; false when it does not in a long time.
  bool until(const std::function<bool()>& condition) {
    const Deadline deadline = clock->after(kPatience);
    while (!condition()) {
      if (deadline.passed(clock->mono())) return false;
      if (io.stopped()) io.restart();
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  // Begins with `task`; the optional has its result once it has ended.
  template <class T>
  std::shared_ptr<std::optional<T>> begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    boost::asio::co_spawn(io, keep(std::move(task), result), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
    return result;
  }

  template <class T>
  static Task<void> keep(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await std::move(task));
  }

  // Runs the event loop until `task` has ended.
  template <class T>
  T run(Task<T> task) {
    const auto result = begin(std::move(task));
    DR_CHECK(until([&] { return result->has_value(); }));
    return *std::move(*result);
  }
  void run(Task<void> task) {
    bool ended = false;
    boost::asio::co_spawn(io, std::move(task), [&](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
      ended = true;
    });
    DR_CHECK(until([&] { return ended; }));
  }

  Deadline soon() const { return clock->after(kPatience); }
  // The value of a series as metrics.text() has it; "" when it is not there.
  std::string metric(const std::string& series) const {
    const std::string text = "\n" + metrics.text();
    const size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return "";
    const size_t begin = at + series.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  std::unique_ptr<Clock> clock = real_clock();
  std::unique_ptr<Random> random = seeded_random(20'240'620);
  std::unique_ptr<SharedRegion> region = SharedRegion::private_memory();
  Metrics metrics{*region, 0};
  RememberingLog log;
  boost::asio::io_context io{1};
};

}  // namespace daruma::service
