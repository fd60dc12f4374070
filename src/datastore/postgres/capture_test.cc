// Capture of scripted servers with a past: promoted, promoted twice, recovered to a moment before a
// promotion, come back from before one, exchanged for another, or without the WAL that is wanted.
#include "datastore/postgres/capture.h"

#include <gmock/gmock.h>

#include "datastore/postgres/replication_twin.h"
#include "repository/log_testing.h"
#include "repository/repository_fixture.h"

namespace daruma::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kSegment = 1 << 20;
constexpr uint64_t kSystem = 77;

struct Life {  // of one timeline of a server
  Timeline timeline;
  uint64_t from, to;  // in tenths of a segment
};

Lsn at(uint64_t tenths) { return {tenths * kSegment / 10}; }

// A server that lived these, one after the other; all of it exists when it was promoted as often.
ServerRecording lived(const std::vector<Life>& lives, uint64_t system_identifier = kSystem) {
  ServerRecording server;
  server.system_identifier = system_identifier;
  server.server_version = 150004;
  server.settings = {{"wal_segment_size", "1MB"}, {"synchronous_commit", "on"}};
  server.tablespaces = {{0, "", 0}};
  server.archives[0] = Bytes(1024);
  std::string history;
  for (size_t i = 0; i < lives.size(); ++i) {
    TimelineRecording timeline;
    timeline.timeline = lives[i].timeline;
    timeline.start = SegmentSize{kSegment}.floor(at(lives[i].from));
    timeline.history = history;
    if (i + 1 < lives.size()) timeline.switched_at = at(lives[i].to);
    timeline.wal = log_content(1, timeline.start.value, at(lives[i].to).value);
    server.timelines.push_back(timeline);
    history += std::to_string(lives[i].timeline) + "\t" + to_string(at(lives[i].to)) + "\tfor a test\n";
  }
  server.backup_start = server.timelines.front().start;
  server.backup_end = server.backup_start + 1000;
  return server;
}

// Asks whether to go on whenever capture looks at the time.
class WatchedClock final : public Clock {
 public:
  std::function<void()> watch = [] {};
  Instant now() const override { return watch(), time_.now(); }
  MonoInstant mono() const override { return time_.mono(); }
  bool pause(Duration duration, std::stop_token stop) override {
    return watch(), time_.pause(duration, stop);
  }

 private:
  mutable ManualClock time_;
};

// One address, at which one server after the other answers.
class Address final : public ReplicationServer {
 public:
  ReplicationServer* server = nullptr;
  Result<std::unique_ptr<ReplicationConnection>> connect(Deadline deadline) override {
    return server->connect(deadline);
  }
};

struct CaptureTest : testing::Test {
  CaptureTest() {
    options.datastore = "bookings";
    options.slot = "daruma";
    options.receiver = "serve";
    options.seal_in_background = false;
    options.on_event = [this](const CaptureEvent& event) {
      if (event.kind == CaptureEvent::Kind::kGap)
        gaps.push_back(to_string(event.lsn) + " to " + to_string(event.gap_end));
    };
  }

  static std::unique_ptr<ReplicationTwin> running(const ServerRecording& recording) {
    auto server = std::make_unique<ReplicationTwin>(recording);
    for (size_t i = 1; i < recording.timelines.size(); ++i) server->promote();
    server->write_all();
    return server;
  }
  // Until everything that the server wrote was reported flushed, or until it tried in vain.
  Status capture_all(ReplicationTwin& server, Lsn end) {
    address.server = &server;
    if (!capture) capture.emplace(address, *repository, clock, options);
    std::stop_source stop;
    int looks = 0;
    clock.watch = [&] {
      const CaptureStatus now = capture->status();
      const bool done = now.state == CaptureStatus::State::kStreaming && now.flushed == end &&
                        now.timeline == server.recording().timelines.back().timeline;
      if (done || ++looks > 200) stop.request_stop();
    };
    const Status ended = capture->run(stop.get_token());
    clock.watch = [] {};
    DR_OK(ended);
    if (looks > 200) return Error{Errc::kFailed, "it did not come to the end"};
    return {};
  }
  Status capture_all(const ServerRecording& recording) {
    const TimelineRecording& last = recording.timelines.back();
    return capture_all(*running(recording), last.start + last.wal.size());
  }
  void restart() { capture.reset(); }

  // Timeline and, in tenths of a segment, from and to.
  std::vector<std::tuple<Timeline, uint64_t, uint64_t>> held() {
    const auto log = *LogReader::open(*repository, {"bookings", kSystem});
    std::vector<std::tuple<Timeline, uint64_t, uint64_t>> out;
    for (const LogRange& range : log->ranges()) {
      out.emplace_back(range.branch, (range.from * 10 + 9) / kSegment, (range.to * 10 + 9) / kSegment);
      EXPECT_EQ(*log->read(range.branch, range.from, range.to - range.from),
                log_content(1, range.from, range.to));
    }
    return out;
  }
  std::vector<Branch> histories() {
    std::vector<Branch> out;
    const auto log = *LogReader::open(*repository, {"bookings", kSystem});  // it owns what the loop walks
    for (const auto& [branch, text] : log->histories()) out.push_back(branch);
    return out;
  }

  TestRepository repository;
  WatchedClock clock;
  Address address;
  Capture::Options options;
  std::optional<Capture> capture;
  std::vector<std::string> gaps;
};

using Held = std::tuple<Timeline, uint64_t, uint64_t>;

TEST_F(CaptureTest, FollowsAServerThatWasPromotedTwiceWhileItWasAway) {
  ASSERT_TRUE(capture_all(lived({{1, 10, 25}})).ok());
  restart();
  const Status followed = capture_all(lived({{1, 10, 37}, {2, 37, 64}, {3, 64, 78}}));
  EXPECT_TRUE(followed.ok()) << followed.error().what;
  EXPECT_THAT(held(), ElementsAre(Held{1, 10, 37}, Held{2, 30, 64}, Held{3, 60, 78}));
  EXPECT_THAT(histories(), ElementsAre(2, 3));
  EXPECT_THAT(gaps, IsEmpty());
}

TEST_F(CaptureTest, FollowsAServerThatWasRecoveredAgainToAMomentBeforeTheLastRecovery) {
  ASSERT_TRUE(capture_all(lived({{1, 10, 37}})).ok());
  ASSERT_TRUE(capture_all(lived({{1, 10, 37}, {2, 37, 64}})).ok());
  const Status followed = capture_all(lived({{1, 10, 25}, {3, 25, 78}}));
  EXPECT_TRUE(followed.ok()) << followed.error().what;
  EXPECT_THAT(held(), ElementsAre(Held{1, 10, 37}, Held{2, 30, 64}, Held{3, 20, 78}));
  EXPECT_THAT(gaps, IsEmpty());
}

TEST_F(CaptureTest, RefusesAnOldServerThatComesBackThoughNoPieceIsOpen) {
  ASSERT_TRUE(capture_all(lived({{1, 10, 37}})).ok());
  ASSERT_TRUE(capture_all(lived({{1, 10, 37}, {2, 37, 60}})).ok());
  restart();
  const Status refused = capture_all(lived({{1, 10, 80}}));
  ASSERT_TRUE(refused.is(Errc::kRefused));
  EXPECT_THAT(refused.error().what, HasSubstr("an old server came back"));
  EXPECT_THAT(held(), ElementsAre(Held{1, 10, 37}, Held{2, 30, 60}));
}

TEST_F(CaptureTest, RefusesAnotherClusterAtTheSameAddress) {
  ASSERT_TRUE(capture_all(lived({{1, 10, 25}})).ok());
  const Status refused = capture_all(lived({{1, 10, 80}}, kSystem + 1));
  ASSERT_TRUE(refused.is(Errc::kRefused));
  EXPECT_THAT(refused.error().what, HasSubstr("system identifier"));
  EXPECT_THAT(held(), ElementsAre(Held{1, 10, 25}));
}

TEST_F(CaptureTest, SaysThatThereIsAGapAndGoesOnBehindIt) {
  ASSERT_TRUE(capture_all(lived({{1, 10, 25}})).ok());
  restart();
  const auto server = running(lived({{1, 10, 64}}));
  server->recycle_before(at(40));
  const Status captured = capture_all(*server, at(64));
  EXPECT_TRUE(captured.ok()) << captured.error().what;
  EXPECT_THAT(held(), ElementsAre(Held{1, 10, 25}, Held{1, 40, 64}));
  EXPECT_THAT(gaps, ElementsAre(to_string(at(25)) + " to " + to_string(at(40))));
}

}  // namespace
}  // namespace daruma::postgres
