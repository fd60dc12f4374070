#include "service/redis_link.h"

#include <signal.h>

#include <boost/asio/post.hpp>
#include <utility>

namespace daruma::service {
namespace asio = boost::asio;

Result<std::shared_ptr<RedisLink>> RedisLink::open(asio::io_context& io, const std::string& address, int port,
                                                   Events events) {
  // hiredis writes by write(2): to a connection that is gone, that is a signal whose default is the end.
  ::signal(SIGPIPE, SIG_IGN);
  redisAsyncContext* context = redisAsyncConnect(address.c_str(), port);
  if (context == nullptr) return Error{Errc::kUnavailable, "no memory for a connection"};
  if (context->err != 0) {
    Error error{Errc::kUnavailable, context->errstr};
    redisAsyncFree(context);
    return error;
  }
  auto link = std::make_shared<RedisLink>(io, std::move(events));
  link->attach(context);
  return link;
}

void RedisLink::attach(redisAsyncContext* context) {
  context_ = context;
  redisEnableKeepAlive(&context->c);
  socket_.assign(context->c.fd);
  context->data = this;
  context->ev.data = this;
  context->ev.addRead = [](void* self) { static_cast<RedisLink*>(self)->want_read(); };
  context->ev.addWrite = [](void* self) { static_cast<RedisLink*>(self)->want_write(); };
  // hiredis closes the socket and frees the context right after this.
  context->ev.cleanup = [](void* data) {
    auto* self = static_cast<RedisLink*>(data);
    self->cause_ = self->cause();
    if (self->socket_.is_open()) self->socket_.release();
    self->context_ = nullptr;
  };
  want_write();  // connected means writable
}

bool RedisLink::send(const std::vector<std::string>& arguments) {
  if (context_ == nullptr) return false;
  argv_.clear();
  sizes_.clear();
  for (const std::string& argument : arguments) {
    argv_.push_back(argument.data());
    sizes_.push_back(argument.size());
  }
  const auto replied = [](redisAsyncContext* context, void* reply, void*) {
    auto* self = static_cast<RedisLink*>(context->data);
    if (self->told_) self->events_.replied(static_cast<const redisReply*>(reply));
  };
  return redisAsyncCommandArgv(context_, replied, nullptr, static_cast<int>(argv_.size()), argv_.data(),
                               sizes_.data()) == REDIS_OK;
}

void RedisLink::abandon(const std::string& cause) {
  if (context_ == nullptr) return;
  const auto self = shared_from_this();
  cause_ = cause;
  redisAsyncFree(context_);
  settle();
}

void RedisLink::drop() {
  told_ = false;
  if (context_ != nullptr) redisAsyncFree(context_);
}

std::string RedisLink::cause() const {
  if (!cause_.empty()) return cause_;
  if (context_ != nullptr && context_->c.err != 0) return context_->c.errstr;
  return "the connection ended";
}

void RedisLink::want_read() {
  if (std::exchange(reading_, true)) return;
  socket_.async_wait(socket_.wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    self->reading_ = false;
    if (!error && self->context_ != nullptr) self->on_readable();
  });
}

void RedisLink::on_readable() {
  if (told_) events_.moved();
  redisAsyncHandleRead(context_);
  settle();
}

void RedisLink::want_write() {
  if (std::exchange(writing_, true)) return;
  if (in_write_ || (context_->c.flags & REDIS_CONNECTED) == 0) return wait_writable();
  // After whatever else is ready to run now: all that it sends leaves together.
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->writing_ = false;
    if (self->context_ != nullptr) self->write();
  });
}

void RedisLink::wait_writable() {
  socket_.async_wait(socket_.wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    self->writing_ = false;
    if (error || self->context_ == nullptr) return;
    if (self->told_) self->events_.moved();
    self->write();
  });
}

void RedisLink::write() {
  in_write_ = true;
  redisAsyncHandleWrite(context_);
  in_write_ = false;
  if (context_ != nullptr && (context_->c.flags & REDIS_CONNECTED) == 0) want_write();
  settle();
}

// A function of hiredis' has returned: its context may be gone.
void RedisLink::settle() {
  if (!told_) return;
  if (context_ == nullptr) {
    told_ = false;
    events_.ended();
  }
  events_.settled();
}

}  // namespace daruma::service
