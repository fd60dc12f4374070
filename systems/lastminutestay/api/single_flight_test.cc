// Goal: those who want the same at once have it made once; the next one has it made again.
#include "lastminutestay/api/single_flight.h"

#include <gmock/gmock.h>

#include <stdexcept>
#include <vector>

namespace lastminutestay {
namespace {

using daruma::service::Task;
using testing::ElementsAre;

class SingleFlightTest : public testing::Test {
 protected:
  using Make = std::function<Task<int>()>;

  // Asks in the background; what came is in answers_.
  void ask(const std::string& key, Make make) {
    boost::asio::co_spawn(io_, waits(key, std::move(make)), boost::asio::detached);
  }
  Task<void> waits(std::string key, Make make) { answers_.push_back(co_await flights_.get(key, make)); }
  // Is made when gate_ opens.
  Make slow(int value) {
    return [this, value]() -> Task<int> {
      ++made_;
      co_await gate_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      co_return value;
    };
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  void open_the_gate() { gate_.cancel(); }

  boost::asio::io_context io_{1};
  boost::asio::steady_timer gate_{io_, boost::asio::steady_timer::time_point::max()};
  SingleFlight<int> flights_{io_};
  std::vector<int> answers_;
  int made_ = 0;
};

TEST_F(SingleFlightTest, ManyWaitForOne) {
  for (int i = 0; i < 5; ++i) ask("a", slow(7));
  run();
  EXPECT_EQ(made_, 1);
  EXPECT_THAT(answers_, ElementsAre());
  open_the_gate();
  run();
  EXPECT_THAT(answers_, ElementsAre(7, 7, 7, 7, 7));
}

TEST_F(SingleFlightTest, OtherKeysDoNotWait) {
  ask("a", slow(1));
  ask("b", slow(2));
  run();
  EXPECT_EQ(made_, 2);
  open_the_gate();
  run();
  EXPECT_EQ(answers_.size(), 2u);
}

TEST_F(SingleFlightTest, TheNextOneIsMadeAfresh) {
  ask("a", slow(1));
  run();
  open_the_gate();
  run();
  ask("a", slow(2));
  run();
  open_the_gate();
  run();
  EXPECT_THAT(answers_, ElementsAre(1, 2));
}

TEST_F(SingleFlightTest, WhatThrowsLeavesNobodyWaiting) {
  ask("a", []() -> Task<int> {
    throw std::runtime_error("no memory");
    co_return 1;
  });
  run();
  EXPECT_THAT(answers_, ElementsAre(0));
  ask("a", slow(3));
  run();
  open_the_gate();
  run();
  EXPECT_THAT(answers_, ElementsAre(0, 3));
}

}  // namespace
}  // namespace lastminutestay
