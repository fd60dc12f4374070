// A notice as each kind of channel is told it.
#include "notify/message.h"

#include <gmock/gmock.h>

#include "base/value.h"

namespace daruma::notify {
namespace {

using testing::HasSubstr;

Notice sample() {
  Notice notice;
  notice.key = "run-7-finished";
  notice.at = *parse_rfc3339("2026-11-22T10:42:07Z");
  notice.title = {"復旧しました（検証 9/9 合格）", "recovered (9 of 9 checks passed)"};
  notice.text = {"所要時間 4 分", "took 4 min"};
  notice.outcome = Outcome::kSucceeded;
  notice.run = "2026-11-22-postgres-corruption-1";
  notice.plan = "postgres-corruption";
  return notice;
}

ChannelConfig mail_channel() {
  ChannelConfig channel;
  channel.name = "ops";
  channel.kind = ChannelKind::kEmail;
  channel.from = "daruma@example.com";
  channel.to = {"a@example.com", "b@example.com"};
  return channel;
}

TEST(SlackMessage, SaysItInBothLanguagesWithWhatItIsAbout) {
  EXPECT_EQ(
      parse_json(slack_body(sample()))->text_at("text"),
      "✅ 復旧しました（検証 9/9 合格）\n所要時間 4 分\n\nrecovered (9 of 9 checks passed)\ntook 4 min\n\n"
      "plan: postgres-corruption\nrun: 2026-11-22-postgres-corruption-1\nat: 2026-11-22T10:42:07Z\n");
}

TEST(SlackMessage, NothingInItCallsAnybodyOrBecomesALink) {
  Notice notice = sample();
  notice.text.en = "<!channel> & <https://evil.example|here>";
  EXPECT_THAT(parse_json(slack_body(notice))->text_at("text"),
              HasSubstr("&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;"));
}

TEST(JsonMessage, HasEveryFieldThatIsKnown) {
  Notice notice = sample();
  notice.title = {"復旧しました", "recovered"};
  EXPECT_EQ(json_body(notice), R"({"at":"2026-11-22T10:42:07Z","id":"run-7-finished","outcome":"succeeded",)"
                               R"("plan":"postgres-corruption","run":"2026-11-22-postgres-corruption-1",)"
                               R"("text":{"en":"took 4 min","ja":"所要時間 4 分"},)"
                               R"("title":{"en":"recovered","ja":"復旧しました"}})");
}

TEST(MailMessage, HasAHeadThatMailProgramsUnderstand) {
  const std::string message = mail(sample(), mail_channel());
  EXPECT_THAT(message, HasSubstr("From: daruma@example.com\r\nTo: a@example.com,\r\n b@example.com\r\n"));
  EXPECT_THAT(message, HasSubstr("Date: Sun, 22 Nov 2026 10:42:07 +0000\r\n"));
  EXPECT_THAT(message, HasSubstr("Message-ID: <run-7-finished@example.com>\r\n"));
  EXPECT_THAT(message, HasSubstr("\r\n\r\n4pyFIOW+qe"));
  for (size_t at = 0; at < message.size();) {
    const size_t end = message.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 76u);
    at = end + 2;
  }
}

TEST(MailMessage, ATitleCannotAddALineToTheHead) {
  Notice notice = sample();
  notice.title.en = "x\r\nBcc: everybody@example.com";
  EXPECT_THAT(mail(notice, mail_channel()), testing::Not(HasSubstr("Bcc")));
}

TEST(MailMessage, OnlyPlainAddressesAreTaken) {
  EXPECT_EQ(*mail_address("ops@example.com"), "ops@example.com");
  for (const char* address : {"", "ops", "@example.com", "ops@", "a@b@c", "a b@c", "a@b>\r\nRCPT TO:<x@y"})
    EXPECT_TRUE(mail_address(address).is(Errc::kInvalid)) << address;
}

}  // namespace
}  // namespace daruma::notify
