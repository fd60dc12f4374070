// service/postgres_connection.h: one connection of a pool: libpq, not blocking, one batch of statements at a
// time in pipeline mode. For service/postgres.cc.
//
// Owns:    the connection to the server; borrowed are the settings, which outlive it.
// Threads: the worker's one.
#pragma once

#include <libpq-fe.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "service/postgres.h"
#include "service/wakeup.h"

namespace daruma::service {

// Statements that go to the server together and are one transaction. Lives in the coroutine that waits.
struct PostgresBatch {
  struct Part {
    const Statement* statement;
    const SqlValues* values;
  };

  std::span<const Part> parts;
  std::span<Rows> rows;  // filled in, one for each part
  Deadline deadline;
  MonoInstant begun = {};
  Status status = {};
  bool late = false;      // ended by its deadline
  bool complete = false;  // nothing will happen to it any more
  Wakeup done = {};
};

class PostgresConnection : public std::enable_shared_from_this<PostgresConnection> {
 public:
  struct Events {
    // The batch has ended, its status says how. With `lost` the connection is closed as well.
    std::function<void(PostgresConnection& self, PostgresBatch& batch)> ended;
    // The connection was lost while it was idle; closed.
    std::function<void(PostgresConnection& self, const std::string& cause)> lost;
  };

  PostgresConnection(boost::asio::io_context& io, const PostgresSettings& settings, const Clock& clock,
                     Events events);
  ~PostgresConnection() { end(); }
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // kUnavailable: no connection within connect_time_max.
  Task<Status> connect();
  bool open() const { return connection_ != nullptr; }
  PostgresBatch* batch() const { return batch_; }

  // Sends a batch; the connection is open and idle. False: it turned out to be lost, nothing was sent, and it
  // is closed; the cause is in lost_cause().
  bool send(PostgresBatch& batch);
  // Closes under a batch whose deadline has passed: it ends with kUnavailable.
  void cancel();
  // Closes for good and tells nobody.
  void end();
  // Why the connection was lost; "" when we closed it ourselves.
  const std::string& lost_cause() const { return lost_cause_; }

 private:
  void close();
  Task<Status> connect_to(std::string address);
  Task<bool> ready(bool to_write);
  Task<Status> poll_until_open();
  std::vector<std::pair<const char*, std::string>> parameters(const std::string& address) const;
  Status start_using();
  bool server_is_there();
  bool append(const PostgresBatch::Part& part);
  bool flush();
  void wait_for_answer();
  void wait_for_room();
  void on_readable();
  bool read_results();
  void take(PGresult* result);
  void take_error(const PGresult* result);
  void fail(const std::string& cause);
  std::string message() const;

  boost::asio::io_context& io_;
  const PostgresSettings& settings_;
  const Clock& clock_;
  const Events events_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;  // of connect()
  PGconn* connection_ = nullptr;
  // Handlers of connections that were here before come late, and find another number.
  uint64_t generation_ = 0;
  std::unordered_set<const Statement*> prepared_;
  PostgresBatch* batch_ = nullptr;
  // What the answers to come are to, in order: a part that is prepared has one for that before its own.
  struct Expected {
    const Statement* statement;
    bool preparation;
    bool fresh;  // prepared in this batch
  };
  std::vector<Expected> expected_;
  size_t answered_ = 0;
  size_t filled_ = 0;
  bool useless_ = false;  // close after this batch
  bool waiting_for_room_ = false;
  bool ended_ = false;
  std::vector<const char*> values_;  // kept, so that a statement allocates nothing for them
  std::string lost_cause_;
};

}  // namespace daruma::service
