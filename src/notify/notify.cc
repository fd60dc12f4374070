#include "notify/notify.h"

#include <algorithm>

#include "notify/message.h"
#include "notify/transfer.h"

namespace daruma::notify {
namespace {

struct Sending {
  const ChannelConfig& channel;
  const Notice& notice;
  const NotifyWorld& world;
  Deadline deadline;

  Duration left() const { return deadline.left(world.clock.mono()); }
};

Result<std::string> address_of(const Sending& sending) {
  if (!sending.channel.url) return Error{Errc::kInvalid, "it has no address", "set its `url`"};
  return read_secret(sending.world.fs, *sending.channel.url);
}

Status post_json(const Sending& sending, const std::string& body) {
  DR_TRY(const std::string url, address_of(sending));
  return post(url,
              {{"Content-Type", "application/json; charset=utf-8"}, {"Idempotency-Key", sending.notice.key}},
              body, sending.left());
}

Status send_slack(const Sending& sending) { return post_json(sending, slack_body(sending.notice)); }
Status send_webhook(const Sending& sending) { return post_json(sending, json_body(sending.notice)); }

Status send_mail(const Sending& sending) {
  DR_TRY(const std::string url, address_of(sending));
  Mail message;
  DR_TRY(message.from, mail_address(sending.channel.from));
  for (const std::string& to : sending.channel.to) {
    DR_TRY(message.to.emplace_back(), mail_address(to));
  }
  if (message.to.empty()) return Error{Errc::kInvalid, "nobody gets it", "set its `to`"};
  message.message = mail(sending.notice, sending.channel);
  return submit(url, message, sending.left());
}

Status run_command(const Sending& sending) {
  Command command{.argv = sending.channel.command};
  command.input = json_body(sending.notice) + "\n";
  command.environment = {{"DARUMA_NOTICE_ID", sending.notice.key}};
  DR_TRY(const ProcessExit exit, sending.world.processes.run(command, sending.deadline));
  if (exit.code == 0) return {};
  return Error{Errc::kFailed, "'" + command.argv[0] + "' ended with " + std::to_string(exit.code),
               "run it by hand with a notice on its standard input"};
}

Status dispatch(const Sending& sending) {
  switch (sending.channel.kind) {
    case ChannelKind::kSlack:
      return send_slack(sending);
    case ChannelKind::kWebhook:
      return send_webhook(sending);
    case ChannelKind::kEmail:
      return send_mail(sending);
    case ChannelKind::kCommand:
      return run_command(sending);
  }
  return Error{Errc::kInvalid, "it is of no known kind"};
}

}  // namespace

Status send(const ChannelConfig& channel, const Notice& notice, const NotifyWorld& world, Deadline deadline) {
  const bool printable =
      std::all_of(notice.key.begin(), notice.key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  DR_CHECK(!notice.key.empty() && printable);
  Status sent = deadline.passed(world.clock.mono())
                    ? Status(Error{Errc::kCancelled, "the deadline has passed; nothing was sent"})
                    : dispatch({channel, notice, world, deadline});
  if (sent.ok()) return sent;
  return std::move(sent).error().in("channel '" + channel.name + "'");
}

}  // namespace daruma::notify
