#include "support/tcp_proxy.h"

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <thread>
#include <utility>

namespace daruma {
namespace asio = boost::asio;
using asio::ip::tcp;

class TcpProxy::Network {
 public:
  explicit Network(int target_port)
      : target_(asio::ip::address_v4::loopback(), static_cast<uint16_t>(target_port)),
        acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        port_(acceptor_.local_endpoint().port()) {
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~Network() { io_.stop(); }

  int port() const { return port_; }
  size_t connections() const { return made_; }

  // Does it in the network's own thread, and returns when it is done.
  template <class Action>
  auto in_network(Action action) {
    return asio::post(io_, asio::use_future(std::move(action))).get();
  }
  size_t most_at_once() { return std::exchange(most_, open_); }
  void set_silent(bool silent) { silent_ = silent; }
  void silence_all() {
    for (Wire& wire : wires_) wire.silent = true;
  }
  void reset_all() {
    for (Wire& wire : wires_)
      for (tcp::socket* socket : {&wire.client, &wire.server}) {
        boost::system::error_code ignored;
        socket->set_option(asio::socket_base::linger(true, 0), ignored);
        socket->close(ignored);
      }
  }

 private:
  struct Wire {
    tcp::socket client, server;
    bool silent = false;
  };

  asio::awaitable<void> accept() {
    for (;;) {
      tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
      ++made_;
      most_ = std::max(most_, ++open_);
      Wire& wire = wires_.emplace_back(Wire{std::move(client), tcp::socket(io_), silent_});
      asio::co_spawn(io_, serve(wire), asio::detached);
    }
  }

  asio::awaitable<void> serve(Wire& wire) {
    boost::system::error_code error;
    co_await wire.server.async_connect(target_, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      wire.client.close();
      --open_;
      co_return;
    }
    asio::co_spawn(io_, pass(wire, wire.client, wire.server), asio::detached);
    asio::co_spawn(io_, pass(wire, wire.server, wire.client), asio::detached);
  }

  asio::awaitable<void> pass(Wire& wire, tcp::socket& from, tcp::socket& to) {
    std::array<char, 16384> buffer{};
    boost::system::error_code error;
    for (;;) {
      const size_t read = co_await from.async_read_some(asio::buffer(buffer),
                                                        asio::redirect_error(asio::use_awaitable, error));
      if (!error && !wire.silent)
        co_await async_write(to, asio::buffer(buffer, read),
                             asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
    }
    if (&from == &wire.client) --open_;
    if (wire.silent) co_return;  // not even the end is passed on
    boost::system::error_code ignored;
    to.shutdown(tcp::socket::shutdown_send, ignored);
  }

  asio::io_context io_{1};
  const tcp::endpoint target_;
  tcp::acceptor acceptor_;
  const int port_;
  std::list<Wire> wires_;
  bool silent_ = false;
  size_t open_ = 0, most_ = 0;
  std::atomic<size_t> made_{0};
  std::jthread thread_;
};

TcpProxy::TcpProxy(int target_port) : network_(std::make_unique<Network>(target_port)) {}
TcpProxy::~TcpProxy() = default;

int TcpProxy::port() const { return network_->port(); }
size_t TcpProxy::connections() const { return network_->connections(); }

size_t TcpProxy::most_at_once() {
  return network_->in_network([this] { return network_->most_at_once(); });
}

void TcpProxy::fall_silent() {
  network_->in_network([this] {
    network_->set_silent(true);
    network_->silence_all();
  });
}

void TcpProxy::recover() {
  network_->in_network([this] { network_->set_silent(false); });
}

void TcpProxy::reset_all() {
  network_->in_network([this] { network_->reset_all(); });
}

}  // namespace daruma
