#include "datastore/postgres/recovery_config.h"

#include <gmock/gmock.h>

namespace daruma::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

RecoveryPoint stop_before(uint64_t lsn) {
  RecoveryPoint point;
  point.timeline = 2;
  point.stop_before = Lsn{lsn};
  return point;
}

TEST(OldRecoverySettings, BecomeCommentsAndEverythingElseStays) {
  EXPECT_EQ(without_recovery_settings("port = 5433\n  Recovery_Target_Time='2026-01-01'\nshared_buffers=1GB"),
            "port = 5433\n# set aside by daruma restore:   Recovery_Target_Time='2026-01-01'\n"
            "shared_buffers=1GB");
}

TEST(OldRecoverySettings, IncludeThePlacesOfTheOldServersFiles) {
  for (const std::string setting :
       {"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file"})
    EXPECT_EQ(without_recovery_settings(setting + " = '/old'\n"),
              "# set aside by daruma restore: " + setting + " = '/old'\n");
}

TEST(ARecoveryBlock, EmptiesEveryOtherTargetBeforeItsOwn) {
  const std::string block = recovery_block(stop_before(0x3000148), Then::kPromote, "get %f");
  const size_t own = block.find("recovery_target_lsn = '0/3000148'\n");
  ASSERT_NE(own, std::string::npos);
  for (const std::string other :
       {"recovery_target = ''\n", "recovery_target_name = ''\n", "recovery_target_time = ''\n",
        "recovery_target_xid = ''\n", "recovery_target_lsn = ''\n", "recovery_min_apply_delay = '0'\n"})
    EXPECT_LT(block.find(other), own) << other;
  EXPECT_THAT(block, HasSubstr("recovery_target_inclusive = 'off'\n"));
}

TEST(ARecoveryBlock, HasNoTargetWhenItRecoversToTheEndAndPromotes) {
  RecoveryPoint point;
  point.timeline = 1;
  point.last_record = Lsn{0x3000148};
  EXPECT_THAT(recovery_block(point, Then::kPromote, "get %f"), Not(HasSubstr("0/3000148")));
  EXPECT_THAT(recovery_block(point, Then::kPause, "get %f"),
              HasSubstr("recovery_target_inclusive = 'on'\nrecovery_target_lsn = '0/3000148'\n"));
}

TEST(ARecoveryBlock, LetsReadersInOnlyWhenItIsToPause) {
  for (const Then then : {Then::kPromote, Then::kShutdown})
    EXPECT_THAT(recovery_block(stop_before(1), then, "get %f"), HasSubstr("hot_standby = 'off'\n"));
  EXPECT_THAT(recovery_block(stop_before(1), Then::kPause, "get %f"), HasSubstr("hot_standby = 'on'\n"));
}

TEST(ARestoreCommand, SurvivesQuotesBackslashesAndPercentSigns) {
  EXPECT_EQ(quote_shell("/a b/it's 100%"), "'/a b/it'\\''s 100%%'");
  EXPECT_EQ(quote_setting("'/a\\b' %f"), "'''/a\\\\b'' %f'");
}

}  // namespace
}  // namespace daruma::postgres
