#include "service/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace daruma::service {
namespace {

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr size_t kUnroutedBodyMax = 64 << 10;  // read and dropped, so that the connection can go on
constexpr Duration kEndingTime = 1s;           // for the peer to read a last answer, and to close
constexpr Duration kBodyTimePerByte = 61us;    // a body must arrive with 16 KiB a second on average
constexpr uint64_t kFilePiece = 256 << 10;     // of a file, before others have their turn

// What was taken of `head` and `body` together; 0 when nothing can be taken now, -1 when the peer is gone.
ssize_t send_now(int socket, std::string_view head, std::string_view body, bool more) {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                    {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = body.empty() ? 1 : 2;
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
  return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, Socket socket,
                       const boost::asio::ip::tcp::endpoint& peer)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      reader_(core_->settings.header_max),
      loopback_(peer.address().is_loopback()) {
  reader_.request().client = peer.address().to_string();
  core_->add(*this);
  core_->opened();
}

Connection::~Connection() {
  close();
  core_->remove(*this);
}

void Connection::close() {
  if (!open_) return;
  open_ = false;
  boost::system::error_code ignored;  // it is gone either way
  socket_.close(ignored);
  core_->closed();
}

void Connection::enter(Phase phase, MonoInstant until) {
  phase_ = phase;
  deadline_ = until;
  core_->wake_by(until);
}

Task<void> Connection::run() {
  enter(Phase::kIdle, core_->clock.mono() + core_->settings.header_time_max);
  while (open_) {
    switch (go_on()) {
      case Next::kReceive: {
        const auto room = reader_.room();
        const auto [error, count] =
            co_await socket_.async_read_some(boost::asio::buffer(room.data(), room.size()), kAwait);
        if (error) co_return;
        received(count);
        break;
      }
      case Next::kHandle: {
        core_->in_flight.add(1);
        try {
          response_ = co_await match_.route->handle(reader_.request());
        } catch (...) {
          fail(std::current_exception());
        }
        core_->in_flight.add(-1);
        if (open_ && phase_ == Phase::kHandling) answer();  // else it was given up meanwhile
        break;
      }
      case Next::kSend: {
        const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
        if (error) co_return;
        send_rest();
        break;
      }
      case Next::kDiscard: {
        const auto [error, count] =
            co_await socket_.async_read_some(boost::asio::buffer(core_->discarded), kAwait);
        if (error) co_return;
        break;
      }
    }
  }
}

// Whatever can be done without waiting; then what to wait for.
Connection::Next Connection::go_on() {
  using Step = RequestReader::Step;
  while (open_) {
    switch (phase_) {
      case Phase::kIdle:
      case Phase::kHead: {
        const Step step = reader_.read_head();
        if (step == Step::kRefused) {
          refuse();
        } else if (step == Step::kDone) {
          begin_request();
        } else {
          if (phase_ == Phase::kIdle && !reader_.untouched())
            enter(Phase::kHead, core_->clock.mono() + core_->settings.header_time_max);
          return Next::kReceive;
        }
        break;
      }
      case Phase::kBody:
        if (!receive_body()) return Next::kReceive;
        break;
      case Phase::kHandling:
        if (!respond_at_once()) {
          core_->wake_by(deadline_);
          return Next::kHandle;
        }
        answer();
        break;
      case Phase::kSending:
        return Next::kSend;
      case Phase::kEnding:
      case Phase::kGivenUp:
        return Next::kDiscard;
    }
  }
  return Next::kDiscard;  // closed: reading ends at once
}

void Connection::received(size_t count) {
  reader_.received(count);
  if (phase_ == Phase::kBody) deadline_ = deadline_ + kBodyTimePerByte * static_cast<int64_t>(count);
}

void Connection::begin_request() {
  Request& request = reader_.request();
  started_ = core_->clock.mono();
  if (reader_.sent_id().empty())
    core_->ids.next(request.id);
  else
    request.id = reader_.sent_id();
  request.from_this_host = loopback_ && !reader_.forwarded();
  match_ = core_->router.match(request.method, request.path);
  request.path_parameters = std::move(match_.path_parameters);
  told_to_continue_ = false;
  phase_ = Phase::kBody;
  deadline_ = started_ + core_->settings.header_time_max;
}

// False: more of it must come.
bool Connection::receive_body() {
  using Step = RequestReader::Step;
  const Step step = reader_.read_body(match_.route ? match_.route->body_max : kUnroutedBodyMax);
  if (step == Step::kRefused) {
    refuse();
    return true;
  }
  if (step == Step::kMore) {
    core_->wake_by(deadline_);
    if (reader_.expects_continue() && !std::exchange(told_to_continue_, true))
      send_now(socket_.native_handle(), "HTTP/1.1 100 Continue\r\n\r\n", "", false);
    return false;
  }
  if (!match_.route) {
    respond_unrouted();
    answer();
    return true;
  }
  phase_ = Phase::kHandling;
  deadline_ = core_->clock.mono() + match_.route->time_max;
  reader_.request().deadline = {deadline_};
  return true;
}

// False: the handler must be awaited.
bool Connection::respond_at_once() {
  const Route& route = *match_.route;
  try {
    if (route.handle_at_once) {
      response_ = route.handle_at_once(reader_.request());
      return true;
    }
    auto response = route.try_at_once ? route.try_at_once(reader_.request()) : std::nullopt;
    if (!response) return false;
    response_ = *std::move(response);
  } catch (...) {
    fail(std::current_exception());
  }
  return true;
}

void Connection::respond_unrouted() {
  const Request& request = reader_.request();
  const bool options = request.method == Method::kOptions;
  if (options && (!match_.allow.empty() || request.path == "*"))
    response_ = {.status = 204, .content_type = ""};
  else if (!match_.allow.empty())
    response_ = problem(
        405, std::string(name_of(request.method)) + " is not for this path, but " + match_.allow + " are");
  else
    response_ = problem(404, "there is nothing at this path");
  if (!match_.allow.empty()) response_.headers.push_back({"Allow", match_.allow});
  core_->router.mark(request, response_);
}

void Connection::refuse() {
  Request& request = reader_.request();
  if (phase_ != Phase::kBody) {  // no head, so no request yet
    started_ = core_->clock.mono();
    core_->ids.next(request.id);
    match_.route = nullptr;
  }
  close_after_ = true;
  response_ = own_problem(reader_.refusal().status, reader_.refusal().detail);
  answer();
}

void Connection::fail(const std::exception_ptr& thrown) {
  std::string what = "something that is no exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {  // said above
  }
  const std::string message =
      "bug: the handler of " + std::string(label_of(match_.route)) + " threw: " + what;
  core_->log.error(
      {.request_id = reader_.request().id, .dependency = "", .message = message, .recovered = ""});
  close_after_ = true;
  response_ = own_problem(500, "this is our fault; the error log has it under the requestId");
}

// One that no handler gave.
Response Connection::own_problem(int status, std::string_view detail) const {
  Response response = problem(status, detail);
  core_->router.mark(reader_.request(), response);
  return response;
}

std::string_view Connection::body() const {
  if (is_bodiless(response_.status) || response_.file) return {};
  return response_.shared_body ? std::string_view(*response_.shared_body) : std::string_view(response_.body);
}

// Opens the file, or says in its place that it cannot be sent.
void Connection::prepare_body() {
  if (response_.file) {
    const FileBody& part = *response_.file;
    auto file = FileSender::open(part.path);
    std::string why;
    if (!file.ok())
      why = file.error().what;
    else if (file->size() < part.offset || file->size() - part.offset < part.size)
      why = "'" + part.path + "' is shorter than what was to be sent of it";
    else
      file_ = *std::move(file);
    if (!why.empty()) {
      core_->log.error(
          {.request_id = reader_.request().id, .dependency = "disk", .message = why, .recovered = ""});
      response_ = own_problem(500, "a file could not be read; the error log has it under the requestId");
    }
  }
  if (response_.status >= 400) name_request(response_, reader_.request().id);
}

void Connection::answer() {
  prepare_body();
  close_after_ = close_after_ || !reader_.keep_alive() || core_->draining;
  const MonoInstant now = core_->clock.mono();
  std::string_view payload = body();
  const uint64_t size = response_.file ? response_.file->size : payload.size();
  const bool head_only = reader_.request().method == Method::kHead;
  if (head_only) {
    payload = {};
    response_.file.reset();
  }
  std::string& head = core_->scratch;
  head.clear();
  append_head(head, response_,
              {.request_id = reader_.request().id,
               .date = core_->date(now),
               .body_size = size,
               .close = close_after_,
               .say_alive = reader_.http_1_0()});
  core_->count(match_.route, response_.status, now - started_);
  const Request& request = reader_.request();
  core_->log.access(
      {.request_id = request.id,
       .method = request.path.empty() ? "" : name_of(request.method),  // "": it was not understood
       .path = request.path,
       .route = label_of(match_.route),
       .client = request.client,
       .status = response_.status,
       .duration = now - started_,
       .bytes = head_only ? 0 : size,
       .degraded = response_.degraded});
  const ssize_t sent = send_now(socket_.native_handle(), head, payload, response_.file.has_value());
  if (sent < 0) return close();
  if (static_cast<size_t>(sent) == head.size() + payload.size() && !response_.file) return answered(now);
  keep_unsent(head, payload, static_cast<size_t>(sent));
  enter(Phase::kSending, now + core_->settings.write_time_max);
  if (response_.file && unsent_.empty()) send_rest();
}

void Connection::keep_unsent(std::string_view head, std::string_view body, size_t sent) {
  unsent_ = head.substr(std::min(sent, head.size()));
  body_sent_ = sent - std::min(sent, head.size());
  if (body.empty() && !response_.file) {  // HEAD: nothing of what is there is sent
    response_.body.clear();
    response_.shared_body.reset();
  }
}

// One piece; the rest when the socket takes more.
void Connection::send_rest() {
  size_t progress = 0;
  if (!unsent_.empty() || !response_.file) {
    const std::string_view rest = body().substr(body_sent_);
    const ssize_t sent = send_now(socket_.native_handle(), unsent_, rest, response_.file.has_value());
    if (sent < 0) return close();
    progress = static_cast<size_t>(sent);
    const size_t of_head = std::min(progress, unsent_.size());
    unsent_.erase(0, of_head);
    body_sent_ += progress - of_head;
    if (unsent_.empty() && !response_.file && body_sent_ == body().size())
      return answered(core_->clock.mono());
  } else {
    const FileBody& part = *response_.file;
    const auto sent = part.size == body_sent_ ? Result<size_t>(0)
                                              : file_.send(socket_.native_handle(), part.offset + body_sent_,
                                                           std::min(part.size - body_sent_, kFilePiece));
    if (!sent.ok()) return close();  // its length was told: nothing else can be said any more
    progress = *sent;
    body_sent_ += progress;
    if (body_sent_ == part.size) return answered(core_->clock.mono());
  }
  if (progress > 0) enter(Phase::kSending, core_->clock.mono() + core_->settings.write_time_max);
}

void Connection::answered(MonoInstant now) {
  unsent_.clear();
  body_sent_ = 0;
  if (response_.file) file_ = FileSender();
  response_ = Response();
  const bool closing = close_after_;
  reader_.next();
  if (!closing) {
    phase_ = Phase::kIdle;
    deadline_ = now + core_->settings.idle_time_max;
    return core_->wake_by(deadline_);
  }
  boost::system::error_code gone;  // then reading ends at once
  socket_.shutdown(Socket::shutdown_send, gone);
  enter(Phase::kEnding, now + kEndingTime);
}

void Connection::end_if_idle_at(MonoInstant at) {
  if (phase_ == Phase::kIdle && at < deadline_) enter(Phase::kIdle, at);
}

void Connection::overdue(MonoInstant now) {
  deadline_ = {Duration::max()};
  switch (phase_) {
    case Phase::kHead:
      core_->ids.next(reader_.request().id);
      started_ = now;
      match_.route = nullptr;
      return give_up(408, "the request did not arrive in time");
    case Phase::kBody:
      return give_up(408, "the request's body did not arrive in time");
    case Phase::kHandling:
      return give_up(503, "this took too long and was given up; try again later");
    default:
      return close();
  }
}

// Answers in the place of run(), which waits for something else. The request stays as it is: its handler may
// still be using it.
void Connection::give_up(int status, std::string_view detail) {
  const Request& request = reader_.request();
  const MonoInstant now = core_->clock.mono();
  Response response = own_problem(status, detail);
  name_request(response, request.id);
  if (status == 503) response.headers.push_back({"Retry-After", "1"});
  std::string head;
  append_head(
      head, response,
      {.request_id = request.id, .date = core_->date(now), .body_size = response.body.size(), .close = true});
  core_->count(match_.route, status, now - started_);
  core_->log.access(
      {.request_id = request.id,
       .method = request.path.empty() ? "" : name_of(request.method),  // "": it was not understood
       .path = request.path,
       .route = label_of(match_.route),
       .client = request.client,
       .status = status,
       .duration = now - started_,
       .bytes = response.body.size()});
  send_now(socket_.native_handle(), head, response.body, false);  // what is not taken now never will be
  boost::system::error_code gone;
  socket_.shutdown(Socket::shutdown_send, gone);
  enter(Phase::kGivenUp, now + kEndingTime);
}

}  // namespace daruma::service
