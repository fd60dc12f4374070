// Where the configuration and secrets are looked for.

#include <gtest/gtest.h>

#include "cli/config.h"
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
    const Result<Config> config = load_config(fs, "/work", chosen);
    return config.ok() ? config->file.string() : config.error().what;
  }
  SimFileSystem fs;
};

TEST_F(LoadingConfig, TheChosenFileIsTakenBeforeTheWorkingDirectorysBeforeTheMachines) {
  write("/etc/daruma/daruma.yaml", kLeast);
  EXPECT_EQ(loaded(), "/etc/daruma/daruma.yaml");
  write("/work/daruma.yaml", kLeast);
  EXPECT_EQ(loaded(), "/work/daruma.yaml");
  write("/work/conf/other.yaml", kLeast);
  EXPECT_EQ(loaded("conf/other.yaml"), "/work/conf/other.yaml");
}

TEST_F(LoadingConfig, AChosenFileThatIsNotThereIsAnErrorEvenIfAnotherIs) {
  write("/work/daruma.yaml", kLeast);
  EXPECT_EQ(loaded("other.yaml"), "configuration /work/other.yaml: no such file");
}

TEST_F(LoadingConfig, WithoutAnyTheErrorTellsWhereItLookedAndWhatElseWorks) {
  const Result<Config> config = load_config(fs, "/work", {});
  ASSERT_TRUE(config.is(Errc::kNotFound));
  EXPECT_EQ(config.error().what,
            "no configuration: neither /work/daruma.yaml nor /etc/daruma/daruma.yaml is there");
  EXPECT_EQ(config.error().hint,
            "name it with -c FILE, or the repository itself with --repository URL --key FILE");
}

TEST_F(LoadingConfig, ASecretFileIsReadWithoutItsLineEnd) {
  write("/work/pg", "hunter2\n");
  write("/work/none", "\n");
  EXPECT_EQ(*read_secret(fs, {.file = "/work/pg"}), "hunter2");
  EXPECT_EQ(read_secret(fs, {.file = "/work/none"}).error().what,
            "secret file /work/none is empty; a secret is expected in it");
  EXPECT_EQ(read_secret(fs, {.environment = "DARUMA_NOT_SET"}).error().what,
            "environment variable DARUMA_NOT_SET is not set; a secret is expected in it");
}

}  // namespace
}  // namespace daruma
