// Goal: HotelDataAPI's trouble is not the customer's: the breaker opens for all workers, answers come from
//       the stale cache and say so, and it closes by itself or by hand when the trouble is over
//       (requirements L6, L7, L9, L10).
#include <gmock/gmock.h>

#include <algorithm>
#include <future>

#include "lastminutestay/tests/backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;

class BreakerStory : public testing::Test {
 protected:
  static BackendOptions options() {
    // Answers are stale at once, so each search is a call; a call that takes a tenth of a second is slow.
    return {.settings = {{"CACHE_FRESH_FOR", "1ms"},
                         {"BREAKER_SLOW_AFTER", "100ms"},
                         {"BREAKER_WINDOW_CALLS", "10"},
                         {"BREAKER_OPEN_FOR", "1s"}}};
  }

  std::string search(int night) const {
    return "/api/hotels/search?checkIn=2024-07-" + std::to_string(10 + night) +
           "&checkOut=2024-08-01&guests=2";
  }
  Reply ask(int night) const { return backend_.get(search(night)); }

  void fill_the_cache() {
    for (int night = 0; night < kNights; ++night) ASSERT_EQ(ask(night).header("X-Source"), "made");
  }
  // Both workers are asked: the kernel deals connections out.
  void search_until_it_is(const std::string& state) {
    int night = 0;
    backend_.wait_until("the breaker is " + state, [&] {
      EXPECT_EQ(ask(night++ % kNights).status, 200);
      return backend_.breaker_state() == state;
    });
  }
  size_t lines_with(const std::string& one, const std::string& other) const {
    const auto lines = backend_.error_lines();
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(one) != line.npos && line.find(other) != line.npos;
    }));
  }

  static constexpr int kNights = 10;
  Backend backend_{options()};
};

TEST_F(BreakerStory, ASlowProviderOpensItStaleAnswersComeMarkedAndItClosesByItself) {
  fill_the_cache();
  backend_.provider_is(R"({"latencyMs":300})");
  search_until_it_is("OPEN");

  const Reply stale = ask(3);
  ASSERT_EQ(stale.status, 200);
  EXPECT_EQ(stale.header("X-Source"), "stale");
  EXPECT_THAT(stale.header("Warning"), HasSubstr("110"));
  EXPECT_FALSE(stale.header("Age").empty());
  const auto answer = stale.json();
  EXPECT_EQ(answer.at("degraded"), true);
  EXPECT_GE(answer.at("ageSeconds").as_int64(), 0);
  EXPECT_FALSE(answer.at("hotels").as_array().empty());
  EXPECT_EQ(backend_.get("/monitoring/health").status, 200) << "the provider is not needed";

  backend_.provider_is(R"({"latencyMs":0})");
  search_until_it_is("CLOSED");
  EXPECT_EQ(lines_with("circuit breaker HotelDataAPI is open", "error"), 1u);
  EXPECT_GE(lines_with("circuit breaker HotelDataAPI is closed", "recovered"), 1u);
  backend_.wait_until("answers are whole again", [&] { return ask(4).header("X-Source") == "made"; });
}

TEST_F(BreakerStory, SearchesThatFindNothingSayNothingAboutTheProvider) {
  const std::string nothing =
      "/api/hotels/search?checkIn=2024-06-21&checkOut=2024-06-22&guests=2&city=Atlantis";
  const auto expect_whole = [&](const std::string& city) {
    const Reply reply = backend_.get(nothing + city);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.json().at("degraded"), false);
    EXPECT_TRUE(reply.json().at("hotels").as_array().empty());
  };
  for (int i = 0; i < 40; ++i) expect_whole(std::to_string(i));
  EXPECT_EQ(backend_.breaker_state(), "CLOSED")
      << "nobody can open it for all by asking for a town that is not";
  fill_the_cache();
  backend_.provider_is(R"({"outage":true})");
  search_until_it_is("OPEN");
  expect_whole("IsNotMissedEither");
}

TEST_F(BreakerStory, AProviderInErrorOpensItAndEachRequestThatWasHealedSaysRecovered) {
  fill_the_cache();
  backend_.provider_is(R"({"outage":true})");
  search_until_it_is("OPEN");
  EXPECT_GE(lines_with("HotelDataAPI answered 503", "recovered"), 5u);
  const Reply never_seen = backend_.get("/api/hotels/search?checkIn=2024-06-29&checkOut=2024-06-30&guests=2");
  EXPECT_EQ(never_seen.status, 200);
  EXPECT_EQ(never_seen.header("X-Source"), "plain");
  EXPECT_EQ(never_seen.json().at("degraded"), true);
  EXPECT_FALSE(never_seen.json().at("hotels").as_array().empty());
  const Reply booked = backend_.book(Backend::kBooking);
  EXPECT_EQ(booked.status, 201) << "bookings do not care: " << booked.body;
}

TEST_F(BreakerStory, AResetByHandClosesItForAllWorkersAtOnce) {
  fill_the_cache();
  backend_.provider_is(R"({"outage":true})");
  search_until_it_is("OPEN");
  backend_.provider_is(R"({"outage":false})");
  const Reply reset = backend_.send("POST", "/monitoring/circuit-breakers/HotelDataAPI/reset");
  EXPECT_EQ(reset.status, 200);
  EXPECT_THAT(reset.body, HasSubstr("\"state\":\"CLOSED\""));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(backend_.breaker_state(), "CLOSED");
  EXPECT_EQ(lines_with("circuit breaker reset by somebody on this host", "recovered"), 1u);
}

TEST_F(BreakerStory, ASilentProviderOpensItWhileEverySearchIsAnswered) {
  fill_the_cache();
  backend_.provider_is(R"({"silent":true})");
  std::vector<std::future<Reply>> searches;
  for (int i = 0; i < 40; ++i)
    searches.push_back(std::async(std::launch::async, [this, i] {
      return backend_.get("/api/hotels/search?checkIn=2024-06-2" + std::to_string(i % 9) +
                          "&checkOut=2024-07-0" + std::to_string(1 + i % 7) +
                          "&guests=" + std::to_string(1 + i % 5));
    }));
  for (auto& search : searches) EXPECT_EQ(search.get().status, 200);
  search_until_it_is("OPEN");
  backend_.provider_is(R"({"silent":false})");
  search_until_it_is("CLOSED");
}

}  // namespace
}  // namespace lastminutestay
