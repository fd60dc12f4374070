// One timer for many deadlines: fires at the earliest, and for nobody when it was stopped.
#include "service/lazy_timer.h"

#include "support/service_world.h"

namespace daruma::service {
namespace {

TEST(LazyTimer, FiresForTheEarliestAndThenForWhatItIsTold) {
  ServiceWorld world;
  std::vector<Deadline> due = {world.clock->after(3ms), world.clock->after(1ms), world.clock->after(2ms)};
  size_t fired = 0;
  LazyTimer timer(world.io, *world.clock, [&] {
    ++fired;
    const MonoInstant now = world.clock->mono();
    std::erase_if(due, [&](Deadline deadline) { return deadline.passed(now); });
    Deadline next = Deadline::never();
    for (const Deadline deadline : due) next.at = std::min(next.at, deadline.at);
    return next;
  });
  for (const Deadline deadline : due) timer.by(deadline);
  EXPECT_TRUE(world.until([&] { return due.empty(); }));
  EXPECT_GE(fired, 1u);
  EXPECT_LE(fired, 3u);
}

TEST(LazyTimer, ALaterDeadlineDoesNotMoveIt) {
  ServiceWorld world;
  int fired = 0;
  LazyTimer timer(world.io, *world.clock, [&] {
    ++fired;
    return Deadline::never();
  });
  timer.by(world.clock->after(1ms));
  for (int i = 0; i < 1000; ++i) timer.by(world.clock->after(1h));
  EXPECT_TRUE(world.until([&] { return fired == 1; }));
}

TEST(LazyTimer, MayEndInsideItsOwnCallback) {
  ServiceWorld world;
  bool fired = false;
  std::unique_ptr<LazyTimer> timer;
  timer = std::make_unique<LazyTimer>(world.io, *world.clock, [&] {
    timer.reset();
    fired = true;
    return world.clock->after(0ms);
  });
  timer->by(world.clock->after(0ms));
  EXPECT_TRUE(world.until([&] { return fired; }));
}

TEST(LazyTimer, TellsNobodyOnceItIsGone) {
  ServiceWorld world;
  bool fired = false;
  {
    LazyTimer timer(world.io, *world.clock, [&] {
      fired = true;
      return Deadline::never();
    });
    timer.by(world.clock->after(0ms));
    timer.by(Deadline{});
  }
  world.io.run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(fired);
}

}  // namespace
}  // namespace daruma::service
