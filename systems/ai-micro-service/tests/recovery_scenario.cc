// The shipped plans of ai-micro-service, for real: the seven parts run, something is really broken, and
// `daruma recover` has to make it right. One system for all of them: each test leaves it well.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>

#include "kept_system.h"
#include "os/environment.h"
#include "os/files.h"

namespace aimicro {
namespace {

using daruma::Duration;
using daruma::Path;
using daruma::ProcessExit;
using daruma::Value;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kPassword = "a long phrase to keep";
constexpr const char* kAll[] = {"postgres",      "redis",      "auth-service", "user-service",
                                "admin-service", "front-user", "front-admin"};
constexpr const char* kOwner = "owner@example.com";
constexpr int kRunTakes = 15'000;  // milliseconds, about

class Recovery : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    kept_ = std::make_unique<KeptSystem>();
    ASSERT_EQ(register_as(kOwner), 201);
    kept_->dump("20251121_030000");
    // A newer one that a full disk cut off: it must be passed over.
    const Path cut = kept_->backups() / "all_databases_20251122_030000.sql.gz";
    stdfs::copy_file(kept_->backups() / "all_databases_20251121_030000.sql.gz", cut);
    stdfs::resize_file(cut, stdfs::file_size(cut) / 2);
    in_the_backup_ = kept_->counts();
  }
  static void TearDownTestSuite() { kept_.reset(); }

  static KeptSystem& system() { return *kept_; }
  static int register_as(const std::string& email) {
    return kept_->ask("auth-service", "POST", "/auth/register", {}, account(email)).status;
  }
  static std::string account(const std::string& email) {
    return fmt::format(R"({{"email": "{}", "password": "{}"}})", email, kPassword);
  }
  static int log_in(const std::string& email) {
    return kept_->ask("auth-service", "POST", "/auth/login", {}, account(email)).status;
  }

  static std::vector<std::string> words(std::vector<std::string> first,
                                        const std::vector<std::string>& more = {}) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
  }
  static std::vector<std::string> recover_postgres(const std::vector<std::string>& more = {}) {
    return words(words({"recover", "postgres-corruption"}, system().from_backups()), more);
  }
  static std::vector<Path> set_aside() {
    std::vector<Path> found;
    for (const auto& entry : stdfs::directory_iterator(system().home() / "data"))
      if (entry.path().filename().native().starts_with("postgres.damaged-")) found.push_back(entry.path());
    return found;
  }
  static std::vector<std::vector<int>> all_pids() {
    std::vector<std::vector<int>> pids;
    for (const char* service : kAll) pids.push_back(system().status(service).pids);
    return pids;
  }
  static Value step_of(const Value& run, std::string_view id) {
    for (const Value& step : *run.find("steps")->list())
      if (step.text_at("step") == id) return step;
    ADD_FAILURE() << "no step " << id;
    return {};
  }
  static std::string text_of(const Path& file) {
    const auto bytes = daruma::read_file(system().fs(), file, 64 << 20);
    return bytes.ok() ? std::string(daruma::as_text(*bytes)) : "";
  }
  static void expect_recovered() {
    system().wait_for_health();
    EXPECT_EQ(system().counts(), in_the_backup_);
    EXPECT_EQ(log_in(kOwner), 200);
    for (const char* service : kAll)
      EXPECT_EQ(system().status(service).state, daruma::runtime::State::kRunning) << service;
  }

  static std::unique_ptr<KeptSystem> kept_;
  static std::string in_the_backup_;
};
std::unique_ptr<KeptSystem> Recovery::kept_;
std::string Recovery::in_the_backup_;

TEST_F(Recovery, AnAuthServiceThatStayedDownIsRestartedAndLetsPeopleInAgain) {
  system().stop("auth-service");
  ASSERT_NE(log_in(kOwner), 200);
  const size_t told = system().slack().requests().size();

  const ProcessExit done = system().daruma({"recover", "auth-service-down"});

  EXPECT_EQ(done.code, 0) << done.output;
  EXPECT_EQ(log_in(kOwner), 200);
  const Value run = system().run(system().newest_run());
  EXPECT_EQ(step_of(run, "recreate").text_at("state"), "skipped");
  EXPECT_EQ(step_of(run, "redis").text_at("state"), "succeeded");
  ASSERT_THAT(system().slack().requests(), SizeIs(told + 1));
  EXPECT_THAT(system().slack().requests().back().body, HasSubstr("復旧しました"));
}

TEST_F(Recovery, AnAuthServiceWithoutItsDatabaseIsNotCalledRecoveredAndTheNextPlanIsNamed) {
  system().stop("postgres");
  const ProcessExit done = system().daruma({"recover", "auth-service-down"});

  EXPECT_EQ(done.code, 1) << done.output;
  EXPECT_THAT(done.output, HasSubstr("daruma recover postgres-corruption"));
  const Value run = system().run(system().newest_run());
  EXPECT_EQ(step_of(run, "postgres").text_at("state"), "failed");
  EXPECT_EQ(step_of(run, "recovered").text_at("state"), "waiting");
  EXPECT_THAT(system().slack().requests().back().body,
              AllOf(HasSubstr("復旧は未完了です"), Not(HasSubstr("復旧しました"))));

  system().start("postgres");
  system().start("auth-service");
  system().wait_for_health();
}

TEST_F(Recovery, ACorruptPostgresComesBackFromTheNewestBackupThatIsWhole) {
  ASSERT_EQ(register_as("newcomer@example.com"), 201);
  system().corrupt_postgres();
  const size_t told = system().slack().requests().size();
  const size_t aside = set_aside().size();

  const ProcessExit done = system().daruma(recover_postgres({"--yes"}));

  ASSERT_EQ(done.code, 0) << done.output;
  expect_recovered();
  EXPECT_EQ(log_in("newcomer@example.com"), 401) << "came after the backup";
  const Value run = system().run(system().newest_run());
  const Value backup = *step_of(run, "backup").find("outputs");
  EXPECT_THAT(backup.text_at("file"), HasSubstr("all_databases_20251121_030000.sql.gz"));
  EXPECT_THAT(*backup.find("passed_over")->list(), SizeIs(1)) << "the newer one, which was cut off";
  EXPECT_GT(step_of(run, "sessions").find("outputs")->integer_at("deleted"), 0);

  ASSERT_THAT(set_aside(), SizeIs(aside + 1)) << "the damaged data";
  EXPECT_TRUE(stdfs::exists(set_aside().back() / "PG_VERSION"));
  const Value evidence = *step_of(run, "record").find("outputs");
  EXPECT_THAT(text_of(evidence.text_at("manifest")),
              AllOf(HasSubstr("postgres.log"), HasSubstr("\"sha256\"")));
  const Value report = *step_of(run, "finish.report").find("outputs");
  EXPECT_THAT(text_of(report.text_at("ja")), HasSubstr("PostgreSQL データ破損"));
  EXPECT_THAT(text_of(report.text_at("en")), HasSubstr("PostgreSQL data corrupt"));
  ASSERT_THAT(system().slack().requests(), SizeIs(told + 1));
  EXPECT_THAT(system().slack().requests().back().body, HasSubstr("復旧しました"));
}

TEST_F(Recovery, WhoeverAbortsWhenAllIsStoppedGetsEverythingBackAsItWas) {
  const std::string counts = system().counts(), keys = system().redis_keys();
  const auto cluster = [] {
    return system().sql("postgres", "SELECT system_identifier FROM pg_control_system()");
  };
  const std::string before = cluster(), earlier = system().newest_run();
  const auto recovering = system().begin(recover_postgres({"--yes"}));
  system().wait_until("the data is set aside", [&] {
    const std::string id = system().newest_run();
    return id != earlier && step_of(system().run(id), "set-aside").text_at("state") == "succeeded";
  });

  EXPECT_EQ(system().daruma({"abort", system().newest_run(), "--reason", "it was the disk"}).code, 0);
  const auto ended = recovering->wait(system().clock().after(120s));

  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->code, 1) << ended->output;
  EXPECT_THAT(ended->output, HasSubstr("it was the disk"));
  system().wait_until("PostgreSQL answers", [&] { return !cluster().empty(); });
  EXPECT_EQ(cluster(), before) << "the data that was set aside is back";
  EXPECT_EQ(system().counts(), counts);
  EXPECT_EQ(system().redis_keys(), keys);
  system().wait_for_health();
}

TEST_F(Recovery, WhoeverRejectsFindsProductionAsItWas) {
  const auto pids = all_pids();
  const std::string counts = system().counts(), keys = system().redis_keys();
  const size_t aside = set_aside().size();
  const auto recovering = system().begin(recover_postgres());
  const std::string before = system().newest_run();
  system().wait_until("the run asks", [&] {
    const std::string id = system().newest_run();
    return id != before && !id.empty() && system().run(id).text_at("state") == "waits for a person";
  });

  const std::string id = system().newest_run();
  EXPECT_EQ(system().daruma({"approve", id, "confirm", "--reject", "--reason", "not tonight"}).code, 0);
  const auto ended = recovering->wait(system().clock().after(60s));

  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->code, 1) << ended->output;
  EXPECT_THAT(ended->output,
              AllOf(HasSubstr("not tonight"), HasSubstr("all_databases_20251121_030000.sql.gz")));
  EXPECT_EQ(all_pids(), pids) << "nothing was stopped";
  EXPECT_EQ(system().counts(), counts);
  EXPECT_EQ(system().redis_keys(), keys);
  EXPECT_THAT(set_aside(), SizeIs(aside));
}

// Every file but PostgreSQL's own, logs, and what running services count in: name, time, size and bytes.
std::set<std::string> picture(const Path& root) {
  std::set<std::string> all;
  for (auto it = stdfs::recursive_directory_iterator(root); it != stdfs::recursive_directory_iterator();
       ++it) {
    const Path& path = it->path();
    if (path == root / "data" / "postgres" || path == root / "bin") it.disable_recursion_pending();
    if (!it->is_regular_file() || path.extension() == ".log" || path.extension() == ".region") continue;
    const auto bytes = daruma::read_file(*daruma::real_file_system(), path, 64 << 20);
    all.insert(fmt::format("{} {} {} {}", path.native(), it->last_write_time().time_since_epoch().count(),
                           it->file_size(),
                           bytes.ok() ? std::hash<std::string_view>()(daruma::as_text(*bytes)) : 0));
  }
  return all;
}

std::vector<std::string> changes(const std::set<std::string>& before, const std::set<std::string>& after) {
  std::vector<std::string> changed;
  std::ranges::set_symmetric_difference(before, after, std::back_inserter(changed));
  return changed;
}

TEST_F(Recovery, ADryRunOfEitherPlanChangesNothing) {
  static constexpr const char* kEverything =
      "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t";
  const auto data = [&] {
    return system().sql("postgres", "SELECT system_identifier FROM pg_control_system()") + " " +
           system().sql("authdb", fmt::format(kEverything, "users")) + " " +
           system().sql("apidb", fmt::format(kEverything, "profiles")) + " " +
           system().sql("admindb", fmt::format(kEverything, "documents"));
  };
  const auto files = picture(system().home());
  const std::string rows = data(), counts = system().counts(), keys = system().redis_keys();
  const auto pids = all_pids();
  const size_t told = system().slack().requests().size();

  for (const auto& arguments : {words({"recover", "auth-service-down"}), recover_postgres()}) {
    const ProcessExit done = system().daruma(words(arguments, {"--dry-run"}));
    EXPECT_EQ(done.code, 0) << done.output;
    EXPECT_THAT(done.output, HasSubstr("nothing was done"));
  }

  EXPECT_THAT(changes(files, picture(system().home())), IsEmpty());
  EXPECT_EQ(data(), rows);
  EXPECT_EQ(system().counts(), counts);
  EXPECT_EQ(system().redis_keys(), keys);
  EXPECT_EQ(all_pids(), pids);
  EXPECT_THAT(system().slack().requests(), SizeIs(told));
}

// DARUMA_KILLS times, at moments that DARUMA_SEED chooses.
TEST_F(Recovery, ARunWhoseDarumaIsKilledAtAnyMomentIsFinishedByResume) {
  const int kills = std::stoi(daruma::environment_variable("DARUMA_KILLS").value_or("3"));
  const uint64_t seed = std::stoull(daruma::environment_variable("DARUMA_SEED").value_or("20261122"));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> moment(0, kRunTakes);
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {} of {}, DARUMA_SEED={}", i + 1, kills, seed));
    system().corrupt_postgres();
    const size_t told = system().slack().requests().size();
    const std::string before = system().newest_run();
    const auto recovering = system().begin(recover_postgres({"--yes"}));
    system().clock().pause(std::chrono::milliseconds(moment(random)));
    static_cast<void>(recovering->signal(SIGKILL));
    static_cast<void>(recovering->wait(system().clock().after(10s)));

    const std::string id = system().newest_run();
    const ProcessExit done = system().daruma(id == before ? recover_postgres({"--yes"})
                                                          : std::vector<std::string>{"resume", id, "--yes"});

    ASSERT_EQ(done.code, 0) << done.output;
    expect_recovered();
    EXPECT_THAT(system().slack().requests(), SizeIs(told + 1));
  }
}

}  // namespace
}  // namespace aimicro
