// service/redis_link.h: one connection of hiredis' on Asio: writes once a turn of the event loop, reads when
// there is something. For service/redis.cc.
//
// Owns:    the connection; hiredis closes its socket.
// Threads: the worker's one.
#pragma once

#include <hiredis/async.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace daruma::service {

class RedisLink : public std::enable_shared_from_this<RedisLink> {
 public:
  struct Events {
    // A reply, or nullptr for a command that gets none any more: one call a command, in their order. The
    // reply lives as long as the call, which must not call back into the link, cause() excepted.
    std::function<void(const redisReply* reply)> replied;
    // Redis is alive: bytes came, or it took some for which there was no room before.
    std::function<void()> moved;
    // The connection failed or ended, after the last `replied`.
    std::function<void()> ended;
    // After each batch of these; may do with the link what it wants.
    std::function<void()> settled;
  };

  // Begins to connect to an address; commands may be sent at once and wait. kUnavailable: it failed at once.
  static Result<std::shared_ptr<RedisLink>> open(boost::asio::io_context& io, const std::string& address,
                                                 int port, Events events);
  RedisLink(boost::asio::io_context& io, Events events) : socket_(io), events_(std::move(events)) {}
  ~RedisLink() { drop(); }
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  // False: it has ended, and nothing will be told of this command.
  bool send(const std::vector<std::string>& arguments);
  // Ends now, for this reason, and tells.
  void abandon(const std::string& cause);
  // Ends now and tells nobody.
  void drop();
  // Why it ends.
  std::string cause() const;

 private:
  void attach(redisAsyncContext* context);
  void want_read();
  void want_write();
  void wait_writable();
  void on_readable();
  void write();
  void settle();

  boost::asio::posix::stream_descriptor socket_;
  const Events events_;
  redisAsyncContext* context_ = nullptr;
  std::string cause_;
  std::vector<const char*> argv_;  // kept, so that a command allocates nothing here
  std::vector<size_t> sizes_;
  bool told_ = true;      // somebody wants to know
  bool reading_ = false;  // a wait for something to read is pending
  bool writing_ = false;  // a write is to come
  bool in_write_ = false;
};

}  // namespace daruma::service
