// service/connection.h: one client's connection: its requests in order, each answered before the next is
// read.
//
// What can be answered at once costs one read and one write and never leaves run(); handlers that wait are
// awaited in it. Deadlines are values that ServerCore looks at: overdue() answers 408 or 503 from outside,
// and what the handler brings later is dropped.
// Owns:    the socket, the request's bytes, the answer being sent.
// Threads: the worker's one.
#pragma once

#include <memory>
#include <string>

#include "os/file_sender.h"
#include "service/request_reader.h"
#include "service/server_core.h"
#include "service/task.h"

namespace daruma::service {

class Connection {
 public:
  Connection(std::shared_ptr<ServerCore> core, Socket socket, const boost::asio::ip::tcp::endpoint& peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves until the connection ends.
  Task<void> run();

  MonoInstant deadline() const { return deadline_; }
  // The deadline passed: answers where the client is owed an answer, and sets the next deadline or closes.
  void overdue(MonoInstant now);
  // No request is being read, handled or answered: ends at `at` if it stays so.
  void end_if_idle_at(MonoInstant at);
  void close();

  size_t place = 0;  // ServerCore's

 private:
  enum class Phase : uint8_t { kIdle, kHead, kBody, kHandling, kSending, kEnding, kGivenUp };
  enum class Next : uint8_t { kReceive, kHandle, kSend, kDiscard };

  Next go_on();
  void enter(Phase phase, MonoInstant until);
  void received(size_t count);
  void begin_request();
  bool receive_body();
  bool respond_at_once();
  void respond_unrouted();
  void refuse();
  void fail(const std::exception_ptr& thrown);
  Response own_problem(int status, std::string_view detail) const;

  void prepare_body();
  void answer();
  void send_rest();
  void keep_unsent(std::string_view head, std::string_view body, size_t sent);
  void answered(MonoInstant now);
  void give_up(int status, std::string_view detail);
  std::string_view body() const;

  const std::shared_ptr<ServerCore> core_;
  Socket socket_;
  RequestReader reader_;
  const bool loopback_;

  Phase phase_ = Phase::kIdle;
  MonoInstant deadline_{Duration::max()};
  bool open_ = true;
  bool close_after_ = false;
  bool told_to_continue_ = false;

  Router::Match match_;
  MonoInstant started_;  // the request being served
  Response response_;
  std::string unsent_;    // of the head
  size_t body_sent_ = 0;  // or of the file
  FileSender file_;
};

}  // namespace daruma::service
