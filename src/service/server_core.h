// service/server_core.h: what the connections of one server share: settings, counts, the clock's hands.
//
// Owns:    nothing but itself: its users (Server, connections, the accepting loop) hold it together, because
//          whoever ends last is not known beforehand: a handler may outlive the server.
// Threads: the worker's one.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <vector>

#include "service/response_head.h"
#include "service/server.h"

namespace daruma::service {

using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

class Connection;

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(boost::asio::io_context& context, const Router& routes, ServerSettings limits, const Clock& time,
             Random& random, Log& to, Metrics& counts);

  boost::asio::io_context& io;
  const Router& router;
  const ServerSettings settings;
  const Clock& clock;
  Log& log;
  RequestIds ids;
  Gauge in_flight;
  bool draining = false;
  std::string scratch;  // a head being written, within one turn of the loop
  std::array<char, 4096> discarded;

  // Every connection is known from its making to its end.
  void add(Connection& connection);
  void remove(Connection& connection);
  void opened();
  void closed();
  size_t open() const { return open_; }
  bool full() const { return open_ >= settings.connections_max; }
  const std::vector<Connection*>& connections() const { return connections_; }
  // Another worker has so many fewer connections that the next is its.
  bool ahead_of_others() const;
  // This worker takes no connections any more.
  void leave_balance();
  // Done, for whoever waits, when a connection was closed.
  Timer& changed() { return changed_; }

  // overdue() of a connection is called soon after its deadline. Deadlines mostly move away, so one look at
  // all of them is taken at the nearest there was, not one timer moved with each.
  void wake_by(MonoInstant at);
  // "Date" of now, made once a second.
  std::string_view date(MonoInstant now);
  // One answer: metrics. `route` null: none was meant.
  void count(const Route* route, int status, Duration duration);
  // Ends everything at once.
  void abandon();

 private:
  struct Counts {
    Histogram duration;
    std::vector<std::pair<int, Counter>> by_status;
  };
  void arm(MonoInstant at);
  void look();
  void tell_open();

  Metrics& metrics_;
  Gauge gauge_;
  std::vector<Connection*> connections_;
  size_t open_ = 0;
  std::vector<Counts> counts_;  // of each route; the last: of none
  std::string date_;
  MonoInstant date_until_{};
  Timer changed_;
  Timer alarm_;
  MonoInstant alarm_at_{Duration::max()};
  MonoInstant looked_at_{};
};

// The name of a route in metrics and logs.
std::string_view label_of(const Route* route);

}  // namespace daruma::service
