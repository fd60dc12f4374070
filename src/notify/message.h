// notify/message.h: a notice in the words of each kind of channel.
//
// Both languages are in every message, Japanese first. Texts of others (names, causes) are escaped for where
// they stand.
// Format:  docs/format/notice.md.
// Threads: pure functions.
#pragma once

#include <string>

#include "notify/notify.h"

namespace daruma::notify {

// Slack: {"text": …}, with &, < and > escaped, so that nothing in it becomes a link or calls anybody.
std::string slack_body(const Notice& notice);
// Webhook and command: every field of the notice, with its times and words.
std::string json_body(const Notice& notice);

// An e-mail with its head: RFC 5322, UTF-8, lines of at most 76 bytes, ended by CR LF.
std::string mail(const Notice& notice, const ChannelConfig& channel);

// The part of an address that a mail server is told. kInvalid: no "@", or characters that an address of ours
// has not.
Result<std::string> mail_address(const std::string& address);

}  // namespace daruma::notify
