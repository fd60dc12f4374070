// Random lives of a server, with undos, promotions, snapshots and commits whose times do not rise, against a
// model that simply remembers every record: each time asked for must stop exactly where the model says.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "datastore/postgres/wal_story.h"

namespace daruma::postgres {
namespace {

struct Ended {
  Lsn start;
  Instant time;
  bool committed = false;
};

struct ModelTimeline {
  std::vector<Ended> ended;  // on the way to it, its ancestors' included
  std::vector<size_t> snapshots;
  Instant born;
};

class RandomLife {
 public:
  explicit RandomLife(uint32_t seed) : random_(seed) {
    lives_[1].born = {0};
    transaction();
    snapshot();
    for (int step = 0; step < 60; ++step) live_on();
    catalog_ = server_.catalog();
  }

  void check_times() {
    for (int i = 0; i < 40; ++i) {
      const Instant time = at(10, 0) + std::chrono::seconds(below(seconds_lived() + 60)) + 500ms;
      const bool at_a_birth = std::any_of(lives_.begin(), lives_.end(), [&](const auto& life) {
        return time + 3s > life.second.born && life.second.born + 3s > time;
      });
      if (!at_a_birth) check(time);
    }
  }

 private:
  struct Saved {
    WalStory::Moment moment;
    ModelTimeline life;
  };

  uint32_t below(uint64_t bound) { return static_cast<uint32_t>(random_() % bound); }
  uint64_t seconds_lived() const { return static_cast<uint64_t>((now_ - at(10, 0)) / 1s); }

  void transaction() {
    const Instant time = now_ + (std::chrono::seconds(below(5)) - 2s);
    const bool committed = below(4) > 0;
    const Lsn start = committed ? server_.commit(xid_++, time) : server_.abort(xid_++, time);
    lives_[timeline_].ended.push_back({start, time, committed});
  }
  void snapshot() {
    server_.snapshot(now_);
    lives_[timeline_].snapshots.push_back(snapshots_++);
  }
  void live_on() {
    now_ = now_ + std::chrono::seconds(1 + (below(10) == 0 ? below(50'000) : below(30)));
    const uint32_t what = below(100);
    if (what < 55)
      transaction();
    else if (what < 75)
      server_.work(100 + below(500'000));
    else if (what < 85)
      snapshot();
    else if (what < 93)
      saved_.push_back({server_.here(), lives_[timeline_]});
    else if (what < 96)
      begin_timeline(lives_[timeline_], [&] { return server_.promote(now_); });
    else if (!saved_.empty()) {
      const Saved& back = saved_[below(saved_.size())];
      begin_timeline(back.life, [&] { return server_.undo_to(back.moment, now_); });
    }
  }
  void begin_timeline(ModelTimeline life, const std::function<Timeline()>& begin) {
    now_ = now_ + 60s;
    timeline_ = begin();
    life.born = now_;
    lives_[timeline_] = std::move(life);
    now_ = now_ + 60s;
  }

  void check(Instant time) {
    SCOPED_TRACE(to_rfc3339(time));
    Timeline live = 1;
    for (const auto& [timeline, life] : lives_)
      if (life.born <= time) live = timeline;
    const ModelTimeline& life = lives_[live];
    const auto stop =
        std::find_if(life.ended.begin(), life.ended.end(), [&](const Ended& e) { return e.time > time; });

    Wish wish;
    wish.kind = Wish::Kind::kTime;
    wish.time = time;
    const auto point = resolve(catalog_, wish, 0, time);
    const auto snapshot = best_snapshot(life, stop == life.ended.end() ? Lsn{~0ull} : stop->start);
    if (!snapshot) {
      EXPECT_TRUE(point.is(Errc::kNotFound));
      return;
    }
    ASSERT_TRUE(point.ok()) << point.error().what;
    EXPECT_EQ(point->timeline, live);
    EXPECT_EQ(point->stop_before.has_value(), stop != life.ended.end());
    if (point->stop_before && stop != life.ended.end()) {
      EXPECT_EQ(to_string(*point->stop_before), to_string(stop->start));
    }
    EXPECT_EQ(point->snapshot - catalog_.snapshots.data(), static_cast<ptrdiff_t>(*snapshot));
    std::optional<Instant> last;
    const Lsn from = catalog_.snapshots[*snapshot].meta.start;
    for (auto e = life.ended.begin(); e != stop; ++e)
      if (e->committed && e->start >= from) last = std::max(last.value_or(e->time), e->time);
    if (point->last_commit && last) check_last_commit(*point->last_commit, *last);
    EXPECT_EQ(point->last_commit.has_value(), last.has_value());
  }
  // The newest commit is looked for in the last segment that has one; one before it may hold a slightly
  // later time.
  static void check_last_commit(Instant got, Instant newest) {
    EXPECT_LE(got, newest);
    EXPECT_LE(newest - got, 4s);
  }
  std::optional<size_t> best_snapshot(const ModelTimeline& life, Lsn stop) const {
    for (auto i = life.snapshots.rbegin(); i != life.snapshots.rend(); ++i)
      if (catalog_.snapshots[*i].meta.end <= stop) return *i;
    return std::nullopt;
  }

  std::mt19937 random_;
  WalStory server_;
  Instant now_ = at(10, 0);
  Timeline timeline_ = 1;
  uint32_t xid_ = 700;
  size_t snapshots_ = 0;
  std::map<Timeline, ModelTimeline> lives_;
  std::vector<Saved> saved_;
  Catalog catalog_;
};

TEST(PointsModelTest, EveryTimeStopsWhereTheModelSays) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomLife(seed).check_times();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace daruma::postgres
