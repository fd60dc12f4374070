#include "support/smtp_sink.h"

#include "support/local_listener.h"

namespace daruma {
namespace {

class Lines {
 public:
  explicit Lines(int connection) : connection_(connection) {}

  // Without its end; false: the other side left.
  bool next(std::string& line) {
    size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      char piece[4096];
      const ssize_t got = ::recv(connection_, piece, sizeof piece, 0);
      if (got <= 0) return false;
      buffer_.append(piece, static_cast<size_t>(got));
    }
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }
  void say(const std::string& line) {
    const std::string bytes = line + "\r\n";
    static_cast<void>(::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }

 private:
  int connection_;
  std::string buffer_;
};

std::string between_brackets(const std::string& line) {
  const size_t open = line.find('<'), close = line.find('>');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1) : "";
}

std::string read_message(Lines& lines) {
  std::string message;
  for (std::string line; lines.next(line) && line != ".";)
    message += (line.starts_with("..") ? line.substr(1) : line) + "\r\n";
  return message;
}

}  // namespace

SmtpSink::SmtpSink() {
  listening_ = listen_locally(port_);
  thread_ = std::make_unique<std::thread>([this] { serve(); });
}

SmtpSink::~SmtpSink() {
  ::shutdown(listening_.get(), SHUT_RDWR);
  thread_->join();
}

void SmtpSink::serve() {
  for (;;) {
    const Descriptor connection(::accept(listening_.get(), nullptr, nullptr));
    if (!connection.valid()) return;
    talk(connection.get());
  }
}

void SmtpSink::talk(int connection) {
  Lines lines(connection);
  lines.say("220 sink");
  Mail mail;
  for (std::string line; lines.next(line);) {
    if (line.starts_with("MAIL FROM:")) {
      mail = {between_brackets(line), {}, {}};
      lines.say("250 ok");
    } else if (line.starts_with("RCPT TO:")) {
      const std::string to = between_brackets(line);
      mail.to.push_back(to);
      lines.say(to.starts_with("reject")  ? "550 no such " + to
                : to.starts_with("later") ? "451 later"
                                          : "250 ok");
    } else if (line == "DATA") {
      lines.say("354 go on");
      mail.message = read_message(lines);
      mails_.lock()->push_back(mail);
      lines.say("250 kept");
    } else if (line == "QUIT") {
      lines.say("221 bye");
      return;
    } else {
      lines.say(line.starts_with("EHLO") || line == "RSET" ? "250 sink" : "502 unknown");
    }
  }
}

}  // namespace daruma
