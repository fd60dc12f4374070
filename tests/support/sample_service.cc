// A small complete service on the kit: what tests of the kit run, and a sample to begin from.
//
//   GET /hello            {"greeting": …}, answered at once
//   GET /who              {"pid": …, "slot": …} of the worker that answers
//   GET /slow?ms=N        answers after so long
//   GET /metrics, /health
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "os/environment.h"
#include "os/files.h"
#include "service/program.h"

namespace {

using namespace daruma;
using namespace daruma::service;

class Sample final : public Service {
 public:
  explicit Sample(Worker& worker) : worker_(worker) {}

  Status start(Router& router) override {
    if (const std::string& why = worker_.settings.text("fail"); !why.empty())
      return Error{Errc::kFailed, why};
    if (worker_.slot == 1) DR_OK(wait_for_second());
    const auto greeting = std::make_shared<const std::string>(
        fmt::format(R"({{"greeting":"{}"}})", worker_.settings.text("greeting")));
    router.add({.pattern = "/hello", .name = "hello", .handle_at_once = [greeting](Request&) {
                  Response response = json(200, "");
                  response.shared_body = greeting;
                  return response;
                }});
    router.add({.pattern = "/who", .name = "who", .handle_at_once = [this](Request&) {
                  return json(200, fmt::format(R"({{"pid":{},"slot":{}}})", this_pid(), worker_.slot));
                }});
    router.add(
        {.pattern = "/slow", .name = "slow", .handle = [this](Request& request) { return slow(request); }});
    router.add({.pattern = "/metrics", .name = "metrics", .handle_at_once = [this](Request&) {
                  return Response{.content_type = std::string(Metrics::kContentType),
                                  .body = worker_.metrics.text()};
                }});
    router.add({.pattern = "/health", .name = "health", .handle_at_once = [this](Request&) {
                  return worker_.health.detailed();
                }});
    return {};
  }

 private:
  // Holds the second worker's start up until `second` is there: "fail" in it lets it fail.
  Status wait_for_second() {
    const Path path = worker_.settings.path("second");
    if (path.empty()) return {};
    const auto clock = real_clock();
    const Deadline deadline = clock->after(1min);
    for (;;) {
      const auto word = read_file(worker_.fs, path, 100);
      if (word.ok() && !word->empty()) {
        if (as_text(*word) == "fail") return Error{Errc::kFailed, "the second was told to fail"};
        return {};
      }
      if (deadline.passed(clock->mono())) return Error{Errc::kCancelled, "nobody let the second start"};
      clock->pause(2ms);
    }
  }

  Task<Response> slow(Request& request) {
    const auto wait = parse_duration(request.parameter("ms").value_or("0") + "ms");
    if (!wait.ok()) co_return problem(400, wait.error().what);
    boost::asio::steady_timer timer(worker_.io, *wait);
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return json(200, R"({"waited":true})");
  }

  Worker& worker_;
};

}  // namespace

int main(int argc, char** argv) {
  return run_program(
      {.name = "sample",
       .version = "1.0",
       .summary = "a sample service",
       .prefix = "SAMPLE",
       .port = 0,
       .settings = {{"greeting", SettingKind::kText, "hello", "what /hello says"},
                    {"fail", SettingKind::kText, "", "why workers cannot start; empty: they can"},
                    {"second", SettingKind::kPath, "", "a file that the second worker waits for"}},
       .commands = {{"greet", "says hello",
                     [](const Settings& settings, const std::vector<std::string>& names) {
                       for (const std::string& name : names)
                         fmt::print("{} {}\n", settings.text("greeting"), name);
                       return 0;
                     }}},
       .make = [](Worker& worker) { return std::make_unique<Sample>(worker); }},
      argc, argv);
}
