#include "run/steps/test_world.h"

namespace daruma::run {
namespace {

class EvidenceSteps : public StepTest {
 protected:
  std::string text_of(const Path& path) {
    const auto bytes = read_file(sim, path, 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : "no file";
  }
  const Value::Map auth{{"services", Value(Value::List{"auth"})}};
};

TEST_F(EvidenceSteps, KeepsLogAndInspectionWithTheirHashes) {
  const auto outputs = act("evidence.capture", auth);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(text_of("/run/1/evidence/auth.log"), "one\ntwo\n");
  EXPECT_EQ(text_of("/run/1/evidence/auth.inspect.json"), R"({"image":"x"})");
  const auto manifest = parse_json(text_of("/run/1/evidence/manifest.json"));
  ASSERT_TRUE(manifest.ok());
  const Value& log = (*manifest->find("files")->list())[0];
  EXPECT_EQ(log.text_at("name"), "auth.log");
  EXPECT_EQ(log.text_at("sha256"), "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8")
      << "of 'one\\ntwo\\n', by sha256sum";
  EXPECT_EQ(log.text_at("taken_at"), to_rfc3339(manual.now()));
}

TEST_F(EvidenceSteps, WhatCannotBeKeptIsNamedAndTheRestIsKept) {
  services["auth"].stuck = "logs";
  const auto outputs = act("evidence.capture", auth);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs->find("missing")), R"([{"of":"log of auth","why":"no such container"}])");
  EXPECT_EQ(outputs->find("files")->list()->size(), 1U);
}

TEST_F(EvidenceSteps, WhereAllIsAskedForAMissingPieceFails) {
  services["auth"].stuck = "logs";
  Value::Map all = auth;
  all["require_all"] = true;
  EXPECT_NE(why(act("evidence.capture", all)).find("no such container"), std::string::npos);
}

TEST_F(EvidenceSteps, NothingAtAllIsAFailure) {
  EXPECT_FALSE(act("evidence.capture", {{"files", Value(Value::List{"/none"})}}).ok());
  EXPECT_TRUE(act("evidence.capture", {}).is(Errc::kInvalid));
}

TEST_F(EvidenceSteps, CopiesGoOutsideToo) {
  Value::Map with = auth;
  with["copy_to"] = "/outside";
  ASSERT_EQ(why(act("evidence.capture", with)), "");
  EXPECT_EQ(text_of("/outside/2026-11-22-test-1-step/auth.log"), "one\ntwo\n");
  EXPECT_EQ(text_of("/outside/2026-11-22-test-1-step/manifest.json"),
            text_of("/run/1/evidence/manifest.json"));
}

TEST_F(EvidenceSteps, FilesOfOneNameAreBothKept) {
  ASSERT_TRUE(create_dirs(sim, "/a").ok() && create_dirs(sim, "/b").ok());
  ASSERT_TRUE(replace_file(sim, "/a/x.conf", as_bytes("first")).ok());
  ASSERT_TRUE(replace_file(sim, "/b/x.conf", as_bytes("second")).ok());
  ASSERT_EQ(why(act("evidence.capture", {{"files", Value(Value::List{"/a/x.conf", "/b/x.conf"})}})), "");
  EXPECT_EQ(text_of("/run/1/evidence/x.conf"), "first");
  EXPECT_EQ(text_of("/run/1/evidence/another-x.conf"), "second");
}

TEST_F(EvidenceSteps, AFileCalledLikeTheManifestOrTheAttemptsOwnIsKeptBesideThem) {
  ASSERT_TRUE(replace_file(sim, "/manifest.json", as_bytes("mine")).ok());
  ASSERT_TRUE(replace_file(sim, "/run/1/output", as_bytes("printed")).ok());
  ASSERT_TRUE(replace_file(sim, "/output", as_bytes("another")).ok());
  ASSERT_EQ(why(act("evidence.capture", {{"files", Value(Value::List{"/manifest.json", "/output"})}})), "");
  EXPECT_EQ(text_of("/run/1/evidence/another-manifest.json"), "mine");
  EXPECT_TRUE(parse_json(text_of("/run/1/evidence/manifest.json")).ok());
  EXPECT_EQ(text_of("/run/1/output"), "printed");
}

TEST_F(EvidenceSteps, APreviewKeepsNothing) {
  const auto shown = preview("evidence.capture", auth);
  ASSERT_EQ(why(shown), "");
  EXPECT_EQ(shown->would[0], "keep the last 1000 lines and the inspection of auth");
  EXPECT_TRUE(sim.list_dir("/run/1")->empty());
}

}  // namespace
}  // namespace daruma::run
