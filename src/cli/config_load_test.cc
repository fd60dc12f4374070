// Where the configuration and secrets are looked for.

#include <gtest/gtest.h>

#include "cli/run_line.h"
#include "os/files.h"
#include "os/sim_file_system.h"

namespace daruma {
namespace {

constexpr const char* kLeast = "repository: {key: {file: k}, copies: [{name: here, url: 'file:///repo'}]}\n";

class LoadingConfig : public testing::Test {
 protected:
  void write(const Path& path, const std::string& text) {
    ASSERT_TRUE(create_dirs(fs, path.parent_path()).ok());
    ASSERT_TRUE(replace_file(fs, path, as_bytes(text)).ok());
  }
  std::string loaded(std::optional<Path> chosen = {}) {
    const Result<Config> config = load_config(fs, "/site", chosen);
    return config.ok() ? config->file.string() : config.error().what;
  }
  SimFileSystem fs;
};

TEST_F(LoadingConfig, TheChosenFileIsTakenBeforeTheWorkingDirectorysBeforeTheMachines) {
  write("/etc/daruma/daruma.yaml", kLeast);
  EXPECT_EQ(loaded(), "/etc/daruma/daruma.yaml");
  write("/site/daruma.yaml", kLeast);
  EXPECT_EQ(loaded(), "/site/daruma.yaml");
  write("/site/conf/other.yaml", kLeast);
  EXPECT_EQ(loaded("conf/other.yaml"), "/site/conf/other.yaml");
}

TEST_F(LoadingConfig, AChosenFileThatIsNotThereIsAnErrorEvenIfAnotherIs) {
  write("/site/daruma.yaml", kLeast);
  EXPECT_EQ(loaded("other.yaml"), "configuration /site/other.yaml: no such file");
}

TEST_F(LoadingConfig, WithoutAnyTheErrorTellsWhereItLookedAndWhatElseWorks) {
  const Result<Config> config = load_config(fs, "/site", {});
  ASSERT_TRUE(config.is(Errc::kNotFound));
  EXPECT_EQ(config.error().what,
            "no configuration: neither /site/daruma.yaml nor /etc/daruma/daruma.yaml is there");
  EXPECT_EQ(config.error().hint,
            "name it with -c FILE, or the repository itself with --repository URL --key FILE");
}

TEST_F(LoadingConfig, ASecretFileIsReadWithoutItsLineEnd) {
  write("/site/pg", "hunter2\n");
  write("/site/none", "\n");
  EXPECT_EQ(*read_secret(fs, {.file = "/site/pg"}), "hunter2");
  EXPECT_EQ(read_secret(fs, {.file = "/site/none"}).error().what,
            "secret file /site/none is empty; a secret is expected in it");
  EXPECT_EQ(read_secret(fs, {.environment = "DARUMA_NOT_SET"}).error().what,
            "environment variable DARUMA_NOT_SET is not set; a secret is expected in it");
}

// What a whole command line makes of it.
class ConfigOfALine : public LoadingConfig {
 protected:
  Result<Config> config_of(const std::vector<std::string>& words) {
    App app{.fs = fs,
            .clock = clock,
            .random = *random,
            .processes = *processes,
            .out = output,
            .err = output,
            .working_directory = "/site"};
    const ParsedLine line = parse_line(words);
    EXPECT_TRUE(line.invocation.ok());
    return config_for(app, *line.invocation);
  }
  std::string wrong(const std::vector<std::string>& words) {
    const Result<Config> config = config_of(words);
    return config.ok() ? "nothing" : config.error().what;
  }
  ManualClock clock;
  std::unique_ptr<Random> random = seeded_random(1);
  std::unique_ptr<ProcessRunner> processes = real_processes(clock);
  StringOutput output;
};

TEST_F(ConfigOfALine, RepositoryAndKeyNeedNoFileAndABrokenOneDoesNotStandInTheWay) {
  write("/site/daruma.yaml", "broken");
  const Result<Config> config = config_of({"points", "--repository", "file:///mnt/repo", "--key", "keys/k"});
  ASSERT_TRUE(config.ok()) << config.error().what;
  ASSERT_EQ(config->repository.copies.size(), 1u);
  EXPECT_EQ(config->repository.copies[0].url, "file:///mnt/repo");
  EXPECT_EQ(config->repository.key.file, "/site/keys/k");
  EXPECT_EQ(config->state, "/site/.daruma");
  EXPECT_TRUE(config->datastores.empty());
}

TEST_F(ConfigOfALine, ARepositoryTakesThePlaceOfTheCopiesOfTheFileThatIsNamed) {
  write("/site/daruma.yaml",
        std::string(kLeast) + "datastores: {db: {kind: postgres, connection: {}, capture: {}}}");
  const Result<Config> config =
      config_of({"backup", "-c", "daruma.yaml", "--repository", "file:///mnt/repo"});
  ASSERT_TRUE(config.ok()) << config.error().what;
  ASSERT_EQ(config->repository.copies.size(), 1u);
  EXPECT_EQ(config->repository.copies[0].url, "file:///mnt/repo");
  EXPECT_EQ(config->repository.key.file, "/site/k");
  EXPECT_EQ(config->datastores.at(0).capture->acknowledge.copies,
            std::vector<std::string>{config->repository.copies[0].name});
}

TEST_F(ConfigOfALine, AKeyTakesThePlaceOfTheFiles) {
  write("/site/daruma.yaml",
        "repository: {key: {passphrase_env: P}, copies: [{name: here, url: 'file:///r'}]}");
  const Result<Config> config = config_of({"points", "--key", "/usb/k"});
  ASSERT_TRUE(config.ok()) << config.error().what;
  EXPECT_EQ(config->repository.key.file, "/usb/k");
  EXPECT_EQ(config->repository.key.passphrase_environment, "");
}

TEST_F(ConfigOfALine, ARepositoryNeedsItsKeyAndAUrl) {
  EXPECT_EQ(wrong({"points", "--repository", "file:///mnt/repo"}), "--repository without --key");
  EXPECT_EQ(wrong({"points", "--repository", "/mnt/repo", "--key", "k"}),
            "--repository: '/mnt/repo' is not the URL of a copy");
}

}  // namespace
}  // namespace daruma
