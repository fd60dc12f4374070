// tests/support/smtp_sink.h: a mail server on this host that keeps what it is given.
//
// It refuses every address that begins with "reject" (550) and asks for patience with "later" (451). It
// offers no encryption. Works in a thread of its own, one connection at a time.
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "os/descriptor.h"

namespace daruma {

class SmtpSink {
 public:
  struct Mail {
    std::string from;
    std::vector<std::string> to;
    std::string message;  // head and body, as sent
  };

  SmtpSink();
  ~SmtpSink();
  SmtpSink(const SmtpSink&) = delete;
  SmtpSink& operator=(const SmtpSink&) = delete;

  int port() const { return port_; }
  std::vector<Mail> mails() { return *mails_.lock(); }

 private:
  void serve();
  void talk(int connection);

  Descriptor listening_;
  int port_ = 0;
  Guarded<std::vector<Mail>> mails_;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace daruma
