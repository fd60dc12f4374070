// Every byte of a small journal changed, every length of it cut: check_journal says so, or no reader can see
// any difference.
//
// SQLite's pages have bytes that mean nothing (what lies between cells, counters in its header): a change
// there is invisible by definition, and the test proves it by reading everything. What is acknowledged lies
// in the file or in its write-ahead log; the last transaction in that log is the one thing whose damage looks
// like a torn write: the anchor tells.
#include <gmock/gmock.h>

#include "journal/journal.h"
#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

using testing::HasSubstr;

constexpr uint64_t kLimit = 1 << 20;

// The files of a journal as they lie on the disk at some moment.
struct Image {
  Bytes file, log;
};

struct Seen {
  std::vector<std::vector<std::string>> streams;  // every event, with all its fields
  JournalHead head;
  bool operator==(const Seen& other) const {
    return streams == other.streams && head.hash == other.head.hash;
  }
};

class JournalDamage : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = *open_journal(scratch_.fs(), clock_, file());
    for (uint64_t number = 0; number < 4; ++number) {
      append(*journal, "run/1", number);
      append(*journal, "run/2", number);
    }
    before_last_ = *journal->head();
    logged_.file = bytes_of(file());
    append(*journal, "run/1", 4);
    head_ = *journal->head();
    logged_.log = bytes_of(log());
    journal.reset();  // the log goes into the file
    whole_.file = bytes_of(file());
    put(whole_);
    expected_ = *see();
  }

  void append(Journal& journal, const std::string& stream, uint64_t after) {
    clock_.advance(1ms);
    const NewEvent event{"step_ended", Value(Value::Map{{"step", "restart"}, {"took", after}})};
    ASSERT_TRUE(journal.append(stream, after, {event}).ok());
  }

  Path file() const { return scratch_.path() / "journal.db"; }
  Path log() const { return scratch_.path() / "journal.db-wal"; }
  Bytes bytes_of(const Path& path) { return *read_file(scratch_.fs(), path, kLimit); }

  void put(const Image& image) {
    for (const char* end : {"", "-wal", "-shm"})
      static_cast<void>(scratch_.fs().remove_file(file().string() + end));
    write(file(), image.file);
    if (!image.log.empty()) write(log(), image.log);
  }
  void write(const Path& path, BytesView bytes) {
    const auto to = *scratch_.fs().create(path);
    ASSERT_TRUE(to->write_at(0, bytes).ok());
  }

  Result<uint64_t> check(std::optional<JournalHead> anchor = {}) {
    return check_journal(scratch_.fs(), file(), anchor);
  }
  Result<Seen> see() {
    DR_TRY(const auto journal, open_journal(scratch_.fs(), clock_, file()));
    Seen seen;
    DR_TRY(const auto names, journal->streams("", 100));
    for (const std::string& name : names) {
      DR_TRY(const auto events, journal->read(name));
      auto& lines = seen.streams.emplace_back();
      for (const JournalEvent& event : events)
        lines.push_back(std::to_string(event.number) + event.stream + std::to_string(event.position) +
                        to_rfc3339(event.at) + event.kind + to_json(event.body));
    }
    DR_TRY(seen.head, journal->head());
    return seen;
  }

  template <class T>
  static std::string why(const Result<T>& result) {
    return result.ok() ? "" : result.error().what;
  }

  ScratchDir scratch_;
  ManualClock clock_;
  Image whole_;   // closed: everything in the file
  Image logged_;  // open: the log holds the events
  JournalHead head_, before_last_;
  Seen expected_;
};

// A changed byte is found, with its place, or no reader sees any difference.
TEST_F(JournalDamage, AChangedByteOfTheFileIsFoundOrMeansNothing) {
  const auto found = [&](size_t from, size_t to) {
    Image image = whole_;
    for (size_t at = from; at < to; ++at) image.file[at] ^= std::byte{0x41};
    put(image);
    const auto checked = check(head_);
    if (checked.ok()) {
      const auto seen = see();
      EXPECT_TRUE(seen.ok() && *seen == expected_) << from << ": nothing found, and yet it reads otherwise";
      return false;
    }
    EXPECT_TRUE(checked.is(Errc::kCorrupt)) << from << ": " << checked.error().what;
    EXPECT_THAT(checked.error().what, HasSubstr("journal.db")) << from;
    return true;
  };
  size_t silent = 0, all = 0;
  for (size_t at = 0; at < whole_.file.size() && !HasFailure();) {
    // Where nothing was ever written many bytes are changed together, one by one where that is found.
    size_t end = at;
    while (end < whole_.file.size() && end < at + 64 && whole_.file[end] == std::byte{0}) ++end;
    if (end > at + 1 && !found(at, end)) {
      silent += end - at;
      all += end - at;
      at = end;
      continue;
    }
    for (end = std::max(end, at + 1); at < end; ++at, ++all) silent += !found(at, at + 1);
  }
  EXPECT_EQ(all, whole_.file.size());
  RecordProperty("bytes_that_mean_nothing", static_cast<int>(silent));
}

TEST_F(JournalDamage, EveryByteOfAnEventIsFoundAtThatEvent) {
  const std::string body = to_json(Value(Value::Map{{"step", "restart"}, {"took", 2}}));
  const std::string_view text = as_text(whole_.file);
  // Both streams have an event with this body, of numbers 5 and 6; the later one lies first in its page.
  const size_t at = text.find(body);
  ASSERT_NE(at, std::string_view::npos);
  for (size_t i = 0; i < body.size() + sizeof(EventHash); ++i) {
    Image image = whole_;
    image.file[at + i] ^= std::byte{1};
    put(image);
    ASSERT_THAT(why(check()), HasSubstr("event 6 is not what was written")) << i;
  }
  EXPECT_THAT(why(see()), HasSubstr("event 6 is not what was written"));
}

TEST_F(JournalDamage, AFileCutAnywhereIsFound) {
  for (size_t length = 0; length < whole_.file.size(); length += 37) {
    put({Bytes(whole_.file.begin(), whole_.file.begin() + static_cast<long>(length)), {}});
    ASSERT_TRUE(check().is(Errc::kCorrupt)) << length;
  }
}

// What is changed in the log is found, or is the last transaction's: then the log ends before it as after a
// crash, and the anchor tells.
TEST_F(JournalDamage, AChangedByteOfTheLogIsFoundByItselfOrByTheAnchor) {
  constexpr size_t kFrame = 4096 + 24;
  size_t by_anchor = 0;
  for (size_t at = 0; at < logged_.log.size(); ++at) {
    const size_t in_frame = at < 32 ? 0 : (at - 32) % kFrame;
    if (in_frame > 24 && in_frame % 61 != 0) continue;  // every head whole, and of the pages enough
    Image image = logged_;
    image.log[at] ^= std::byte{0x41};
    put(image);
    const auto checked = check();
    if (!checked.ok()) {
      ASSERT_TRUE(checked.is(Errc::kCorrupt)) << at << ": " << checked.error().what;
      continue;
    }
    if (*checked == head_.number) continue;  // the frame's page came again later
    ++by_anchor;
    ASSERT_EQ(*checked, before_last_.number) << at << ": more than the last transaction is gone";
    ASSERT_THAT(why(check(head_)), HasSubstr("is anchored outside and is not here")) << at;
  }
  EXPECT_GT(by_anchor, 0u);
}

TEST_F(JournalDamage, ALogCutAnywhereEndsAtATransaction) {
  uint64_t last = 0;
  for (size_t length = 0; length <= logged_.log.size(); length += 251) {
    put({logged_.file, Bytes(logged_.log.begin(), logged_.log.begin() + static_cast<long>(length))});
    const auto checked = check();
    ASSERT_TRUE(checked.ok()) << length << ": " << checked.error().what;
    ASSERT_GE(*checked, last);
    last = *checked;
    ASSERT_TRUE(check(head_).is(Errc::kCorrupt) || *checked == head_.number) << length;
  }
}

}  // namespace
}  // namespace daruma
