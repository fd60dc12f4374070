// notify/notify.h: one notice, sent once through one channel: Slack, a webhook, e-mail, a command.
//
// A repeat carries the same key (Idempotency-Key, Message-ID, "id"), so that whoever receives can tell it.
// Retries, and who is told what, are the caller's business.
// Secrets: the address of a webhook is a password. No error contains it, nor what the other side answered.
// Errors:  kUnavailable (may work later: no connection, too busy, a server's own fault), kCancelled (the
//          deadline passed; it may have arrived), kRefused (the other side does not want it), kInvalid (the
//          channel is not complete), kNotFound (the secret or the program is not there), kFailed (a command
//          ended badly); `what` names the channel.
// Source:  requirement A15.
// Threads: any.
#pragma once

#include <string>

#include "config/config.h"
#include "os/clock.h"
#include "os/process.h"

namespace daruma::notify {

struct Words {
  std::string ja;
  std::string en;
};

// How what the notice tells of has ended, or why it is sent.
enum class Outcome : uint8_t {
  kNews,         // it goes on
  kNeedsPerson,  // it waits for an approval, an answer, a person's task
  kSucceeded,    // said only after verification passed
  kPartial,      // not everything is back
  kFailed,
};

struct Notice {
  std::string key;  // the same in every repeat of this notice; printable, no spaces
  Instant at;
  Words title;  // one line
  Words text;   // may have several
  Outcome outcome = Outcome::kNews;
  Words level = {};         // scheme, number and effect; empty: it has none
  std::string run = {};     // its id
  std::string plan = {};    // its name
  std::string target = {};  // "production"
  std::string url = {};     // where to read on
};

struct NotifyWorld {
  FileSystem& fs;
  Clock& clock;
  ProcessRunner& processes;
};

Status send(const ChannelConfig& channel, const Notice& notice, const NotifyWorld& world, Deadline deadline);

}  // namespace daruma::notify
