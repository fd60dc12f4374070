// Goal: what an operator types is what all workers do, and a slip is refused.
#include "lastminutestay/provider/behaviour.h"

#include <gmock/gmock.h>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;

TEST(Behaviour, IsSeenByEveryWorker) {
  const auto region = daruma::service::SharedRegion::private_memory();
  auto one = SharedBehaviour::in(*region);
  auto other = SharedBehaviour::in(*region);
  const Behaviour slow{.latency = 1500ms, .error_percent = 20, .silent = true, .outage = false};
  one->set(slow);
  EXPECT_EQ(other->get(), slow);
  EXPECT_EQ(to_json(other->get()), R"({"latencyMs":1500,"errorPercent":20,"silent":true,"outage":false})");
}

TEST(Behaviour, ChangesOnlyWhatIsNamed) {
  const auto changed = parse_behaviour(R"({"silent":true})", {.latency = 5ms});
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(*changed, (Behaviour{.latency = 5ms, .silent = true}));
}

TEST(Behaviour, SlipsAreRefused) {
  for (const char* json : {"", "[]", "{", R"({"latency":5})", R"({"latencyMs":-1})", R"({"latencyMs":"5"})",
                           R"({"errorPercent":101})", R"({"silent":1})"})
    EXPECT_TRUE(parse_behaviour(json, {}).is(daruma::Errc::kInvalid)) << json;
}

}  // namespace
}  // namespace lastminutestay
