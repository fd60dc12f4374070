// Notices sent through every kind of channel to real receivers on this host, which take them, refuse them,
// send them elsewhere, or never answer.
#include "notify/notify.h"

#include <gmock/gmock.h>

#include "base/value.h"
#include "os/files.h"
#include "os/scratch_dir.h"
#include "support/http_receiver.h"
#include "support/smtp_sink.h"

namespace daruma::notify {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kSecret = "T0SECRET";

class NotifyTest : public testing::Test {
 protected:
  ChannelConfig channel(ChannelKind kind, const std::string& url) {
    ChannelConfig channel;
    channel.name = "ops";
    channel.kind = kind;
    const Path file = scratch_.path() / "url";
    EXPECT_TRUE(replace_file(scratch_.fs(), file, as_bytes(url + "\n")).ok());
    channel.url = SecretReference{.file = file};
    return channel;
  }
  ChannelConfig webhook(const HttpReceiver& receiver) {
    return channel(ChannelKind::kWebhook, receiver.url(std::string("/hook/") + kSecret));
  }
  ChannelConfig email(const std::string& to = "tech-lead@example.com") {
    ChannelConfig email = channel(ChannelKind::kEmail, "smtp://127.0.0.1:" + std::to_string(sink_.port()));
    email.from = "daruma@example.com";
    email.to = {to, "infra@example.com"};
    return email;
  }
  ChannelConfig command(std::vector<std::string> argv) {
    ChannelConfig channel;
    channel.name = "ops";
    channel.kind = ChannelKind::kCommand;
    channel.command = std::move(argv);
    return channel;
  }

  Status send(const ChannelConfig& channel, Duration at_most = 20s) {
    return notify::send(channel, notice_, {scratch_.fs(), *clock_, *processes_}, clock_->after(at_most));
  }
  // How it failed; "" when it did not. Never with the address in it.
  std::string failure(const ChannelConfig& channel, Errc code, Duration at_most = 20s) {
    const Status sent = send(channel, at_most);
    if (sent.ok()) return "";
    EXPECT_TRUE(sent.is(code)) << sent.error().what;
    EXPECT_THAT(sent.error().what + sent.error().hint,
                AllOf(Not(HasSubstr(kSecret)), Not(HasSubstr("127.0.0.1"))));
    return sent.error().what;
  }

  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  HttpReceiver receiver_;
  SmtpSink sink_;
  Notice notice_{.key = "run-7-finished",
                 .at = *parse_rfc3339("2026-11-22T10:42:07Z"),
                 .title = {"復旧しました", "recovered"},
                 .text = {"", ".\nall is well"},
                 .outcome = Outcome::kSucceeded};
};

TEST_F(NotifyTest, SlackGetsATextAndTheKey) {
  ASSERT_TRUE(send(channel(ChannelKind::kSlack, receiver_.url("/services/T0/B0/x"))).ok());
  ASSERT_THAT(receiver_.requests(), SizeIs(1));
  const auto request = receiver_.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/services/T0/B0/x");
  EXPECT_EQ(request.header("Idempotency-Key"), "run-7-finished");
  EXPECT_THAT(request.header("Content-Type"), HasSubstr("application/json"));
  EXPECT_THAT(parse_json(request.body)->text_at("text"), HasSubstr("✅ 復旧しました"));
}

TEST_F(NotifyTest, AWebhookGetsTheWholeNotice) {
  notice_.text.en.assign(100'000, 'x');
  ASSERT_TRUE(send(webhook(receiver_)).ok());
  const Value body = *parse_json(receiver_.requests().at(0).body);
  EXPECT_EQ(body.text_at("id"), "run-7-finished");
  EXPECT_EQ(body.find("text")->text_at("en"), notice_.text.en);
}

TEST_F(NotifyTest, ARefusalIsToldFromWhatMayWorkLater) {
  receiver_.answer(404, "", std::string("no hook ") + kSecret);
  EXPECT_EQ(failure(webhook(receiver_), Errc::kRefused), "channel 'ops': it answered with status 404");
  receiver_.answer(429);
  EXPECT_EQ(failure(webhook(receiver_), Errc::kUnavailable), "channel 'ops': it answered with status 429");
  receiver_.answer(503);
  EXPECT_EQ(failure(webhook(receiver_), Errc::kUnavailable), "channel 'ops': it answered with status 503");
}

TEST_F(NotifyTest, ARedirectIsNotFollowed) {
  HttpReceiver elsewhere;
  receiver_.answer(307, "Location: " + elsewhere.url("/") + "\r\n");
  EXPECT_THAT(failure(webhook(receiver_), Errc::kRefused), HasSubstr("a redirect, which is not followed"));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());
}

TEST_F(NotifyTest, AnAnswerWithoutEndIsAnAnswer) {
  receiver_.answer(200, "", std::string(5'000'000, 'x'));
  EXPECT_TRUE(send(webhook(receiver_)).ok());
}

TEST_F(NotifyTest, WhoNeverAnswersIsGivenUpAtTheDeadline) {
  receiver_.never_answer();
  EXPECT_EQ(failure(webhook(receiver_), Errc::kCancelled, 300ms),
            "channel 'ops': no answer before the deadline");
}

TEST_F(NotifyTest, NobodyThereIsSaid) {
  std::string url;
  {
    const HttpReceiver gone;
    url = gone.url(std::string("/") + kSecret);
  }
  EXPECT_THAT(failure(channel(ChannelKind::kSlack, url), Errc::kUnavailable), HasSubstr("channel 'ops'"));
}

TEST_F(NotifyTest, ACertificateThatNobodySignedIsRefused) {
  HttpReceiver stranger(true);
  EXPECT_THAT(failure(webhook(stranger), Errc::kRefused), HasSubstr("certificate is not trusted"));
  EXPECT_THAT(stranger.requests(), IsEmpty());
}

TEST_F(NotifyTest, AnAddressOfAnotherKindIsRefused) {
  for (const char* url : {"file:///etc/passwd", "smtp://x", "not a url"})
    EXPECT_NE(failure(channel(ChannelKind::kWebhook, url), Errc::kInvalid), "") << url;
  EXPECT_NE(failure(channel(ChannelKind::kEmail, "https://127.0.0.1"), Errc::kInvalid), "");
}

TEST_F(NotifyTest, MailReachesEverybody) {
  ASSERT_TRUE(send(email()).ok());
  ASSERT_THAT(sink_.mails(), SizeIs(1));
  const SmtpSink::Mail mail = sink_.mails()[0];
  EXPECT_EQ(mail.from, "daruma@example.com");
  EXPECT_THAT(mail.to, testing::ElementsAre("tech-lead@example.com", "infra@example.com"));
  EXPECT_THAT(mail.message, HasSubstr("Message-ID: <run-7-finished@example.com>\r\n"));
}

TEST_F(NotifyTest, AnAddressTheServerDoesNotWantIsSaid) {
  EXPECT_EQ(failure(email("reject@example.com"), Errc::kRefused),
            "channel 'ops': the mail server answered with status 550");
  EXPECT_EQ(failure(email("later@example.com"), Errc::kUnavailable),
            "channel 'ops': the mail server answered with status 451");
  EXPECT_THAT(sink_.mails(), IsEmpty());
}

TEST_F(NotifyTest, APasswordIsNotSentInTheClear) {
  ChannelConfig channel = email();
  const std::string url = "smtp://ops:T0SECRET@127.0.0.1:" + std::to_string(sink_.port());
  ASSERT_TRUE(replace_file(scratch_.fs(), channel.url->file, as_bytes(url)).ok());
  EXPECT_THAT(failure(channel, Errc::kRefused), HasSubstr("offers no encryption"));
}

TEST_F(NotifyTest, ACommandReadsTheNotice) {
  const Path out = scratch_.path() / "out";
  ASSERT_TRUE(send(command({"sh", "-c", "cat > " + out.string()})).ok());
  const Bytes bytes = *read_file(scratch_.fs(), out, 10'000);
  EXPECT_EQ(parse_json(as_text(bytes))->text_at("id"), "run-7-finished");
}

TEST_F(NotifyTest, ACommandThatFailsIsSaid) {
  EXPECT_EQ(failure(command({"sh", "-c", "exit 3"}), Errc::kFailed), "channel 'ops': 'sh' ended with 3");
  EXPECT_NE(failure(command({"no-such-program"}), Errc::kNotFound), "");
  EXPECT_NE(failure(command({"sleep", "60"}), Errc::kCancelled, 100ms), "");
}

TEST_F(NotifyTest, AMissingSecretIsSaid) {
  ChannelConfig channel = webhook(receiver_);
  channel.url = SecretReference{.environment = "DARUMA_TEST_NO_SUCH_VARIABLE"};
  EXPECT_THAT(failure(channel, Errc::kNotFound), HasSubstr("DARUMA_TEST_NO_SUCH_VARIABLE"));
  channel.url.reset();
  EXPECT_NE(failure(channel, Errc::kInvalid), "");
}

TEST_F(NotifyTest, AfterTheDeadlineNothingIsSent) {
  EXPECT_THAT(failure(webhook(receiver_), Errc::kCancelled, 0s), HasSubstr("nothing was sent"));
  EXPECT_THAT(receiver_.requests(), IsEmpty());
}

}  // namespace
}  // namespace daruma::notify
