#include <gtest/gtest.h>

#include <set>

#include "os/files.h"
#include "run/plan_schema.h"
#include "run/step_type.h"

namespace daruma::run {
namespace {

TEST(StepTypes, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const StepType& type : step_types()) {
    EXPECT_TRUE(names.insert(type.name).second) << type.name;
    EXPECT_EQ(find_step_type(type.name), &type);
  }
  EXPECT_EQ(find_step_type("service.explode"), nullptr);
}

TEST(StepTypes, EachSaysWhatItDoes) {
  for (const StepType& type : step_types()) {
    EXPECT_FALSE(type.summary.empty()) << type.name;
    EXPECT_FALSE(type.summary.ends_with('.')) << type.name;
    for (const InputRow& row : type.inputs)
      EXPECT_TRUE(!row.help.empty() && !(row.required && !row.standard.empty()))
          << type.name << " " << row.name;
  }
}

TEST(StepTypes, WhatActsIsBoundedPreviewedAndKnownAfterACrash) {
  for (const StepType& type : step_types()) {
    if (type.act == nullptr) continue;
    EXPECT_GT(type.timeout.count(), 0) << type.name;
    EXPECT_NE(type.preview, nullptr) << type.name;
    EXPECT_NE(type.by_hand, nullptr) << type.name;
    EXPECT_EQ(type.reconcile != nullptr, type.after_crash == AfterCrash::kReconcile) << type.name;
    if (type.effect == Effect::kObserve) {
      EXPECT_EQ(type.after_crash, AfterCrash::kAgain) << type.name;
      EXPECT_EQ(type.undo, nullptr) << type.name;
    }
  }
}

TEST(StepTypes, TheCommittedReferenceIsWhatTheTableSays) {
  const auto fs = real_file_system();
  const auto committed = read_file(*fs, Path(DARUMA_SOURCE_DIR) / "docs/steps.md", 1 << 20);
  ASSERT_TRUE(committed.ok());
  const Path written = Path(testing::TempDir()) / "steps.md";
  ASSERT_TRUE(replace_file(*fs, written, as_bytes(steps_reference())).ok());
  EXPECT_EQ(as_text(*committed), steps_reference()) << "cp " << written.native() << " docs/steps.md";
}

TEST(StepTypes, TheCommittedSchemaOfPlansKnowsEveryType) {
  const auto fs = real_file_system();
  const auto committed = read_file(*fs, Path(DARUMA_SOURCE_DIR) / "docs/plan.schema.json", 1 << 20);
  const Path written = Path(testing::TempDir()) / "plan.schema.json";
  const std::string schema = plan_schema(step_types());
  ASSERT_TRUE(replace_file(*fs, written, as_bytes(schema)).ok());
  EXPECT_TRUE(committed.ok() && as_text(*committed) == schema)
      << "cp " << written.native() << " docs/plan.schema.json";
}

}  // namespace
}  // namespace daruma::run
