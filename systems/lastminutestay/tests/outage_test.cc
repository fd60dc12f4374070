// Goal: what is away makes the service slower or poorer, never wrong, and it comes back by itself
//       (requirements L9, L10, L12): Redis, PostgreSQL, workers, the log's disk, the clock.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <memory>

#include "fmt/format.h"
#include "lastminutestay/tests/backend.h"
#include "support/small_disk.h"

namespace lastminutestay {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

std::string search(int night) {
  return "/api/hotels/search?checkIn=2024-07-" + std::to_string(10 + night) + "&checkOut=2024-08-01&guests=2";
}

std::string booking(int night) {
  return R"({"roomId":"test-room-id","checkIn":"2024-07-)" + std::to_string(10 + night) +
         R"(","checkOut":"2024-07-)" + std::to_string(11 + night) + R"(","guests":2})";
}

size_t count_lines(const std::vector<std::string>& lines, const std::string& one, const std::string& other) {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(one) != line.npos && line.find(other) != line.npos;
  }));
}

TEST(Outage, WithoutRedisEverythingWorksAndItReconnectsByItself) {
  Backend backend;
  ASSERT_EQ(backend.get(search(1)).status, 200);
  backend.redis().kill9();
  backend.wait_until("health knows that Redis is away", [&] { return backend.health_of("Redis") != "pass"; });
  EXPECT_EQ(backend.get("/monitoring/health").status, 200) << "it is not needed";
  for (int night = 1; night < 8; ++night) {
    const Reply reply = backend.get(search(night));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.json().at("degraded"), false);
  }
  EXPECT_EQ(backend.book(booking(1)).status, 201);

  backend.redis().start();
  backend.wait_until("health knows that Redis is back", [&] { return backend.health_of("Redis") == "pass"; });
  backend.wait_until("both workers use it again",
                     [&] { return count_lines(backend.error_lines(), "Redis", "recovered") >= 2; });
  ASSERT_EQ(backend.get(search(9)).header("X-Source"), "made");
  backend.wait_until("another worker finds the answer in Redis",
                     [&] { return backend.get(search(9)).header("X-Source") == "cache"; });
  EXPECT_EQ(backend.check_integrity().code, 0);
}

TEST(Outage, AfterFlushallAnswersAreMadeAfresh) {
  Backend backend({.settings = {{"CACHE_NEAR_FOR", "0s"}}});
  ASSERT_EQ(backend.get(search(1)).header("X-Source"), "made");
  EXPECT_EQ(backend.get(search(1)).header("X-Source"), "cache");
  backend.redis().kill9();  // keeps nothing: what FLUSHALL leaves behind
  backend.redis().start();
  backend.wait_until("Redis is back", [&] { return backend.health_of("Redis") == "pass"; });
  backend.wait_until("the answer is made afresh",
                     [&] { return backend.get(search(1)).header("X-Source") == "made"; });
}

TEST(Outage, WithoutPostgresCachedAnswersGoOnBookingsWaitAndItReconnectsByItself) {
  Backend backend(
      {.settings = {{"CACHE_FRESH_FOR", "1ms"}, {"BOOKING_DEADLINE", "1s"}, {"SEARCH_DEADLINE", "1s"}}});
  ASSERT_EQ(backend.get(search(1)).header("X-Source"), "made");
  backend.postgres().kill9();
  for (int asked = 0; asked < 8; ++asked)  // each worker finds out by itself
    backend.wait_until("health says so", [&] { return backend.get("/monitoring/health").status == 503; });
  backend.wait_until("and what it is", [&] { return backend.health_of("PostgreSQL") == "fail"; });

  const Reply stale = backend.get(search(1));
  EXPECT_EQ(stale.status, 200);
  EXPECT_EQ(stale.json().at("degraded"), true);
  const Reply unknown = backend.get(search(2));
  EXPECT_EQ(unknown.status, 503);
  EXPECT_FALSE(unknown.header("Retry-After").empty());
  const Reply refused = backend.book(booking(1), "the-same-key");
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.header("Retry-After").empty());
  EXPECT_GE(count_lines(backend.error_lines(), "PostgreSQL", "booking"), 1u);

  backend.postgres().start();
  backend.wait_until("it is ready again", [&] { return backend.get("/monitoring/health").status == 200; });
  backend.wait_until("it books again",
                     [&] { return backend.book(booking(1), "the-same-key").status == 201; });
  backend.wait_until("it searches again", [&] { return backend.get(search(2)).status == 200; });
  EXPECT_GE(count_lines(backend.error_lines(), "PostgreSQL", "recovered"), 1u);
  EXPECT_EQ(backend.check_integrity().code, 0);
}

// The customer has no key and never repeats himself: the service asks again under the id it gave the booking.
TEST(Outage, AConnectionThatBreaksUnderABookingIsHealedUnseen) {
  Backend backend({.network = true});
  const auto day = [](int number) {
    return "2024-1" + std::to_string(number / 28) + "-" + (number % 28 < 9 ? "0" : "") +
           std::to_string(1 + number % 28);
  };
  int made = 0, unknown = 0;
  for (int night = 0; night < 80; night += 2) {
    auto booking = std::async(std::launch::async, [&] {
      return backend.book(R"({"roomId":"test-room-id","checkIn":")" + day(night) + R"(","checkOut":")" +
                          day(night + 1) + R"(","guests":1})");
    });
    backend.clock().pause(std::chrono::milliseconds(night % 20));  // before, in the middle of it, or after
    backend.network().reset_all();
    const Reply reply = booking.get();
    EXPECT_THAT(reply.status, AnyOf(201, 503)) << "nobody else wants it: " << reply.body;
    made += reply.status == 201;
    unknown += reply.status == 503;
  }
  const int there = std::stoi(backend.postgres().value(
      "SELECT count(*) FROM bookings WHERE room_id = 'test-room-id'", "lastminutestay"));
  fmt::print("{} made, {} unknown, {} there\n", made, unknown, there);
  EXPECT_GE(there, made);
  EXPECT_LE(there, made + unknown) << "a 503 leaves it open, nothing else does";
  EXPECT_GE(count_lines(backend.error_lines(), "booking", "recovered"), 5u)
      << "nothing broke: the test tests nothing";
  EXPECT_EQ(backend.check_integrity().code, 0);
}

TEST(Outage, AWorkerThatDiesIsReplacedAndTheMetricsStay) {
  Backend backend;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(backend.get(search(1)).status, 200);
  const auto before = backend.workers();
  ASSERT_EQ(before.size(), 2u);
  ::kill(before[0], SIGKILL);
  backend.wait_until("there are two again", [&] {
    const auto now = backend.workers();
    return now.size() == 2 && std::find(now.begin(), now.end(), before[0]) == now.end();
  });
  EXPECT_EQ(backend.get(search(1)).status, 200);
  double answered = 0;
  for (const char* source : {"near", "cache", "made"})
    answered += backend.metric(std::string("search_answers_total{source=\"") + source + "\"}");
  EXPECT_GE(answered, 21) << "what the dead one counted still counts";
}

TEST(Outage, AFullDiskUnderTheLogsLosesLinesAndNoRequests) {
  if (!daruma::SmallDisk::possible()) GTEST_SKIP() << "a small file system can only be mounted by root";
  std::unique_ptr<daruma::SmallDisk> disk;
  Backend backend({.prepare_logs = [&](const daruma::Path& logs) {
    disk = std::make_unique<daruma::SmallDisk>(logs, 1);
  }});
  {
    std::ofstream filler(backend.logs() / "filler");
    const std::string block(4096, 'x');
    while (filler << block << std::flush) {
    }
  }
  for (int i = 0; i < 100; ++i) ASSERT_EQ(backend.get(search(i % 10)).status, 200);
  EXPECT_EQ(backend.book(booking(1)).status, 201);
  backend.wait_until("the lost lines are counted", [&] {
    return backend.get("/monitoring/metrics").body.find("log_lines_lost_total") != std::string::npos;
  });
  std::filesystem::remove(backend.logs() / "filler");
  backend.get("/nowhere", {{"X-Request-Id", "after-the-flood"}});
  backend.wait_until("lines are written again",
                     [&] { return count_lines(backend.access_lines(), "after-the-flood", "") == 1; });
}

TEST(Outage, AClockThatJumpsMakesNoAnswerOlderOrYoungerThanItIsAndStopsNothing) {
  const daruma::ScratchDir scratch;
  const daruma::Path offset = scratch.path() / "offset";
  const auto jump_to = [&](const std::string& seconds) { std::ofstream(offset) << seconds; };
  jump_to("0");
  Backend backend(
      {.settings = {{"CACHE_NEAR_FOR", "0s"}},
       .environment = {{"LD_PRELOAD", LASTMINUTESTAY_CLOCK_SHIM},
                       {"CLOCK_OFFSET_FILE", offset},
                       // Where the program is built with ASan: it insists on being the first library.
                       {"ASAN_OPTIONS", "verify_asan_link_order=0"}}});
  const auto expect_whole_and_young = [&] {
    for (int i = 0; i < 10; ++i) {  // both workers
      const Reply reply = backend.get(search(1));
      ASSERT_EQ(reply.status, 200);
      EXPECT_EQ(reply.json().at("degraded"), false);
      EXPECT_LT(std::stoi(reply.header("Age")), 60);
    }
  };
  expect_whole_and_young();
  jump_to("-7200");
  expect_whole_and_young();
  EXPECT_EQ(backend.book(booking(1)).status, 201);
  jump_to("7200");
  expect_whole_and_young();
  EXPECT_EQ(backend.book(booking(2)).status, 201);
  jump_to("172800");
  EXPECT_EQ(backend.book(booking(3)).status, 401) << "the token has expired, as the clock has it";
  EXPECT_EQ(backend.get("/monitoring/health").status, 200);
  EXPECT_EQ(backend.breaker_state(), "CLOSED");
}

}  // namespace
}  // namespace lastminutestay
