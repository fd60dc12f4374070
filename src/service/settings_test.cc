// How a service is told what to do: by its file, its environment and its command line, and how it says what
// is wrong with them.
#include "service/settings.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "os/files.h"
#include "os/sim_file_system.h"

namespace daruma::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::vector<Setting> kTable{
    {"host", SettingKind::kText, "127.0.0.1", "where to listen"},
    {"port", SettingKind::kNumber, "3000", "the TCP port"},
    {"drain", SettingKind::kDuration, "10s", "time for what runs to finish"},
    {"pinned", SettingKind::kSwitch, "off", "pin the date"},
    {"logs", SettingKind::kPath, "logs", "directory of the logs"},
    {"postgres.host", SettingKind::kText, "", "the database's host"},
    {"postgres.port", SettingKind::kNumber, "5432", "the database's port"},
    {"token.secret", SettingKind::kSecret, "", "signs tokens"},
};

class SettingsTest : public testing::Test {
 protected:
  ~SettingsTest() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
  }
  void file(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(disk_, "/" + name, as_bytes(text)).ok());
  }
  void variable(const std::string& name, const std::string& value) {
    set_.push_back("STAY_" + name);
    ASSERT_EQ(::setenv(set_.back().c_str(), value.c_str(), 1), 0);
  }
  Result<Settings> load(const std::vector<std::string>& arguments = {}) {
    return Settings::load(table_, "STAY", arguments, disk_);
  }
  std::string error(const std::vector<std::string>& arguments = {}) {
    const auto loaded = load(arguments);
    if (loaded.ok()) return "no error";
    EXPECT_EQ(loaded.error().code, Errc::kInvalid);
    return loaded.error().what;
  }
  std::string error_of_file(const std::string& text) {
    file("a.yaml", text);
    return error({"--config", "/a.yaml"});
  }

  std::vector<Setting> table_ = kTable;
  SimFileSystem disk_;
  std::vector<std::string> set_;
};

TEST_F(SettingsTest, WhatNobodySetsHasItsDefault) {
  const Settings settings = *load();
  EXPECT_EQ(settings.text("host"), "127.0.0.1");
  EXPECT_EQ(settings.number("port"), 3000);
  EXPECT_EQ(settings.duration("drain"), 10s);
  EXPECT_FALSE(settings.on("pinned"));
  EXPECT_EQ(settings.path("logs"), "logs");
  EXPECT_EQ(settings.secret("token.secret"), "");
}

TEST_F(SettingsTest, TheCommandLineWinsThenTheEnvironmentThenTheFile) {
  file("a.yaml", "host: file\nport: 1\npostgres: {host: file, port: 1}\n");
  variable("PORT", "2");
  variable("POSTGRES_HOST", "environment");
  variable("POSTGRES_PORT", "2");
  const Settings settings = *load({"--config", "/a.yaml", "--postgres.port", "3"});
  EXPECT_EQ(settings.text("host"), "file");
  EXPECT_EQ(settings.number("port"), 2);
  EXPECT_EQ(settings.text("postgres.host"), "environment");
  EXPECT_EQ(settings.number("postgres.port"), 3);
}

TEST_F(SettingsTest, AFileMayNestOrDotItsNames) {
  file("nested.yaml", "postgres:\n  host: nested\n");
  file("dotted.yaml", "postgres.host: dotted\n");
  file("empty.yaml", "# nothing yet\n");
  EXPECT_EQ(load({"--config=/nested.yaml"})->text("postgres.host"), "nested");
  EXPECT_EQ(load({"--config=/dotted.yaml"})->text("postgres.host"), "dotted");
  EXPECT_TRUE(load({"--config=/empty.yaml"}).ok());
}

TEST_F(SettingsTest, ARelativePathInAFileStandsOnItsFolder) {
  ASSERT_TRUE(disk_.create_dir("/etc", 0755).ok());
  file("etc/a.yaml", "logs: ../logs\n");
  EXPECT_EQ(load({"--config", "/etc/a.yaml"})->path("logs"), "/logs");
  EXPECT_EQ(load({"--config", "/etc/a.yaml", "--logs", "here"})->path("logs"), "here");
}

TEST_F(SettingsTest, AnEmptyVariableCountsAsAbsent) {
  variable("PORT", "");
  EXPECT_EQ(load()->number("port"), 3000);
}

TEST_F(SettingsTest, OptionsAreWrittenInSeveralWays) {
  EXPECT_EQ(load({"--port=1"})->number("port"), 1);
  EXPECT_EQ(load({"--port", "1"})->number("port"), 1);
  EXPECT_EQ(load({"--drain", "1m30s"})->duration("drain"), 90s);
  table_.push_back({"idle_time", SettingKind::kDuration, "60s", ""});
  EXPECT_EQ(load({"--idle-time", "1s"})->duration("idle_time"), 1s);
}

TEST_F(SettingsTest, ASwitchMayStandAlone) {
  EXPECT_TRUE(load({"--pinned"})->on("pinned"));
  EXPECT_TRUE(load({"--pinned", "--port", "1"})->on("pinned"));
  EXPECT_FALSE(load({"--pinned", "off"})->on("pinned"));
  EXPECT_FALSE(load({"--pinned=no"})->on("pinned"));
  EXPECT_THAT(load({"--pinned", "migrate"})->rest(), ElementsAre("migrate"));
}

TEST_F(SettingsTest, ACommandKeepsItsOwnArgumentsAndLeavesUsOurs) {
  const Settings settings = *load({"--port", "1", "token", "--role", "operator", "--host", "x"});
  EXPECT_THAT(settings.rest(), ElementsAre("token", "--role", "operator"));
  EXPECT_EQ(settings.text("host"), "x");
  EXPECT_THAT(load({"token", "--", "--host", "x"})->rest(), ElementsAre("token", "--host", "x"));
}

TEST_F(SettingsTest, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestKnownOne) {
  EXPECT_EQ(error_of_file("host: x\nprot: 1\n"), "/a.yaml:2:1: unknown setting 'prot'; did you mean 'port'?");
  EXPECT_EQ(error_of_file("postgres:\n  hots: x\n"),
            "/a.yaml:2:3: unknown setting 'postgres.hots'; did you mean 'postgres.host'?");
  EXPECT_EQ(error({"--prot", "1"}), "--prot: unknown option; did you mean 'port'?");
  EXPECT_EQ(error({"--confg", "/a"}), "--confg: unknown option; did you mean 'config'?");
  EXPECT_THAT(error({"-p"}), HasSubstr("-p: unknown option; allowed: config, host, port"));
}

TEST_F(SettingsTest, AValueOfTheWrongKindIsNamedWithItsPlace) {
  EXPECT_EQ(error_of_file("port: many\n"), "/a.yaml:1:7: port: 'many' is not a whole number");
  EXPECT_EQ(error_of_file("port: 1.5\n"), "/a.yaml:1:7: port: '1.5' is not a whole number");
  EXPECT_EQ(error_of_file("port: [1]\n"), "/a.yaml:1:7: port: want one value");
  EXPECT_EQ(error_of_file("postgres: 5\n"), "/a.yaml:1:11: postgres: want settings, as NAME: VALUE");
  EXPECT_EQ(
      error({"--drain", "10"}),
      "--drain: '10' is not a duration; write a number with its unit, as in 250ms, 90s, 6h, 7d or 1h30m");
  EXPECT_EQ(error({"--pinned=maybe"}), "--pinned: 'maybe' is neither on nor off");
  EXPECT_EQ(error({"--port"}), "--port: a value is missing");
  EXPECT_EQ(error({"--port", "99999999999999999999"}),
            "--port: '99999999999999999999' is not a whole number");
  variable("PORT", "3000x");
  EXPECT_EQ(error(), "STAY_PORT: port: '3000x' is not a whole number");
}

TEST_F(SettingsTest, AValueThatIsOverruledMayBeWrong) {
  variable("PORT", "many");
  EXPECT_EQ(load({"--port", "1"})->number("port"), 1);
}

TEST_F(SettingsTest, OneStartTellsEverythingThatIsWrong) {
  file("a.yaml", "prot: 1\ndrain: soon\n");
  const std::string told = error({"--config", "/a.yaml", "--pinned=maybe", "--hots", "x"});
  EXPECT_THAT(told, HasSubstr("'prot'"));
  EXPECT_THAT(told, HasSubstr("'soon'"));
  EXPECT_THAT(told, HasSubstr("'maybe'"));
  EXPECT_THAT(told, HasSubstr("--hots"));
}

TEST_F(SettingsTest, WhatIsNotAFileOfSettingsIsRefused) {
  EXPECT_THAT(error_of_file("a: [1\n"), HasSubstr("/a.yaml:2:1: not YAML: "));
  EXPECT_EQ(error_of_file("port: 1\nport: 2\n"), "/a.yaml:2:1: 'port' is there twice, first at /a.yaml:1:7");
  EXPECT_EQ(error_of_file("- port\n"), "/a.yaml:1:1: the file: want settings, as NAME: VALUE");
  EXPECT_EQ(error_of_file("? [a]\n: 1\n"), "/a.yaml:1:3: a key must be text");
  EXPECT_EQ(error({"--config", "/missing"}), "--config: cannot open '/missing': No such file or directory");
}

TEST_F(SettingsTest, ARequiredSettingMustBeGiven) {
  table_.push_back({"name", SettingKind::kText, "", "", true});
  EXPECT_EQ(error(), "name: must be given: set STAY_NAME");
  EXPECT_EQ(load({"--name", "x"})->text("name"), "x");
  table_.back() = {"key", SettingKind::kSecret, "", "", true};
  EXPECT_EQ(
      error(),
      "key: must be given: set STAY_KEY, or name a file that holds it with STAY_KEY_FILE or --key_file");
}

TEST_F(SettingsTest, ASecretComesFromTheEnvironmentOrAFile) {
  file("secret", "from a file\n");
  file("a.yaml", "token.secret_file: secret\n");
  EXPECT_EQ(load({"--config", "/a.yaml"})->secret("token.secret"), "from a file");
  EXPECT_EQ(load({"--token.secret_file", "/secret"})->secret("token.secret"), "from a file");
  variable("TOKEN_SECRET", "from the environment");
  EXPECT_EQ(load({"--config", "/a.yaml"})->secret("token.secret"), "from the environment");
}

TEST_F(SettingsTest, TheVariableOfASecretMayNameItsFile) {
  file("secret", "from a file\n");
  variable("TOKEN_SECRET_FILE", "/secret");
  EXPECT_EQ(load()->secret("token.secret"), "from a file");
  variable("TOKEN_SECRET", "both");
  EXPECT_THAT(error(), HasSubstr("STAY_TOKEN_SECRET: is set, and so is the file"));
}

TEST_F(SettingsTest, ASecretIsNeverTakenFromWhereOthersReadIt) {
  EXPECT_THAT(error({"--token.secret", "hunter2"}), HasSubstr("does not belong on the command line"));
  EXPECT_THAT(error_of_file("token: {secret: hunter2}\n"),
              HasSubstr("/a.yaml:1:9: 'token.secret' is a secret"));
}

TEST_F(SettingsTest, NoErrorAndNoHelpShowsASecret) {
  variable("PORT", "x");
  variable("TOKEN_SECRET", "hunter2");
  table_[7].fallback = "hunter2";
  EXPECT_THAT(error(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error({"--token.secret=hunter2"}), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error_of_file("token: {secret: hunter2}\n"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(help_of(table_, "STAY"), Not(HasSubstr("hunter2")));
}

TEST_F(SettingsTest, AFileOfASecretMustHoldOne) {
  file("secret", "\n");
  EXPECT_EQ(error({"--token.secret_file", "/secret"}), "--token.secret_file: the file '/secret' is empty");
  EXPECT_THAT(error({"--token.secret_file", "/missing"}), HasSubstr("No such file"));
}

TEST_F(SettingsTest, TheHelpShowsEverySettingWithItsDefaultAndItsVariable) {
  const std::string help = help_of(kTable, "STAY");
  EXPECT_THAT(help, HasSubstr("  --port NUMBER             the TCP port (default: 3000)\n"));
  EXPECT_THAT(
      help,
      HasSubstr("  --token.secret_file PATH  signs tokens (a secret: its file; or set STAY_TOKEN_SECRET)\n"));
  EXPECT_THAT(help, HasSubstr("--host is STAY_HOST"));
}

using SettingsDeathTest = SettingsTest;

TEST_F(SettingsDeathTest, AskingForWhatIsNotInTheTableIsABug) {
  const Settings settings = *load();
  EXPECT_DEATH(static_cast<void>(settings.text("prot")), "bug");
  EXPECT_DEATH(static_cast<void>(settings.number("host")), "bug");
}

}  // namespace
}  // namespace daruma::service
