#include "library/offload.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <latch>
#include <thread>

namespace aimicro {
namespace {

using daruma::Result;
using daruma::service::Task;

class OffloadTest : public testing::Test {
 protected:
  // Begins with the work; its answer is in answers_ when it has one.
  void begin(Offload& offload, std::function<int()> work) {
    boost::asio::co_spawn(io_, ask(offload, std::move(work)), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }
  Task<void> ask(Offload& offload, std::function<int()> work) {
    auto answer = co_await offload.run<int>(std::move(work));
    answers_.push_back(answer.ok() ? *answer : -1);
  }

  boost::asio::io_context io_{1};
  std::vector<int> answers_;
};

TEST_F(OffloadTest, WorkRunsElsewhereAndItsAnswerComesBackHere) {
  Offload offload(2, 8);
  std::thread::id there;
  begin(offload, [&there] {
    there = std::this_thread::get_id();
    return 7;
  });
  io_.run();
  EXPECT_THAT(answers_, testing::ElementsAre(7));
  EXPECT_NE(there, std::this_thread::get_id());
  EXPECT_EQ(offload.outstanding(), 0U);
}

TEST_F(OffloadTest, WhatDoesNotFitIsRefusedAtOnce) {
  Offload offload(1, 1);
  std::latch go(1);
  const auto wait = [&go] {
    go.wait();
    return 1;
  };
  for (int i = 0; i < 3; ++i) begin(offload, wait);  // one runs, one waits
  io_.poll();
  EXPECT_THAT(answers_, testing::ElementsAre(-1));
  go.count_down();
  io_.run();
  EXPECT_THAT(answers_, testing::ElementsAre(-1, 1, 1));
  io_.restart();
  begin(offload, [] { return 2; });
  io_.run();
  EXPECT_EQ(answers_.back(), 2);
}

}  // namespace
}  // namespace aimicro
