// notify/transfer.h: libcurl behind two functions: a body posted, a mail handed to a server.
//
// Certificates are checked, redirects not followed, answers read up to 64 KiB and thrown away.
// Errors:  as notify.h. No error names the address.
// Threads: any.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "os/clock.h"

namespace daruma::notify {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Success: the answer's status is 2xx.
Status post(const std::string& url, const Headers& headers, const std::string& body, Duration at_most);

struct Mail {
  std::string from;
  std::vector<std::string> to;
  std::string message;
};
// To smtp://HOST:PORT, encrypted where the server can, always where the address holds a password; or
// smtps://. Success: the server took it for every address.
Status submit(const std::string& url, const Mail& mail, Duration at_most);

}  // namespace daruma::notify
