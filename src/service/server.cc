#include "service/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "os/descriptor.h"
#include "service/connection.h"

namespace daruma::service {
namespace {

using boost::asio::ip::tcp;
using Acceptor = boost::asio::basic_socket_acceptor<tcp, Executor>;

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr int kBacklog = 4096;  // the kernel bounds it by net.core.somaxconn
constexpr Duration kNoDescriptorPause = 100ms;

// A bug in a coroutine ends its connection, not the worker.
auto ended(std::shared_ptr<ServerCore> core) {
  return [core = std::move(core)](const std::exception_ptr& thrown) {
    if (!thrown) return;
    std::string message = "bug: a connection's coroutine threw";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      message += std::string(": ") + error.what();
    } catch (...) {  // it is said that it threw
    }
    core->log.error({.request_id = "", .dependency = "", .message = message, .recovered = ""});
  };
}

// A worker that has more connections than another lets it take the next ones, and looks again a little
// later. Were the others to take none, it goes on alone: what a worker that hangs costs is bounded.
class Courtesy {
 public:
  explicit Courtesy(ServerCore& core) : core_(core) {}

  void accepted() {
    const MonoInstant now = core_.clock.mono();
    const bool burst = now - std::exchange(accepted_at_, now) < kQuiet;
    if (!burst || !core_.ahead_of_others()) left_ = kPatience;
  }
  bool waits() { return left_ > Duration{0} && core_.ahead_of_others(); }
  Duration step() {
    left_ -= kStep;
    return kStep;
  }

 private:
  static constexpr Duration kPatience = 15ms;
  static constexpr Duration kStep = 250us;
  static constexpr Duration kQuiet = 20ms;  // after it, everybody had the time to take what was there

  ServerCore& core_;
  Duration left_ = kPatience;
  MonoInstant accepted_at_{};
};

Task<void> serve(std::unique_ptr<Connection> connection) { co_await connection->run(); }

class RealServer final : public Server {
 public:
  RealServer(std::shared_ptr<ServerCore> core, Acceptor acceptor)
      : core_(std::move(core)), acceptor_(std::make_shared<Acceptor>(std::move(acceptor))) {}
  ~RealServer() override {
    stop_accepting();
    core_->abandon();
  }

  void start() override { boost::asio::co_spawn(core_->io, accept_all(core_, acceptor_), ended(core_)); }

  Task<void> drain(Duration linger, Deadline deadline) override {
    stop_accepting();
    const MonoInstant idle_end = core_->clock.after(linger).at;
    for (Connection* connection : core_->connections()) connection->end_if_idle_at(idle_end);
    const auto core = core_;
    while (core->open() > 0 && !deadline.passed(core->clock.mono())) {
      core->changed().expires_after(std::min<Duration>(deadline.left(core->clock.mono()), 1h));
      co_await core->changed().async_wait(kAwait);
    }
    core->abandon();
  }

  size_t connections() const override { return core_->open(); }

 private:
  void stop_accepting() {
    core_->draining = true;
    core_->leave_balance();
    boost::system::error_code ignored;  // closed is closed
    acceptor_->close(ignored);
  }

  // The acceptor is held together with the server, which may end while this waits.
  static Task<void> accept_all(std::shared_ptr<ServerCore> core, std::shared_ptr<Acceptor> acceptor) {
    Courtesy courtesy(*core);
    while (acceptor->is_open()) {
      if (core->full()) {
        core->changed().expires_at(Timer::time_point::max());
        co_await core->changed().async_wait(kAwait);
        continue;
      }
      Socket socket(core->io);
      tcp::endpoint peer;
      const auto [error] = co_await acceptor->async_accept(socket, peer, kAwait);
      if (error) {
        if (acceptor->is_open()) co_await pause_after(*core, error);
        continue;
      }
      boost::asio::co_spawn(core->io, serve(std::make_unique<Connection>(core, std::move(socket), peer)),
                            ended(core));
      courtesy.accepted();
      while (courtesy.waits()) {
        Timer timer(core->io, courtesy.step());
        co_await timer.async_wait(kAwait);
      }
    }
  }

  // Without descriptors or memory the next try would fail as well.
  static Task<void> pause_after(ServerCore& core, boost::system::error_code error) {
    if (error == boost::asio::error::connection_aborted) co_return;
    const std::string message = "cannot accept connections: " + error.message();
    core.log.error({.request_id = "", .dependency = "", .message = message, .recovered = ""});
    Timer timer(core.io, kNoDescriptorPause);
    co_await timer.async_wait(kAwait);
  }

  const std::shared_ptr<ServerCore> core_;
  const std::shared_ptr<Acceptor> acceptor_;
};

Error socket_error(const std::string& what) {
  return {Errc::kUnavailable, what + ": " + std::strerror(errno)};
}

struct AddressList {
  addrinfo* first = nullptr;
  AddressList() = default;
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  ~AddressList() {
    if (first) ::freeaddrinfo(first);
  }
};

}  // namespace

Result<std::unique_ptr<Server>> Server::create(boost::asio::io_context& io, int listener,
                                               const Router& router, ServerSettings settings,
                                               const Clock& clock, Random& random, Log& log,
                                               Metrics& metrics) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return socket_error("the listening socket");
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
    return Error{Errc::kInvalid, "the listening socket is no TCP socket"};
  const int yes = 1;  // accepted sockets inherit it
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);

  Descriptor own(::fcntl(listener, F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) return socket_error("the listening socket");
  Acceptor acceptor(io);
  boost::system::error_code error;
  acceptor.assign(address.ss_family == AF_INET ? tcp::v4() : tcp::v6(), own.get(), error);
  if (error) return Error{Errc::kUnavailable, "the listening socket: " + error.message()};
  own.release();
  auto core = std::make_shared<ServerCore>(io, router, settings, clock, random, log, metrics);
  return std::unique_ptr<Server>(std::make_unique<RealServer>(std::move(core), std::move(acceptor)));
}

Result<int> listen_on(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  AddressList list;
  const std::string where = fmt::format("{}:{}", host, port);
  if (const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(),
                                      &hints, &list.first);
      error != 0)
    return Error{Errc::kUnavailable, "cannot listen on " + where + ": " + ::gai_strerror(error)};

  const addrinfo& address = *list.first;
  Descriptor fd(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol));
  if (!fd.valid()) return socket_error("cannot make a socket");
  const int yes = 1;  // a restart need not wait for the old connections' time to run out
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    Error error = socket_error("cannot listen on " + where);
    error.hint = "another program has this port, or the address is not this machine's";
    return error;
  }
  return fd.release();
}

}  // namespace daruma::service
