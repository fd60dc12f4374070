#include "probe/redis.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "os/files.h"
#include "probe/rdb_check.h"

namespace daruma::probe {
namespace {

constexpr size_t kHeadMost = 512;
constexpr size_t kBlock = 256 * 1024;

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

// nullopt: no time is left. A timeval of zero would mean for ever.
std::optional<timeval> time_left(Clock& clock, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline.left(clock.mono()));
  if (left.count() <= 0) return std::nullopt;
  const auto bounded = std::clamp<int64_t>(left.count(), 1000, 3'600'000'000);
  return timeval{bounded / 1'000'000, bounded % 1'000'000};
}

Value value_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return Value(static_cast<int64_t>(reply.integer));
    case REDIS_REPLY_NIL:
      return {};
    case REDIS_REPLY_ARRAY: {
      Value::List list;
      for (size_t i = 0; i < reply.elements; ++i) list.push_back(value_of(*reply.element[i]));
      return Value(std::move(list));
    }
    default:
      return Value(std::string(reply.str, reply.len));
  }
}

Error error_of(const std::string& where, const std::string& command, const std::string& words) {
  const bool rights = words.starts_with("NOAUTH") || words.starts_with("WRONGPASS") ||
                      words.starts_with("NOPERM") || words.find("invalid password") != std::string::npos;
  Error error{rights ? Errc::kRefused : Errc::kFailed,
              fmt::format("Redis at {}: {}: {}", where, command, words)};
  if (rights) error.hint = "look at datastores.NAME.connection.user and .password in daruma.yaml";
  return error;
}

}  // namespace

struct RedisTalk::Parts {
  Context context;
  std::string where;
  Clock& clock;

  Error broken() const {
    if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT))
      return {Errc::kCancelled, fmt::format("Redis at {} did not answer in time", where)};
    const std::string cause = context->err != 0 ? context->errstr : "the connection ended";
    return {Errc::kUnavailable, fmt::format("Redis at {}: {}", where, cause)};
  }
  Error late() const { return {Errc::kCancelled, fmt::format("Redis at {}: no time is left", where)}; }

  // At least one byte.
  Result<size_t> read_some(std::span<std::byte> out, Deadline deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left(clock.mono())).count();
    pollfd ready{context->fd, POLLIN, 0};
    const int timeout = static_cast<int>(std::min<int64_t>(left, 3'600'000));
    if (timeout <= 0 || ::poll(&ready, 1, timeout) == 0) return late();
    const ssize_t size = ::recv(context->fd, out.data(), out.size(), 0);
    if (size > 0) return static_cast<size_t>(size);
    return Error{Errc::kUnavailable,
                 fmt::format("Redis at {} ended the connection while it sent its data", where)};
  }

  // The size that stands before the data; `rest` has what was read behind it.
  Result<uint64_t> read_head(std::string& rest, Deadline deadline) {
    for (;;) {
      // Empty lines only say that the server is still at it.
      rest.erase(0, std::min(rest.find_first_not_of('\n'), rest.size()));
      const size_t end = rest.find("\r\n");
      if (end != std::string::npos) {
        const std::string line = rest.substr(0, end);
        rest.erase(0, end + 2);
        uint64_t size = 0;
        const auto read = std::from_chars(line.data() + 1, line.data() + line.size(), size);
        if (line.front() == '$' && read.ec == std::errc() && read.ptr == line.data() + line.size())
          return size;
        return error_of(where, "SYNC", line);
      }
      if (rest.size() > kHeadMost) return error_of(where, "SYNC", "an answer that is none");
      std::array<std::byte, 256> block;
      DR_TRY(const size_t size, read_some(block, deadline));
      rest += as_text(BytesView(block).first(size));
    }
  }

  // Writes `size` bytes, of which `begun` are there already.
  Status receive(File& file, uint64_t size, std::string begun, Deadline deadline) {
    if (begun.size() > size) begun.resize(size);
    RdbCheck check(size);
    uint64_t at = 0;
    const auto take = [&](BytesView bytes) {
      check.add(bytes);
      const Status written = file.write_at(at, bytes);
      at += bytes.size();
      return written;
    };
    if (!begun.empty()) DR_OK(take(as_bytes(begun)));
    Bytes block(kBlock);
    while (at < size) {
      const auto want = std::span(block).first(std::min<uint64_t>(block.size(), size - at));
      DR_TRY(const size_t got, read_some(want, deadline));
      DR_OK(take(want.first(got)));
    }
    if (const std::string wrong = check.what_is_wrong(); !wrong.empty())
      return Error{Errc::kCorrupt, fmt::format("the data of Redis at {}: {}", where, wrong)};
    return file.sync();
  }
};

RedisTalk::RedisTalk(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RedisTalk::RedisTalk(RedisTalk&&) noexcept = default;
RedisTalk::~RedisTalk() = default;

Result<RedisTalk> RedisTalk::connect(const ConnectionConfig& connection, const std::string& password,
                                     Clock& clock, Deadline deadline) {
  // hiredis writes by write(2): to a connection that is gone, that is a signal whose default is the end.
  ::signal(SIGPIPE, SIG_IGN);
  const bool by_path = connection.host.starts_with('/');
  const std::string where =
      by_path ? connection.host : fmt::format("{}:{}", connection.host, connection.port);
  const auto left = time_left(clock, deadline);
  if (!left) return Error{Errc::kCancelled, fmt::format("Redis at {}: no time is left", where)};
  Context context(by_path ? redisConnectUnixWithTimeout(connection.host.c_str(), *left)
                          : redisConnectWithTimeout(connection.host.c_str(), connection.port, *left));
  if (!context) return Error{Errc::kFailed, "no memory for a connection"};
  if (context->err != 0)
    return Error{Errc::kUnavailable, fmt::format("Redis at {}: {}", where, context->errstr)};
  RedisTalk talk(std::make_unique<Parts>(Parts{std::move(context), where, clock}));
  if (password.empty()) return talk;
  std::vector<std::string> hello{"AUTH"};
  if (!connection.user.empty()) hello.push_back(connection.user);
  hello.push_back(password);
  DR_OK(talk.ask(hello, deadline));
  return talk;
}

Result<Value> RedisTalk::ask(const std::vector<std::string>& command, Deadline deadline) {
  const auto left = time_left(parts_->clock, deadline);
  if (!left) return parts_->late();
  if (redisSetTimeout(parts_->context.get(), *left) != REDIS_OK) return parts_->broken();
  std::vector<const char*> words;
  std::vector<size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  errno = 0;
  const Reply reply(static_cast<redisReply*>(
      redisCommandArgv(parts_->context.get(), static_cast<int>(words.size()), words.data(), sizes.data())));
  if (!reply) return parts_->broken();
  if (reply->type == REDIS_REPLY_ERROR)
    return error_of(parts_->where, command.front(), std::string(reply->str, reply->len));
  return value_of(*reply);
}

Result<std::map<std::string, std::string, std::less<>>> RedisTalk::info(Deadline deadline) {
  DR_TRY(const Value reply, ask({"INFO"}, deadline));
  if (!reply.text()) return error_of(parts_->where, "INFO", "an answer that is none");
  std::map<std::string, std::string, std::less<>> fields;
  std::string_view rest = *reply.text();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && !line.starts_with('#'))
      fields.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return fields;
}

Result<uint64_t> RedisTalk::copy_data(FileSystem& fs, const Path& file, Deadline deadline) {
  static constexpr std::string_view kCommand = "SYNC\r\n";
  if (::send(parts_->context->fd, kCommand.data(), kCommand.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kCommand.size()))
    return parts_->broken();
  std::string rest;
  DR_TRY(const uint64_t size, parts_->read_head(rest, deadline));
  const Path temporary = file.native() + ".new";
  if (const Status removed = fs.remove_file(temporary); !removed.ok() && !removed.is(Errc::kNotFound))
    return removed.error();
  DR_TRY(const auto out, fs.create(temporary));
  DR_OK(parts_->receive(*out, size, std::move(rest), deadline));
  DR_OK(fs.rename(temporary, file));
  DR_OK(fs.sync_dir(file.parent_path()));
  return size;
}

}  // namespace daruma::probe
