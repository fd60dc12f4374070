// What plans there are, when some files are not plans, or have the name of another.
#include "run/library.h"

#include <gmock/gmock.h>

#include "os/files.h"
#include "os/sim_file_system.h"

namespace daruma::run {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Plans : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& name) {
    ASSERT_TRUE(create_dirs(fs_, "/plans").ok());
    const std::string text = "plan: " + name + "\ntitle: {ja: 題, en: t}\nsteps: {a: {do: report}}\n";
    ASSERT_TRUE(replace_file(fs_, Path("/plans") / file, as_bytes(text)).ok());
  }
  Library library() { return *load_library(fs_, "/", {"plans/*.yaml"}); }

  SimFileSystem fs_;
};

TEST_F(Plans, OfADoubledNameBothFilesAreToldAndTheOtherPlansStay) {
  write("good.yaml", "good");
  write("good-old.yaml", "good");
  write("other.yaml", "other");
  const Library all = library();
  EXPECT_TRUE(all.find("other").ok());
  const auto good = all.find("good");
  ASSERT_TRUE(good.is(Errc::kInvalid));
  EXPECT_THAT(good.error().what, AllOf(HasSubstr("2 plans are named 'good'"), HasSubstr("/plans/good.yaml"),
                                       HasSubstr("/plans/good-old.yaml")));
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_EQ(all.bad[0].name, "good");
}

TEST_F(Plans, AFileThatIsNoPlanIsToldByItsName) {
  write("other.yaml", "other");
  ASSERT_TRUE(replace_file(fs_, "/plans/broken.yaml", as_bytes("- no plan")).ok());
  EXPECT_TRUE(library().find("broken").is(Errc::kInvalid));
  EXPECT_TRUE(library().find("nobody").is(Errc::kNotFound));
}

}  // namespace
}  // namespace daruma::run
