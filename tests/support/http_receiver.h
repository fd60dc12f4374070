// tests/support/http_receiver.h: takes HTTP requests on this host and keeps them: a webhook's other side.
//
// Each connection is answered once and closed. Works in a thread of its own.
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "os/descriptor.h"
#include "support/http_talk.h"

namespace daruma {

class HttpReceiver {
 public:
  struct Request {
    std::string method, target;
    TalkHeaders headers;
    std::string body;
    // The first of this name, in any case; "" when there is none.
    std::string header(std::string_view name) const;
  };

  // On a port that is free. `tls`: with a certificate that nobody has reason to trust.
  explicit HttpReceiver(bool tls = false);
  ~HttpReceiver();
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& path) const;
  // What every request from now on is answered with; nothing: it is taken, and never answered.
  void answer(int status, const std::string& more_headers = "", std::string body = "ok");
  void never_answer();
  // Each request from now on by its own; called in the receiver's thread.
  struct Reply {
    int status = 200;
    std::string body = {};
  };
  void answer_by(std::function<Reply(const Request&)> reply);
  std::vector<Request> requests();

 private:
  struct State {
    std::vector<Request> requests;
    std::string answer;
    std::function<Reply(const Request&)> reply;  // instead of `answer`
    bool ended = false;
  };
  class Tls;

  void serve();
  void take(int connection);

  std::unique_ptr<Tls> tls_;
  Descriptor listening_;
  int port_ = 0;
  Guarded<State> state_;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace daruma
