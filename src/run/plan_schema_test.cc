// The documents of the plan language say what the tables say.

#include "run/plan_schema.h"

#include <gmock/gmock.h>

#include "os/files.h"
#include "run/check.h"

namespace daruma::run {
namespace {

using testing::HasSubstr;

std::string committed(const std::string& name) {
  const std::unique_ptr<FileSystem> fs = real_file_system();
  const Result<Bytes> bytes = read_file(*fs, Path(DARUMA_SOURCE_DIR) / name, 1 << 20);
  return bytes.ok() ? std::string(as_text(*bytes)) : bytes.error().what;
}

void expect_committed(const std::string& text, const std::string& name) {
  const std::unique_ptr<FileSystem> fs = real_file_system();
  const Path written = Path(testing::TempDir()) / Path(name).filename();
  ASSERT_TRUE(replace_file(*fs, written, as_bytes(text)).ok());
  EXPECT_TRUE(committed(name) == text) << "cp " << written.native() << " " << name;
}

// The part of a page between two lines that stand there for the first time.
std::string between(const std::string& page, const std::string& begin, const std::string& end) {
  const size_t from = page.find(begin);
  if (from == std::string::npos) return "";
  return page.substr(from + begin.size(), page.find(end, from) - from - begin.size());
}

TEST(PlanDocuments, TheReferenceIsTheOneOfTheTables) {
  const std::string page = committed("docs/plan-language.md");
  const std::string people = page.substr(0, page.find("## Every setting\n"));
  expect_committed(people + plan_reference(), "docs/plan-language.md");
}

TEST(PlanDocuments, TheExampleIsAPlan) {
  const std::string example = between(committed("docs/plan-language.md"), "```yaml\n", "```\n");
  const auto plan = parse_plan(example, "example.yaml");
  ASSERT_TRUE(plan.ok()) << plan.error().what;
  for (const Finding& finding : check_plan(*plan, {.types = step_types()}))
    EXPECT_NE(finding.severity, Severity::kError) << to_line(finding, "example.yaml");
}

TEST(PlanDocuments, TheSchemaKnowsWhatStepsTake) {
  constexpr InputRow kInputs[] = {{"service", InputRow::Kind::kService, true, {}, "which"}};
  const StepType kTypes[] = {{.name = "service.restart", .summary = "", .inputs = kInputs}};
  const auto schema = parse_json(plan_schema(kTypes));
  ASSERT_TRUE(schema.ok());
  const Value* step = schema->find("properties")->find("steps")->find("additionalProperties");
  EXPECT_EQ(to_json(*step->find("properties")->find("do")->find("enum")), "[\"service.restart\"]");
  EXPECT_EQ(
      to_json(*step->find("allOf")),
      "[{\"if\":{\"properties\":{\"do\":{\"const\":\"service.restart\"}}},\"then\":{\"properties\":{\"with\":"
      "{"
      "\"additionalProperties\":false,\"properties\":{\"service\":{\"description\":\"service: which\"}},"
      "\"required\":[\"service\"]}}}}]");
}

}  // namespace
}  // namespace daruma::run
