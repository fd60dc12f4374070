// What the writer of a log promises: synced is held, pieces replace tails in that order, a new process takes
// up what an old one left, and nothing is ever overwritten.
#include <thread>

#include "repository/log_testing.h"

namespace daruma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ALogWriter : public LogFixture {};

TEST_F(ALogWriter, HoldsWhatIsSyncedInItsTail) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append_synced(1, 8192, 8300).ok());
  EXPECT_THAT(names(), ElementsAre("here/00000001-0000000000002000-00000001"));
  EXPECT_EQ(ranges(), "1:8192-8300");
  EXPECT_TRUE(holds(1, 8192, 8300));
  EXPECT_EQ(end(), "1:8300");
}

TEST_F(ALogWriter, MakesAFullPieceAnObjectAndRemovesItsTail) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, kPiece).ok());
  EXPECT_THAT(names(), ElementsAre("00000001/0000000000000000-00001000"));
  EXPECT_TRUE(holds(1, 0, kPiece));
  EXPECT_EQ(end(), "nothing open");
}

TEST_F(ALogWriter, SplitsAnAppendAtPieceBoundaries) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, 100).ok());
  ASSERT_TRUE(append_synced(1, 100, 3 * kPiece + 5).ok());
  EXPECT_THAT(names(),
              ElementsAre("00000001/0000000000000000-00001000", "00000001/0000000000001000-00001000",
                          "00000001/0000000000002000-00001000", "here/00000001-0000000000003000-00000004"));
  EXPECT_TRUE(holds(1, 0, 3 * kPiece + 5));
}

TEST_F(ALogWriter, ShowsItsOpenPieceFromTheFirstByteOn) {
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(writer->open_piece().empty());
  ASSERT_TRUE(append(1, 0, kPiece + 10).ok());
  EXPECT_EQ(to_bytes(writer->open_piece()), log_content(1, kPiece, kPiece + 10));
}

TEST_F(ALogWriter, TakesOnlyWhatContinuesTheOpenPiece) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, 10).ok());
  EXPECT_TRUE(append(1, 11, 12).is(Errc::kInvalid));
  EXPECT_TRUE(append(2, 10, 12).is(Errc::kInvalid));
  const Status again = append(1, 9, 12);
  ASSERT_TRUE(again.is(Errc::kInvalid));
  EXPECT_EQ(again.error().what,
            "log bookings/00000000000068f3: bytes of branch 1 at position 9 do not continue the open piece, "
            "which ends at 10 of branch 1");
  EXPECT_TRUE(append_synced(1, 10, 12).ok()) << "a refused append changes nothing";
  EXPECT_TRUE(holds(1, 0, 12));
}

TEST_F(ALogWriter, BeginsAPieceOnlyAtItsBoundary) {
  ASSERT_TRUE(start().ok());
  const Status inside = append(1, 5000, 5001);
  ASSERT_TRUE(inside.is(Errc::kInvalid));
  EXPECT_THAT(inside.error().what, HasSubstr("position 5000 is inside a piece"));
  EXPECT_TRUE(append(1, ~uint64_t{0} - kPiece + 1, 0).is(Errc::kInvalid)) << "too near the end of positions";
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(ALogWriter, ClosesAPieceShortAndGoesOnOnAnotherBranch) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, 5000).ok());
  ASSERT_TRUE(writer->close_piece().ok());
  EXPECT_EQ(end(), "nothing open");
  ASSERT_TRUE(append_synced(2, 4096, 6000).ok());
  EXPECT_THAT(names(), ElementsAre("00000001/0000000000000000-00001000", "00000001/0000000000001000-00000388",
                                   "here/00000002-0000000000001000-00000003"));
  EXPECT_EQ(ranges(), "1:0-5000 2:4096-6000");
  EXPECT_TRUE(holds(1, 0, 5000));
  EXPECT_TRUE(holds(2, 4096, 6000));
}

TEST_F(ALogWriter, ClosesNothingWhenNothingIsOpen) {
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(writer->close_piece().ok());
  EXPECT_TRUE(writer->sync().ok());
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(ALogWriter, WritesAClosedPieceAgainWhenMoreOfItComes) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, 100).ok());
  ASSERT_TRUE(writer->close_piece().ok());
  ASSERT_TRUE(append(1, 0, kPiece).ok());
  EXPECT_THAT(names(),
              ElementsAre("00000001/0000000000000000-00000064", "00000001/0000000000000000-00001000"));
  EXPECT_EQ(ranges(), "1:0-4096");
}

TEST_F(ALogWriter, RefusesAPieceSizeOrReceiverThatCannotBe) {
  LogWriter::Options wrong = options();
  wrong.piece_bytes = 0;
  EXPECT_TRUE(LogWriter::open(*repository, wrong).is(Errc::kInvalid));
  wrong.piece_bytes = kPieceMax + 1;
  EXPECT_TRUE(LogWriter::open(*repository, wrong).is(Errc::kInvalid));
  for (const std::string receiver : {"", "a/b", ".hidden", "blank space"}) {
    wrong = options();
    wrong.receiver = receiver;
    EXPECT_TRUE(LogWriter::open(*repository, wrong).is(Errc::kInvalid)) << receiver;
  }
}

TEST_F(ALogWriter, AfterAFailedSyncTakesNothingMore) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append_synced(1, 0, 100).ok());
  store.before_tail_sync = [](const std::string&) { return Error{Errc::kNoSpace, "the disk is full"}; };
  ASSERT_TRUE(append(1, 100, 200).ok());
  EXPECT_TRUE(writer->sync().is(Errc::kNoSpace));
  store.before_tail_sync = {};
  EXPECT_TRUE(writer->sync().is(Errc::kNoSpace)) << "what the tail holds is not known";
  EXPECT_TRUE(append(1, 200, 300).is(Errc::kNoSpace));
  EXPECT_TRUE(writer->close_piece().is(Errc::kNoSpace));
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(holds(1, 0, 100));
}

TEST_F(ALogWriter, StoresAHistoryOnceAndAlarmsAtAnother) {
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(writer->put_history(2, as_bytes("1\t0/3000000\tno recovery target")).ok());
  EXPECT_TRUE(writer->put_history(2, as_bytes("1\t0/3000000\tno recovery target")).ok());
  const Status other = writer->put_history(2, as_bytes("1\t0/4000000\tno recovery target"));
  ASSERT_TRUE(other.is(Errc::kRefused));
  EXPECT_THAT(other.error().what, HasSubstr("split brain"));
  EXPECT_THAT(other.error().what, HasSubstr("log/bookings/00000000000068f3/history/00000002"));
  EXPECT_EQ(reader()->histories().at(2), "1\t0/3000000\tno recovery target");
}

TEST_F(ALogWriter, AcceptsAPieceThatIsThereAlready) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, kPiece).ok());
  ASSERT_TRUE(append(1, 0, 2 * kPiece).ok());
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(ALogWriter, AlarmsWhenTheSamePlaceHoldsOtherBytes) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, kPiece).ok());
  const Status other = writer->append(1, 0, log_content(9, 0, kPiece));
  ASSERT_TRUE(other.is(Errc::kRefused));
  EXPECT_EQ(other.error().what,
            "split brain: log/bookings/00000000000068f3/00000001/0000000000000000-00001000 holds other bytes "
            "for log bookings/00000000000068f3, branch 1, from position 0 on, than were received now");
  EXPECT_TRUE(append(1, kPiece, kPiece + 1).is(Errc::kRefused));
  EXPECT_EQ(names().size(), 2u) << "the tail with the other version stays";
  EXPECT_EQ(store.get(piece_name(stream, {1, 0, kPiece})).ok(), true);
}

// Reopening.

TEST_F(ALogWriter, ANewProcessContinuesInANewTail) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append_synced(1, 0, kPiece + 300).ok());
  ASSERT_TRUE(start().ok());
  EXPECT_EQ(end(), "1:4396");
  EXPECT_EQ(to_bytes(writer->open_piece()), log_content(1, kPiece, kPiece + 300));
  EXPECT_THAT(names(),
              ElementsAre("00000001/0000000000000000-00001000", "here/00000001-0000000000001000-00000003"));
  ASSERT_TRUE(append(1, kPiece + 300, 3 * kPiece).ok());
  EXPECT_TRUE(holds(1, 0, 3 * kPiece));
}

TEST_F(ALogWriter, ANewProcessSealsWhatWasCompleteAndKeepsWhatIsNot) {
  leave_tail(1, 0, 5, {100, kPiece});
  leave_tail(1, kPiece, 6, {kPiece + 7});
  ASSERT_TRUE(start().ok());
  EXPECT_THAT(names(),
              ElementsAre("00000001/0000000000000000-00001000", "here/00000001-0000000000001000-00000007"));
  EXPECT_EQ(end(), "1:4103");
}

TEST_F(ALogWriter, ANewProcessSealsTheTailOfABranchThatWasLeft) {
  leave_tail(1, kPiece, 5, {kPiece + 100});
  leave_tail(2, kPiece, 6, {kPiece + 7});
  ASSERT_TRUE(start().ok());
  EXPECT_THAT(names(),
              ElementsAre("00000001/0000000000001000-00000064", "here/00000002-0000000000001000-00000007"));
  EXPECT_EQ(end(), "2:4103");
}

TEST_F(ALogWriter, ATakeOverThatWasInterruptedIsTakenUpAgain) {
  leave_tail(1, 0, 5, {100, 300});
  leave_tail(1, 0, 6, {200});
  leave_tail(1, 0, 7, {});
  ASSERT_TRUE(start().ok());
  EXPECT_THAT(names(), ElementsAre("here/00000001-0000000000000000-00000008"));
  EXPECT_EQ(end(), "1:300");
  EXPECT_TRUE(holds(1, 0, 300));
}

TEST_F(ALogWriter, RemovesATailThatHoldsNothing) {
  leave_tail(3, 0, 1, {});
  ASSERT_TRUE(start().ok());
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_EQ(end(), "nothing open");
}

TEST_F(ALogWriter, RemovesOldTailsOnlyWhenTheNewOneIsSynced) {
  const std::string old = leave_tail(1, 0, 1, {100, 200});
  for (int failing_sync = 1; failing_sync <= 2; ++failing_sync) {
    int left = failing_sync;
    store.before_tail_sync = [&](const std::string&) -> Status {
      if (--left == 0) return Error{Errc::kNoSpace, "the disk is full"};
      return {};
    };
    EXPECT_TRUE(start().is(Errc::kNoSpace));
    EXPECT_TRUE(memory.head(old).ok());
  }
  store.before_tail_sync = {};
  ASSERT_TRUE(start().ok());
  EXPECT_EQ(end(), "1:200");
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(ALogWriter, LeavesOtherReceiversTailsAlone) {
  LogWriter::Options other = options();
  other.receiver = "here2";
  auto second = LogWriter::open(*repository, other);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE((*second)->append(1, 0, log_content(1, 0, 50)).ok());
  ASSERT_TRUE((*second)->sync().ok());
  ASSERT_TRUE(start().ok());
  EXPECT_EQ(end(), "nothing open");
  EXPECT_THAT(names(), ElementsAre("here2/00000001-0000000000000000-00000001"));
}

TEST_F(ALogWriter, TailsOfOnePlaceWithOtherBytesAreASplitBrainAndStay) {
  leave_tail(1, 0, 1, {100});
  leave_tail(1, 0, 2, {50}, 9);
  const Status status = start();
  ASSERT_TRUE(status.is(Errc::kRefused));
  EXPECT_THAT(status.error().what, HasSubstr("split brain"));
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(ALogWriter, DamageInTheMiddleOfATailIsNeverTakenForItsEnd) {
  const std::string tail = leave_tail(1, 0, 1, {100, 200, 300});
  memory.bytes(tail)[130] ^= std::byte{1};
  const Status status = start();
  ASSERT_TRUE(status.is(Errc::kCorrupt));
  EXPECT_THAT(status.error().what, HasSubstr(tail));
  EXPECT_THAT(names(), ElementsAre("here/00000001-0000000000000000-00000001"));
}

TEST_F(ALogWriter, ATailOfAnotherPieceSizeIsRefusedAndStays) {
  leave_tail(1, 0, 1, {kPiece, kPiece + 1});
  EXPECT_TRUE(start().is(Errc::kInvalid));
  EXPECT_EQ(names().size(), 1u);
}

// Sealing in the background.

class ALogWriterInTheBackground : public LogFixture {
 protected:
  ALogWriterInTheBackground() { in_background = true; }
};

TEST_F(ALogWriterInTheBackground, SealsEverythingBeforeItGoes) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append_synced(1, 0, 9 * kPiece + 1).ok());
  writer.reset();
  EXPECT_EQ(names().size(), 10u);
  EXPECT_TRUE(holds(1, 0, 9 * kPiece + 1));
}

TEST_F(ALogWriterInTheBackground, KeepsAtMostThreePiecesWaiting) {
  // The first seal waits until as many tails exist as may: three pieces waiting and one that is about to.
  constexpr size_t kTailsMax = 4;
  Guarded<size_t> tails;
  size_t most = 0;
  store.before_tail_sync = [&](const std::string&) -> Status {
    *tails.lock() = memory.list(tails_prefix(stream))->size();
    tails.notify_all();
    return {};
  };
  ASSERT_TRUE(start().ok());
  store.before_put = [&](const std::string&) -> Status {
    if (most == 0) {
      auto there = tails.lock();
      there.wait([&] { return *there >= kTailsMax; });
    }
    most = std::max(most, memory.list(tails_prefix(stream))->size());
    return {};
  };
  ASSERT_TRUE(append(1, 0, 40 * kPiece).ok());
  writer.reset();
  EXPECT_EQ(most, kTailsMax);
}

TEST_F(ALogWriterInTheBackground, RemembersAFailureAndLosesNothing) {
  ASSERT_TRUE(start().ok());
  store.before_put = [](const std::string&) { return Error{Errc::kNoSpace, "the disk is full"}; };
  uint64_t synced = 0;
  Status status;
  while ((status = append_synced(1, synced, synced + 1000)).ok()) synced += 1000;
  EXPECT_TRUE(status.is(Errc::kNoSpace));
  EXPECT_TRUE(writer->background_status().is(Errc::kNoSpace));
  EXPECT_TRUE(writer->close_piece().is(Errc::kNoSpace));
  EXPECT_TRUE(holds(1, 0, synced)) << "from tails";
  store.before_put = {};
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(writer->background_status().ok());
  EXPECT_TRUE(holds(1, 0, synced));
  EXPECT_GE(writer->end() ? writer->end()->position : synced, synced);
}

TEST_F(ALogWriterInTheBackground, FailsTheNextAppendWithAFailure) {
  Guarded<bool> may_fail;
  store.before_put = [&](const std::string&) -> Status {
    auto now = may_fail.lock();
    now.wait([&] { return *now; });
    return Error{Errc::kUnavailable, "the disk is away"};
  };
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, kPiece + 10).ok()) << "nothing has failed yet";
  *may_fail.lock() = true;
  may_fail.notify_all();
  EXPECT_TRUE(writer->close_piece().is(Errc::kUnavailable));
  EXPECT_TRUE(append(1, 2 * kPiece, 2 * kPiece + 1).is(Errc::kUnavailable));
}

TEST_F(ALogWriterInTheBackground, OpensOnlyWhenWhatItFoundIsSealed) {
  leave_tail(1, 0, 1, {kPiece});
  store.before_put = [](const std::string&) { return Error{Errc::kNoSpace, "the disk is full"}; };
  EXPECT_TRUE(start().is(Errc::kNoSpace));
  store.before_put = {};
  ASSERT_TRUE(start().ok());
  EXPECT_THAT(names(), ElementsAre("00000001/0000000000000000-00001000"));
}

TEST_F(ALogWriterInTheBackground, ClosingWaitsForWhatIsUnderWay) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, 3 * kPiece + 10).ok());
  ASSERT_TRUE(writer->close_piece().ok());
  EXPECT_EQ(memory.list(tails_prefix(stream))->size(), 0u);
  EXPECT_EQ(memory.list(log_prefix(stream))->size(), 4u);
}

TEST_F(ALogWriterInTheBackground, ASplitBrainIsToldToLaterAppends) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append(1, 0, kPiece).ok());
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(writer->append(1, 0, log_content(9, 0, kPiece)).ok());
  uint64_t at = kPiece;
  while (append(1, at, at + kPiece).ok()) at += kPiece;
  EXPECT_TRUE(writer->background_status().is(Errc::kRefused));
}

}  // namespace
}  // namespace daruma
