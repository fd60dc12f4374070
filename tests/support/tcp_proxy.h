// tests/support/tcp_proxy.h: a network between a test and its server that can fall silent or break.
//
// Threads: any. Works in a thread of its own.
#pragma once

#include <memory>

namespace daruma {

class TcpProxy {
 public:
  // Connects whoever comes to `target_port` of 127.0.0.1.
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const;
  // Returns when it is so: nothing passes any more in either direction, and nobody is told.
  void fall_silent();
  // New connections pass again; those that were silent stay so.
  void recover();
  // Returns when every connection has been reset.
  void reset_all();
  size_t connections() const;  // that were ever made
  // The most connections that clients had open at a time since the last call; those open now count for the
  // next.
  size_t most_at_once();

 private:
  class Network;
  std::unique_ptr<Network> network_;
};

}  // namespace daruma
