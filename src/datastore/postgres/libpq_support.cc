#include "datastore/postgres/libpq_support.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace daruma::postgres {

namespace {

constexpr std::array<std::string_view, 6> kSslModes = {"disable", "allow",     "prefer",
                                                       "require", "verify-ca", "verify-full"};
// A dead network is noticed within this: by the kernel for bytes on their way, by keepalives for silence (10
// + 3 * 5 s).
constexpr const char* kUserTimeoutMs = "25000";
constexpr Duration kSendTimeout = 60s;

std::string server_name(const ConnectionSettings& settings) {
  return fmt::format("{}:{}", settings.host.empty() ? "local socket" : settings.host, settings.port);
}

Error cancelled() { return {Errc::kCancelled, "the wait for PostgreSQL was interrupted"}; }

// poll(2) counts in milliseconds: rounded up, so that it never wakes before the deadline only to wait again.
int poll_timeout_ms(Duration left) {
  constexpr int64_t kLongest = 3'600'000;
  const int64_t ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::min<Duration>(left, 1h)).count();
  return static_cast<int>(std::min<int64_t>(ms + 1, kLongest));
}

class Parameters {
 public:
  void add(const char* keyword, std::string value) {
    if (value.empty()) return;  // libpq's default
    keywords_.push_back(keyword);
    values_.push_back(std::move(value));
  }
  PGconn* start() {
    std::vector<const char*> values;
    for (const std::string& value : values_) values.push_back(value.c_str());
    values.push_back(nullptr);
    keywords_.push_back(nullptr);
    return PQconnectStartParams(keywords_.data(), values.data(), 0);
  }

 private:
  std::vector<const char*> keywords_;
  std::vector<std::string> values_;
};

PGconn* start_connection(const Link::Options& options) {
  Parameters parameters;
  parameters.add("host", options.settings.host);
  parameters.add("port", std::to_string(options.settings.port));
  parameters.add("user", options.settings.user);
  parameters.add("password", options.settings.password);
  parameters.add("sslmode", options.settings.sslmode);
  parameters.add("application_name", options.application_name);
  parameters.add("client_encoding", "UTF8");
  parameters.add("keepalives", "1");
  parameters.add("keepalives_idle", "10");
  parameters.add("keepalives_interval", "5");
  parameters.add("keepalives_count", "3");
  parameters.add("tcp_user_timeout", kUserTimeoutMs);
  if (options.replication) {
    parameters.add("replication", "true");
  } else {
    parameters.add("dbname", options.settings.dbname);
  }
  return parameters.start();
}

}  // namespace

Link::Link(Clock& clock) : clock_(clock) {}

Link::~Link() {
  if (wake_ >= 0) ::close(wake_);
}

Result<std::unique_ptr<Link>> Link::connect(const Options& options, Clock& clock, Deadline deadline) {
  const std::string& sslmode = options.settings.sslmode;
  if (!sslmode.empty() && std::find(kSslModes.begin(), kSslModes.end(), sslmode) == kSslModes.end()) {
    return Error{Errc::kInvalid, fmt::format("sslmode '{}' is unknown", sslmode),
                 fmt::format("use one of {}", fmt::join(kSslModes, ", "))};
  }
  auto link = std::make_unique<Link>(clock);
  DR_OK(link->make_wake());
  DR_OK(link->establish(options, deadline));
  return link;
}

Status Link::make_wake() {
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return Error{Errc::kFailed, fmt::format("eventfd: {}", std::strerror(errno))};
  return {};
}

Status Link::establish(const Options& options, Deadline deadline) {
  peer_ = {options.settings.user, options.settings.host, server_name(options.settings), options.replication};
  connection_.reset(start_connection(options));
  if (!connection_) return Error{Errc::kFailed, "libpq: out of memory"};
  PGconn* connection = connection_.get();
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // or a refusal would come without its SQLSTATE
  PQsetNoticeReceiver(connection, &Link::keep_warning, this);
  if (peer_.user.empty() && PQuser(connection) != nullptr) peer_.user = PQuser(connection);

  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK &&
         state != PGRES_POLLING_FAILED) {
    DR_TRY(const bool ready, wait(state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline));
    if (!ready) {
      return Error{Errc::kUnavailable,
                   fmt::format("connecting to PostgreSQL at {}: no answer in time", peer_.server)};
    }
    state = PQconnectPoll(connection);
  }
  if (PQstatus(connection) != CONNECTION_OK) return connection_error(options);
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  if (PQsetnonblocking(connection, 1) != 0) return broken("connecting");
  return {};
}

Error Link::connection_error(const Options& options) const {
  const std::string doing = fmt::format("connecting to PostgreSQL at {} as {}", peer_.server, peer_.user);
  ServerFault fault = parse_connection_failure(PQerrorMessage(connection_.get()));
  if (PQconnectionNeedsPassword(connection_.get()) && options.settings.password.empty()) {
    fault = {"28P01", "the server asks for a password and none was given"};
  }
  return server_error(fault, peer_, doing);
}

Result<bool> Link::wait(short events, Deadline deadline) {
  while (true) {
    std::array<pollfd, 2> fds{};
    fds[0] = {PQsocket(connection_.get()), events, 0};
    fds[1] = {wake_, POLLIN, 0};
    const Duration left = deadline.left(clock_.mono());
    const int ready = ::poll(fds.data(), fds.size(), left == Duration{0} ? 0 : poll_timeout_ms(left));
    if (ready < 0 && errno != EINTR)
      return Error{Errc::kFailed, fmt::format("poll: {}", std::strerror(errno))};
    if (ready > 0 && fds[1].revents != 0) return cancelled();
    if (ready > 0 && fds[0].revents != 0) return true;
    if (ready >= 0 && left == Duration{0}) return false;
  }
}

Status Link::send(const std::string& command, const std::vector<std::string>& parameters) {
  if (!given_up_.empty()) return Error{Errc::kUnavailable, given_up_};
  DR_OK(check_interrupted());
  warning_.clear();
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const int sent =
      peer_.replication  // it knows the simple protocol only
          ? PQsendQuery(connection_.get(), command.c_str())
          : PQsendQueryParams(connection_.get(), command.c_str(), static_cast<int>(values.size()), nullptr,
                              values.data(), nullptr, nullptr, 0);
  if (sent == 0) return broken("sending a command");
  return flush("sending a command");
}

Status Link::flush(const std::string& doing) {
  const Deadline deadline = clock_.after(kSendTimeout);
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return broken(doing);
    // The server may want its own bytes read before it takes ours.
    DR_TRY(const bool ready, wait(POLLIN | POLLOUT, deadline));
    if (!ready) return given_up(doing, kSendTimeout);
    if (PQconsumeInput(connection_.get()) == 0) return broken(doing);
  }
}

Result<ResultHandle> Link::next_result(Deadline deadline, const std::string& doing) {
  DR_OK(check_interrupted());
  while (PQisBusy(connection_.get())) {
    DR_TRY(const bool ready, wait(POLLIN, deadline));
    if (!ready) return Error{Errc::kCancelled, doing + ": no answer before the deadline"};
    if (PQconsumeInput(connection_.get()) == 0) return broken(doing);
  }
  ResultHandle result(PQgetResult(connection_.get()));
  if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return fault(result.get(), doing);
  return result;
}

Result<ResultHandle> Link::run(const std::string& command, const std::string& doing, Duration timeout,
                               const std::vector<std::string>& parameters) {
  if (Status sent = send(command, parameters); !sent.ok()) return std::move(sent).error().in(doing);
  const Deadline deadline = clock_.after(timeout);
  Result<ResultHandle> first = next_result(deadline, doing);
  if (first.is(Errc::kCancelled) && !interrupted_) return given_up(doing, timeout);
  if (first.ok() && !*first) return Error{Errc::kFailed, doing + ": the server gave no result"};
  const Status rest = drain(doing, timeout);
  if (first.ok() && !rest.ok()) return rest.error();
  return first;
}

Status Link::one_row_at_a_time(const std::string& doing) {
  return PQsetSingleRowMode(connection_.get()) == 1 ? Status() : Status(broken(doing));
}

Status Link::drain(const std::string& doing, Duration timeout) {
  const Deadline deadline = clock_.after(timeout);
  Status worst;
  while (true) {
    Result<ResultHandle> next = next_result(deadline, doing);
    if (next.is(Errc::kCancelled)) return interrupted_ ? next.error() : given_up(doing, timeout);
    if (!next.ok() && worst.ok()) worst = next.error();
    if (PQstatus(connection_.get()) == CONNECTION_BAD || (next.ok() && !*next)) return worst;
  }
}

Result<CopyMessage> Link::copy_message_now(const std::string& doing) {
  for (int round = 0; round < 2; ++round) {
    char* memory = nullptr;
    const int size = PQgetCopyData(connection_.get(), &memory, 1);
    CopyMessage message;
    message.memory.reset(memory);
    if (size > 0) {
      message.kind = CopyMessage::Kind::kData;
      message.bytes = as_bytes({memory, static_cast<size_t>(size)});
      return message;
    }
    if (size == -1) {
      message.kind = CopyMessage::Kind::kEnd;
      return message;
    }
    if (size == -2) return broken(doing);
    if (round == 0 && PQconsumeInput(connection_.get()) == 0) return broken(doing);
  }
  return CopyMessage{};
}

Result<CopyMessage> Link::copy_message(Deadline deadline, const std::string& doing) {
  DR_OK(check_interrupted());
  while (true) {
    DR_TRY(CopyMessage message, copy_message_now(doing));
    if (message.kind != CopyMessage::Kind::kNone) return message;
    DR_TRY(const bool ready, wait(POLLIN, deadline));
    if (!ready) return CopyMessage{};
  }
}

Status Link::put_copy(BytesView bytes, const std::string& doing) {
  DR_OK(check_interrupted());
  const auto* data = reinterpret_cast<const char*>(bytes.data());
  if (PQputCopyData(connection_.get(), data, static_cast<int>(bytes.size())) != 1) return broken(doing);
  return flush(doing);
}

Status Link::end_copy(const std::string& doing) {
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) return broken(doing);
  return flush(doing);
}

Result<std::string> Link::quoted(const std::string& identifier) {
  if (identifier.find('\0') != std::string::npos) return Error{Errc::kInvalid, "a name with a NUL in it"};
  const std::unique_ptr<char, FreeMemory> text(
      PQescapeIdentifier(connection_.get(), identifier.data(), identifier.size()));
  if (!text) return Error{Errc::kInvalid, fmt::format("'{}' is no valid name", identifier)};
  return std::string(text.get());
}

void Link::interrupt() {
  interrupted_ = true;
  const uint64_t one = 1;
  // Fails only when it is readable already, which is all we want.
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

Status Link::check_interrupted() const { return interrupted_ ? Status(cancelled()) : Status(); }

Error Link::broken(const std::string& doing) const {
  const ServerFault fault = parse_connection_failure(PQerrorMessage(connection_.get()));
  return server_error({"", fault.message.empty() ? "the connection broke" : fault.message}, peer_,
                      fmt::format("{}, PostgreSQL at {}", doing, peer_.server));
}

Error Link::given_up(const std::string& doing, Duration timeout) {
  given_up_ =
      fmt::format("{}: PostgreSQL at {} did not answer for {}", doing, peer_.server, human_duration(timeout));
  return {Errc::kUnavailable, given_up_};
}

Error Link::fault(const PGresult* result, const std::string& doing) const {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  ServerFault fault{field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_DETAIL)};
  if (fault.sqlstate.empty()) return broken(doing);  // libpq's own finding: the server is gone
  return server_error(fault, peer_, fmt::format("{}, PostgreSQL at {}", doing, peer_.server));
}

void Link::keep_warning(void* link, const PGresult* notice) {
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char* message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (severity == nullptr || message == nullptr || std::string_view(severity) != "WARNING") return;
  static_cast<Link*>(link)->warning_ = message;
}

}  // namespace daruma::postgres
