// What the reader of a log promises: everything that is held is found, once, wherever it lies at the moment;
// damage is named and never taken for an end.
#include <thread>

#include "repository/log_objects.h"
#include "repository/log_testing.h"

namespace daruma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ALogReader : public LogFixture {
 protected:
  void piece(Branch branch, uint64_t from, uint64_t to) {
    const PieceName place{branch, from, static_cast<uint32_t>(to - from)};
    const std::string name = piece_name(stream, place);
    ASSERT_TRUE(store
                    .put(name,
                         seal_piece(repository->keys(), *random, name, place, log_content(branch, from, to),
                                    fmt_summary(branch, from, to - from)),
                         {})
                    .ok());
  }
  std::map<std::string, std::string> damage;
  std::unique_ptr<LogReader> reader_of_damaged() {
    auto opened = LogReader::open(*repository, stream, [&](const std::string& object, const Error& error) {
      damage[object] = error.what;
    });
    EXPECT_TRUE(opened.ok()) << opened.error().what;
    return *std::move(opened);
  }
};

TEST_F(ALogReader, FindsNothingInAnEmptyLog) {
  EXPECT_EQ(ranges(), "");
  EXPECT_TRUE(reader()->read(1, 0, 1).is(Errc::kNotFound));
  EXPECT_FALSE(reader()->end_of(1, 0));
}

TEST_F(ALogReader, JoinsPiecesAndTailsToRanges) {
  piece(1, 0, kPiece);
  piece(1, kPiece, kPiece + 100);
  piece(1, 3 * kPiece, 4 * kPiece);
  leave_tail(1, 4 * kPiece, 1, {4 * kPiece + 7});
  piece(2, kPiece, 2 * kPiece);
  EXPECT_EQ(ranges(), "1:0-4196 1:12288-16391 2:4096-8192");
  EXPECT_EQ(reader()->end_of(1, 4195), 4196u);
  EXPECT_FALSE(reader()->end_of(1, 4196));
  EXPECT_FALSE(reader()->end_of(3, 0));
}

TEST_F(ALogReader, ReadsAcrossPiecesExactlyWhatWasAskedFor) {
  piece(1, 0, kPiece);
  piece(1, kPiece, 2 * kPiece);
  leave_tail(1, 2 * kPiece, 1, {2 * kPiece + 500});
  EXPECT_TRUE(holds(1, 0, 2 * kPiece + 500));
  EXPECT_TRUE(holds(1, kPiece - 1, kPiece + 1));
  EXPECT_TRUE(holds(1, 2 * kPiece - 1, 2 * kPiece + 1));
  const auto past = reader()->read(1, kPiece, kPiece + 501);
  ASSERT_TRUE(past.is(Errc::kNotFound));
  EXPECT_EQ(past.error().what,
            "log bookings/00000000000068f3 does not hold 4597 bytes from position 4096 on "
            "of branch 1");
  EXPECT_TRUE(reader()->read(1, kPiece, ~uint64_t{0}).is(Errc::kNotFound));
}

TEST_F(ALogReader, TakesTheLongestOfWhatOverlaps) {
  piece(1, 0, 100);
  piece(1, 0, 2000);
  leave_tail(1, 0, 1, {3000});
  leave_tail(1, 0, 2, {200});
  EXPECT_EQ(ranges(), "1:0-3000");
  EXPECT_TRUE(holds(1, 0, 3000));
}

TEST_F(ALogReader, SaysWhereEachPieceIsAndWhatItHolds) {
  leave_tail(1, kPiece, 1, {kPiece + 5});
  piece(1, 0, kPiece);
  const auto log = reader();
  ASSERT_EQ(log->pieces().size(), 2u);
  EXPECT_TRUE(log->pieces()[0].sealed);
  EXPECT_EQ(log->pieces()[0].to, kPiece);
  EXPECT_EQ(*log->summary(log->pieces()[0]), "1:0+4096");
  EXPECT_FALSE(log->pieces()[1].sealed);
  EXPECT_TRUE(log->summary(log->pieces()[1]).is(Errc::kNotFound));
}

TEST_F(ALogReader, ReadsASummaryFromTheFrontOfItsObject) {
  for (const size_t size : {0, 3000, 5000, 100'000}) {
    const PieceName place{1, 0, 1u << 20};
    const std::string name = piece_name(stream, place);
    Bytes random_bytes(place.length);
    random->fill(random_bytes);
    ASSERT_TRUE(
        memory
            .put(name,
                 seal_piece(repository->keys(), *random, name, place, random_bytes, std::string(size, 's')),
                 {})
            .ok());
    const auto log = reader();
    store.bytes_read = 0;
    EXPECT_EQ(*log->summary(log->pieces()[0]), std::string(size, 's'));
    EXPECT_LE(store.bytes_read, size + 10'000);
    ASSERT_TRUE(memory.remove(name).ok());
  }
}

TEST_F(ALogReader, DecodesAPieceOnceForManyReads) {
  piece(1, 0, kPiece);
  const auto log = reader();
  store.bytes_read = 0;
  for (uint64_t at = 0; at < kPiece; at += 64) ASSERT_TRUE(log->read(1, at, 64).ok());
  EXPECT_LE(store.bytes_read, memory.head(piece_name(stream, {1, 0, kPiece}))->size);
}

TEST_F(ALogReader, MayBeReadByManyThreads) {
  for (uint64_t at = 0; at < 8 * kPiece; at += kPiece) piece(1, at, at + kPiece);
  const auto log = reader();
  std::vector<std::thread> threads;
  Guarded<int> wrong;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t at = t * 100; at + 900 < 8 * kPiece; at += 700)
        if (*log->read(1, at, 900) != log_content(1, at, at + 900)) ++*wrong.lock();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*wrong.lock(), 0);
}

TEST_F(ALogReader, FindsATailThatWasSealedBetweenListingAndReading) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(append_synced(1, 0, 100).ok());
  int lists = 0;
  store.after_list = [&](const std::string& prefix) {
    if (prefix == tails_prefix(stream) && ++lists == 1) {
      ASSERT_TRUE(append_synced(1, 100, kPiece + 50).ok());
    }
  };
  EXPECT_TRUE(holds(1, 0, kPiece + 50));
  EXPECT_EQ(lists, 2);
}

TEST_F(ALogReader, GivesUpOnTailsThatNeverStandStill) {
  leave_tail(1, 0, 1, {100});
  store.before_get = [](const std::string&) { return Error{Errc::kNotFound, "it is gone"}; };
  EXPECT_TRUE(LogReader::open(*repository, stream).is(Errc::kUnavailable));
}

TEST_F(ALogReader, LooksAgainWhenAWriterOvertookIt) {
  // The first look passes the second record before it is written and the third one after.
  const std::string tail = leave_tail(1, 0, 1, {100, 200, 300});
  int looks = 0;
  store.after_get = [&](Bytes& object) {
    if (looks++ == 0) std::fill_n(object.begin() + 118 + 134, 134, std::byte{0});
  };
  EXPECT_TRUE(holds(1, 0, 300));
  EXPECT_GE(looks, 2);
}

TEST_F(ALogReader, KeepsWhatStandsBeforeDamageInATail) {
  const std::string tail = leave_tail(1, 0, 1, {100, 200, 300});
  memory.bytes(tail)[118 + 134 + 20] ^= std::byte{4};
  EXPECT_TRUE(LogReader::open(*repository, stream).is(Errc::kCorrupt)) << "without a sink it is an error";
  const auto log = reader_of_damaged();
  EXPECT_EQ(damage[tail],
            tail + ": the bytes from offset 252 to 386 are damaged: a record behind them verifies");
  EXPECT_EQ(log->end_of(1, 0), 100u);
}

TEST_F(ALogReader, AnyFlippedByteOfAPieceIsFound) {
  piece(1, 0, 300);
  const std::string name = piece_name(stream, {1, 0, 300});
  for (size_t at = 0; at < memory.bytes(name).size(); ++at) {
    memory.bytes(name)[at] ^= std::byte{0x10};
    const auto bytes = reader()->read(1, 0, 300);
    ASSERT_FALSE(bytes.ok()) << at;
    EXPECT_THAT(bytes.error().what, HasSubstr(name));
    memory.bytes(name)[at] ^= std::byte{0x10};
  }
  EXPECT_TRUE(holds(1, 0, 300));
}

TEST_F(ALogReader, ACutPieceIsFoundWhereverItIsCut) {
  piece(1, 0, 300);
  const std::string name = piece_name(stream, {1, 0, 300});
  const Bytes whole = memory.bytes(name);
  for (size_t size = 0; size < whole.size(); ++size) {
    memory.bytes(name) = Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_TRUE(reader()->read(1, 0, 300).is(Errc::kCorrupt)) << size;
  }
}

TEST_F(ALogReader, APieceUnderAnotherNameDoesNotOpen) {
  piece(1, 0, 300);
  ASSERT_TRUE(
      memory.put(piece_name(stream, {2, 0, 300}), *memory.get(piece_name(stream, {1, 0, 300})), {}).ok());
  EXPECT_TRUE(reader()->read(2, 0, 300).is(Errc::kCorrupt));
}

TEST_F(ALogReader, ReadsAroundADamagedPieceWhereAnotherHoldsTheSame) {
  piece(1, 0, 100);
  piece(1, 0, 300);
  memory.bytes(piece_name(stream, {1, 0, 300}))[200] ^= std::byte{1};
  EXPECT_TRUE(holds(1, 0, 100));
  EXPECT_TRUE(reader()->read(1, 50, 100).is(Errc::kCorrupt));
}

TEST_F(ALogReader, NamesWhatDoesNotBelongIntoALog) {
  const std::vector<std::string> strange = {
      log_prefix(stream) + "00000001/0000000000000000-00000000",
      log_prefix(stream) + "00000001/0000000000000000-01000001",
      log_prefix(stream) + "00000001/000000000000000A-00000001",
      log_prefix(stream) + "00000001/ffffffffffffffff-00000001",
      log_prefix(stream) + "00000001/0000000000000000-000000010",
      log_prefix(stream) + "history/1",
      tails_prefix(stream) + "here/00000001-0000000000000000",
  };
  piece(1, 0, 300);
  for (const std::string& name : strange) ASSERT_TRUE(memory.put(name, as_bytes("x"), {}).ok());
  EXPECT_TRUE(LogReader::open(*repository, stream).is(Errc::kCorrupt));
  EXPECT_EQ(reader_of_damaged()->end_of(1, 0), 300u);
  EXPECT_EQ(damage.size(), strange.size());
}

TEST_F(ALogReader, ReportsADamagedHistory) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(writer->put_history(2, as_bytes("from 1")).ok());
  ASSERT_TRUE(writer->put_history(3, as_bytes("from 2")).ok());
  memory.bytes(history_name(stream, 2)).back() ^= std::byte{1};
  EXPECT_TRUE(LogReader::open(*repository, stream).is(Errc::kCorrupt));
  EXPECT_THAT(reader_of_damaged()->histories(), ElementsAre(std::pair(3u, "from 2")));
  EXPECT_EQ(damage.size(), 1u);
}

TEST_F(ALogReader, ListsEveryStreamOfADatastore) {
  piece(1, 0, 300);
  const std::string other = tail_name({"bookings", 0x99}, {"here", 1, 0, 1});
  ASSERT_TRUE(TailWriter::create(*repository, other).ok());
  ASSERT_TRUE(TailWriter::create(*repository, tail_name({"bookings2", 0x77}, {"here", 1, 0, 1})).ok());
  const auto streams = list_log_streams(*repository, "bookings");
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), 2u);
  EXPECT_EQ((*streams)[0].path(), "bookings/0000000000000099");
  EXPECT_EQ((*streams)[1].path(), "bookings/00000000000068f3");
}

// The end of a tail, and damage.

class ATail : public LogFixture {
 protected:
  // A tail of records that end at 100, 200, 300 of the log, in a file with zeros behind.
  ATail() : name(leave_tail(1, 0, 1, {100, 200, 300})), file(memory.bytes(name)), end(file.size()) {
    file.resize(end + 1000);
  }
  TailContent decode(BytesView bytes) {
    return decode_tail(repository->keys(), name, {"here", 1, 0, 1}, bytes);
  }
  size_t held(BytesView bytes) {
    const TailContent content = decode(bytes);
    EXPECT_EQ(content.bytes, log_content(1, 0, content.bytes.size()));
    return content.bytes.size();
  }
  // Where record `i` begins: 4 bytes of size, 14 before the log's, 16 of tag.
  static size_t record_at(size_t i) { return 118 + i * (4 + 14 + 100 + 16); }

  std::string name;
  Bytes file;
  size_t end;
};

TEST_F(ATail, CutAnywhereHoldsItsWholeRecordsAndIsNotDamaged) {
  for (size_t size = 0; size <= end; ++size) {
    for (const size_t zeros : {0, 700}) {
      Bytes cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(size));
      cut.resize(size + zeros);
      EXPECT_FALSE(decode(cut).error) << size;
      EXPECT_EQ(held(cut), size < 118 ? 0 : (size - 118) / 134 * 100) << size;
    }
  }
}

TEST_F(ATail, WithAByteFlippedIsDamagedUnlessItIsInTheLastRecord) {
  for (size_t at = 0; at < end; ++at) {
    file[at] ^= std::byte{0x21};
    const bool last = at >= record_at(2);
    EXPECT_EQ(decode(file).error.has_value(), !last) << at;
    EXPECT_EQ(held(file), at < record_at(0) ? 0 : (at - record_at(0)) / 134 * 100) << at;
    file[at] ^= std::byte{0x21};
  }
}

TEST_F(ATail, WithoutItsMiddleIsDamaged) {
  Bytes missing = file;
  missing.erase(missing.begin() + static_cast<ptrdiff_t>(record_at(1)),
                missing.begin() + static_cast<ptrdiff_t>(record_at(2)));
  EXPECT_EQ(held(missing), 100u) << "a moved record does not verify";
  std::fill_n(file.begin() + static_cast<ptrdiff_t>(record_at(1)), 134, std::byte{0});
  EXPECT_TRUE(decode(file).error);
}

TEST_F(ATail, WithRubbishBehindItsEndEndsThere) {
  random->fill(std::span(file).subspan(end));
  EXPECT_FALSE(decode(file).error);
  EXPECT_EQ(held(file), 300u);
}

TEST_F(ATail, WhoseRecordsDoNotFollowEachOtherIsDamaged) {
  const std::string other = leave_tail(1, 0, 2, {100});
  auto tail = TailWriter::create(*repository, tail_name(stream, {"here", 1, 0, 3}));
  ASSERT_TRUE((*tail)->append(0, log_content(1, 0, 100)).ok());
  ASSERT_TRUE((*tail)->append(101, log_content(1, 101, 200)).ok());
  const auto content = read_tail(*repository, (*tail)->name(), {"here", 1, 0, 3});
  ASSERT_TRUE(content.ok() && content->error);
  EXPECT_THAT(content->error->what, HasSubstr("claims 99 bytes at 101, where 100 should follow"));
}

// What a later version may have written.

class ALaterVersion : public LogFixture {
 protected:
  Bytes tail_with(const Features& features) {
    ObjectSealer sealer(repository->keys(), *random, ObjectType::kTail, random->id<ObjectId>(), name, {},
                        features);
    sealer.append(encode_log_bytes(0, log_content(1, 0, 100), LogCodec::kCompressed));
    sealer.append(as_bytes("\x63 a kind that is not known"));
    sealer.append(encode_log_bytes(100, log_content(1, 100, 200), LogCodec::kRaw));
    return sealer.take();
  }
  TailContent decode(const Features& features) {
    return decode_tail(repository->keys(), name, {"here", 1, 0, 1}, tail_with(features));
  }
  const std::string name = tail_name(stream, {"here", 1, 0, 1});
};

TEST_F(ALaterVersion, MayAddRecordsBehindAnOptionalFeature) {
  EXPECT_EQ(decode({{}, {"marks"}}).bytes, log_content(1, 0, 200));
  EXPECT_FALSE(decode({{}, {"marks"}}).error);
  EXPECT_TRUE(decode({}).error);
}

TEST_F(ALaterVersion, IsRefusedByTheNameOfARequiredFeature) {
  const auto error = decode({{"knots"}, {}}).error;
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kInvalid);
  EXPECT_THAT(error->what, HasSubstr("'knots'"));
}

}  // namespace
}  // namespace daruma
