#include "runtime/output_log.h"

#include <gmock/gmock.h>

#include <optional>

#include "os/scratch_dir.h"

namespace daruma::runtime {
namespace {

class Log : public testing::Test {
 protected:
  std::string kept(uint32_t lines = 1'000'000) { return last_output(scratch_.fs(), path_, lines); }
  uint64_t size(const std::string& end) {
    const auto info = scratch_.fs().info(path_.native() + end);
    return info.ok() ? info->size : 0;
  }

  ScratchDir scratch_;
  Path path_ = scratch_.path() / "output.log";
  std::optional<OutputLog> log_{std::in_place, scratch_.fs(), path_};
};

TEST_F(Log, KeepsWhatWasPrintedAndGoesOnAfterAReopening) {
  log_->append("one\n");
  log_.emplace(scratch_.fs(), path_);
  log_->append("two\n");
  EXPECT_EQ(kept(), "one\ntwo\n");
}

TEST_F(Log, IsThreeFilesOfTenMebibytesAtMost) {
  const std::string piece(60'000, 'x');
  for (int i = 0; i < 1000; ++i) {
    log_->append(piece);
    ASSERT_LE(size(""), OutputLog::kFileBytesMax);
  }
  log_->append("\nend\n");
  EXPECT_GT(size(".1"), OutputLog::kFileBytesMax - piece.size());
  EXPECT_GT(size(".2"), OutputLog::kFileBytesMax - piece.size());
  EXPECT_EQ(size(".3"), 0u);
  EXPECT_EQ(kept(1), "end\n");
}

TEST_F(Log, LinesReachBackIntoTheOlderFiles) {
  log_->append("older\n");
  ASSERT_TRUE(scratch_.fs().rename(path_, path_.native() + ".1").ok());
  log_.emplace(scratch_.fs(), path_);
  log_->append("newer\n");
  EXPECT_EQ(kept(2), "older\nnewer\n");
  EXPECT_EQ(kept(1), "newer\n");
}

TEST_F(Log, IsReadToOneMebibyteAtMost) {
  const std::string line = std::string(1023, 'x') + "\n";
  for (int i = 0; i < 3000; ++i) log_->append(line);
  EXPECT_EQ(kept().size(), 1u << 20);
}

TEST_F(Log, SaysHowMuchWasLostWhileItCouldNotBeWritten) {
  ASSERT_TRUE(scratch_.fs().create_dir(path_).ok());  // in its way
  log_->append("lost\n");
  log_->append("lost too\n");
  EXPECT_EQ(log_->lost_bytes(), 14u);
  ASSERT_TRUE(scratch_.fs().remove_dir(path_).ok());
  log_->append("kept\n");
  EXPECT_EQ(kept(), "[daruma: 14 bytes of output were lost here: the log could not be written]\nkept\n");
  EXPECT_EQ(log_->lost_bytes(), 0u);
}

TEST_F(Log, IsEmptyWhereThereIsNone) { EXPECT_EQ(kept(), ""); }

TEST(LastLines, AreWholeLinesFromTheEnd) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(last_lines("a\nb\nc", 2), "b\nc");
  EXPECT_EQ(last_lines("a\nb\n", 2), "a\nb\n");
  EXPECT_EQ(last_lines("a\nb\n", 9), "a\nb\n");
  EXPECT_EQ(last_lines("\n\n\n", 2), "\n\n");
  EXPECT_EQ(last_lines("a\n", 0), "");
  EXPECT_EQ(last_lines("", 3), "");
}

}  // namespace
}  // namespace daruma::runtime
