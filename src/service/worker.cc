#include "service/worker.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "os/environment.h"
#include "os/unix_socket.h"
#include "service/server_core.h"
#include "service/slots.h"

namespace daruma::service {
namespace {

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr uint64_t kOwnDescriptors = 200;
constexpr Duration kFlushEvery = 100ms;
// How long a client may take to send the next request on a connection that is being let go, so that it hears
// "Connection: close" rather than meeting a closed door.
constexpr Duration kStopLinger = 200ms;
constexpr Duration kDrainLinger = 2s;
// How long a worker waits for the first answers of what it needs before it serves all the same.
constexpr Duration kSettleMax = 2s;
constexpr Duration kSettleStep = 5ms;

LogSettings log_settings(const Program& program, const Settings& settings) {
  return {.directory = settings.path("logs"), .service = program.name};
}

ServerSettings server_settings(const Settings& settings, std::span<Cell> balance, size_t slot) {
  // More connections than descriptors would be accepted only to fail; files and clients of ours need some.
  const uint64_t descriptors = raise_descriptor_limit();
  const uint64_t connections_max =
      descriptors > 2 * kOwnDescriptors ? descriptors - kOwnDescriptors : kOwnDescriptors;
  return {.connections_max = static_cast<size_t>(
              std::min(connections_max, static_cast<uint64_t>(settings.number("connections")))),
          .header_time_max = settings.duration("header_time"),
          .idle_time_max = settings.duration("idle_time"),
          .balance = balance,
          .slot = slot};
}

// Nothing of it is ever destroyed: the process ends with it, and coroutines that still wait for something
// would find what they use gone.
class WorkerLoop {
 public:
  explicit WorkerLoop(WorkerStart start)
      : start_(std::move(start)),
        metrics_(start_.region, start_.slot),
        health_(start_.program.name, start_.program.version, *clock_),
        signals_(io_, SIGTERM, SIGINT, SIGUSR1),
        control_(io_, start_.control.release()),
        flush_timer_(io_) {}

  Status run() {
    DR_TRY(log_,
           Log::open(log_settings(start_.program, start_.settings), start_.slot, *clock_, *fs_, metrics_));
    worker_.emplace(Worker{io_, start_.settings, *clock_, *random_, *fs_, start_.region, metrics_, *log_,
                           health_, start_.slot});
    add_checks();
    service_ = start_.program.make(*worker_);
    DR_OK(service_->start(router_));
    DR_TRY(const auto balance, balance_of(start_.region));
    DR_TRY(server_, Server::create(io_, start_.listener.get(), router_,
                                   server_settings(start_.settings, balance, start_.slot), *clock_, *random_,
                                   *log_, metrics_));
    start_.listener.reset();  // the server has its own, and closes it when it drains
    for (auto task : {&WorkerLoop::obey_supervisor, &WorkerLoop::obey_signals, &WorkerLoop::flush_log,
                      &WorkerLoop::begin_serving})
      spawn((this->*task)());
    spawn(health_.watch());
    io_.run();
    log_->flush();
    return {};
  }

 private:
  void add_checks() {
    health_.add(disk_check(*fs_, start_.settings.path("logs")));
    if (const auto limit_mib = start_.settings.number("memory_limit"); limit_mib > 0)
      health_.add(memory_check(static_cast<uint64_t>(limit_mib) << 20));
    health_.add(event_loop_check(*clock_));
  }

  // What one of these throws is a bug, and ends the worker: another takes its place.
  void spawn(Task<void> task) {
    boost::asio::co_spawn(io_, std::move(task), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }

  Task<void> obey_supervisor() {
    for (;;) {
      co_await control_.async_wait(boost::asio::posix::stream_descriptor::wait_read, kAwait);
      const auto message = receive_message(control_.native_handle());
      if (!message) continue;
      if (message->text == kReopen) {
        log_->reopen();
        continue;
      }
      end(message->text == kStop ? kStopLinger : kDrainLinger);
      if (message->text.empty()) co_return;  // it is gone
    }
  }

  // Not before it is known what works: the first who ask are told the truth, and a reload shows no gap.
  // Clients wait in the kernel's queue meanwhile.
  Task<void> begin_serving() {
    Timer wait(io_);
    for (const Deadline deadline = clock_->after(kSettleMax);
         !health_.settled() && !deadline.passed(clock_->mono());) {
      wait.expires_after(kSettleStep);
      co_await wait.async_wait(kAwait);
    }
    if (!ending_) server_->start();
    send_message(control_.native_handle(), std::string(kReady));
  }

  Task<void> obey_signals() {
    for (;;) {
      const auto [error, number] = co_await signals_.async_wait(kAwait);
      if (error) co_return;
      if (number == SIGUSR1)
        log_->reopen();
      else
        end(kStopLinger);
    }
  }

  Task<void> flush_log() {
    for (;;) {
      flush_timer_.expires_after(kFlushEvery);
      co_await flush_timer_.async_wait(kAwait);
      log_->flush();
    }
  }

  void end(Duration linger) {
    if (!std::exchange(ending_, true)) spawn(drain(linger));
  }
  Task<void> drain(Duration linger) {
    health_.set_draining();
    const Duration time = start_.settings.duration("drain");
    co_await server_->drain(std::min(linger, time), clock_->after(time));
    co_await service_->stop();
    io_.stop();
  }

  WorkerStart start_;
  boost::asio::io_context io_{1};
  const std::unique_ptr<Clock> clock_ = real_clock();
  const std::unique_ptr<Random> random_ = real_random();
  const std::unique_ptr<FileSystem> fs_ = real_file_system();
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  Health health_;
  Router router_;
  std::optional<Worker> worker_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  boost::asio::signal_set signals_;
  boost::asio::posix::stream_descriptor control_;
  Timer flush_timer_;
  bool ending_ = false;
};

}  // namespace

void run_worker(WorkerStart start) {
  const int control = start.control.get();
  std::string why;
  try {
    static std::optional<WorkerLoop> loop;
    const Status status = loop.emplace(std::move(start)).run();
    if (status.ok()) ::_exit(0);
    why = status.error().what;
    if (!status.error().hint.empty()) why += " (" + status.error().hint + ")";
  } catch (const std::exception& error) {
    why = std::string("bug: ") + error.what();
  }
  send_message(control, std::string(kFailed) + why);
  ::_exit(1);
}

}  // namespace daruma::service
