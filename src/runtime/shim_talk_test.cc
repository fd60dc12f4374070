#include "runtime/shim_talk.h"

#include <gmock/gmock.h>

namespace daruma::runtime {
namespace {

constexpr size_t kMessageMax = 4096;

ServiceRecord sample_record() {
  ServiceRecord record;
  record.id = std::string(32, 'a');
  record.boot = "b39b1d3e-7d54-4d5e-8d43-3b8d3c0f7d11";
  record.shim = {4'194'304, 123'456'789'012};
  record.output_pipe = 987'654'321;
  record.state = State::kRunning;
  record.since = {1'700'000'000'000'000};
  record.restarts = 3;
  for (int i = 0; i < 64; ++i) record.mains.push_back({4'194'304, 123'456'789'012});
  record.detail = std::string(500, 'd');
  return record;
}

TEST(ShimTalk, ARequestIsReadBack) {
  const auto request = parse_request(encode(ShimRequest{Order::kScale, 3s, 7}));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->order, Order::kScale);
  EXPECT_EQ(request->patience, 3s);
  EXPECT_EQ(request->instances, 7u);
}

TEST(ShimTalk, WhatIsNoRequestIsInvalid) {
  for (const char* text : {"", "{", "{}", "[]", "7", R"({"do":"dance"})", R"({"do":"stop","patience_ns":-1})",
                           R"({"do":"scale","instances":-1})", R"({"do":"scale","instances":4294967296})"})
    EXPECT_TRUE(parse_request(text).is(Errc::kInvalid)) << text;
}

TEST(ShimTalk, ARecordIsReadBackAndFitsAMessage) {
  const ServiceRecord record = sample_record();
  const std::string text = encode(record);
  EXPECT_LE(text.size(), kMessageMax);
  const auto answer = parse_answer(text);
  ASSERT_TRUE(answer.ok());
  const auto back = record_from(*answer);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(to_value(*back), to_value(record));
}

TEST(ShimTalk, AnErrorArrivesWithCodeWordsAndHint) {
  const auto answer = parse_answer(encode(Status(Error{Errc::kNotFound, "no 'x'", "look"})));
  ASSERT_TRUE(answer.is(Errc::kNotFound));
  EXPECT_EQ(answer.error().what, "no 'x'");
  EXPECT_EQ(answer.error().hint, "look");
  EXPECT_TRUE(parse_answer(encode(Status())).ok());
}

TEST(ShimTalk, ALongErrorIsCutInItsMiddleWhateverItHolds) {
  for (const char filling : {'x', '\x01', '\xff'}) {
    const std::string text =
        encode(Status(Error{Errc::kFailed, "begin" + std::string(100'000, filling) + "end"}));
    EXPECT_LE(text.size(), kMessageMax);
    const auto answer = parse_answer(text);
    ASSERT_FALSE(answer.ok());
    EXPECT_THAT(answer.error().what, testing::StartsWith("begin"));
    EXPECT_THAT(answer.error().what, testing::EndsWith("end"));
  }
}

TEST(ShimTalk, WhatIsNoAnswerIsCorrupt) {
  for (const char* text : {"", "daruma: unknown command", "7", "[]"})
    EXPECT_TRUE(parse_answer(text).is(Errc::kCorrupt)) << text;
}

TEST(ServiceFolder, AServiceIsReadBackWhole) {
  ServiceConfig service;
  service.name = "auth";
  service.command = {"./run", "--port", "1"};
  service.directory = "/opt/auth";
  service.environment = {{"A", "b=c"}, {"D", ""}};
  service.restart = {RestartPolicy::kAlways, 2s, 3s, 4, 5s};
  service.limits = {.memory = 1u << 30, .open_files = 64, .processes = 9};
  const auto back = service_from(to_value(service));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(to_value(*back), to_value(service));
  EXPECT_EQ(back->command, service.command);
  EXPECT_EQ(back->restart.policy, RestartPolicy::kAlways);
  EXPECT_EQ(back->limits.processes, 9u);
}

TEST(ServiceFolder, WhatIsNoRecordIsCorrupt) {
  for (const char* text :
       {"{}", "[]", R"({"id":"a","shim":"12","state":"running"})",
        R"({"id":"a","shim":"12@x","state":"running"})", R"({"id":"a","shim":"12@3","state":"dancing"})"})
    EXPECT_TRUE(record_from(*parse_json(text)).is(Errc::kCorrupt)) << text;
}

}  // namespace
}  // namespace daruma::runtime
