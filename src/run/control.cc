#include "run/control.h"

#include <deque>
#include <thread>

#include <fmt/format.h>

#include "base/enum_words.h"
#include "base/guarded.h"
#include "os/files.h"
#include "os/offspring.h"
#include "os/unix_socket.h"

namespace daruma::run {
namespace {

constexpr std::string_view kKinds[] = {"approve", "answer", "abort"};
constexpr Duration kAskWithin = 2s;  // for a client to say what it wants

Path socket_of(const Path& state, const std::string& run) { return state / "control" / run; }

std::string to_message(const Request& request) {
  Value value;
  value.set("ask", kKinds[static_cast<size_t>(request.kind)])
      .set("step", request.step)
      .set("yes", request.yes);
  value.set("break_glass", request.break_glass).set("reason", request.reason);
  return to_json(value);
}

Result<Request> request_of(const std::string& text) {
  DR_TRY(const Value value, parse_json(text));
  Request request;
  const std::string word = value.text_at("ask");
  const auto kind = enum_named<Request::Kind>(kKinds, word);
  if (!kind) return Error{Errc::kInvalid, fmt::format("'{}' is not something to ask of a run", word)};
  request.kind = *kind;
  request.step = value.text_at("step");
  request.yes = value.boolean_at("yes", true);
  request.break_glass = value.boolean_at("break_glass");
  request.reason = value.text_at("reason");
  return request;
}

void answer(const Descriptor& client, const Status& status) {
  Value value;
  value.set("ok", status.ok());
  if (!status.ok()) value.set("what", status.error().what).set("hint", status.error().hint);
  send_message(client.get(), to_json(value));
}

class Server final : public ControlServer {
 public:
  Server(FileSystem& fs, Path path, Descriptor listener)
      : fs_(fs),
        path_(std::move(path)),
        listener_(std::move(listener)),
        thread_([this](std::stop_token stop) { serve(stop); }) {}
  ~Server() override {
    thread_.request_stop();
    thread_.join();
    (void)fs_.remove_file(path_).ok();
  }

  std::optional<Letter> letter() override {
    auto letters = letters_.lock();
    if (letters->empty()) return std::nullopt;
    Letter next = std::move(letters->front());
    letters->pop_front();
    return next;
  }

  void put(const Request& request, const Person& by) override {
    letters_.lock()->push_back({.body = event_of(request, by)});
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (wait_readable({listener_.get()}, 100ms).empty()) continue;
      while (auto client = accept_from(listener_)) take(std::move(*client));
    }
  }

  void take(Descriptor client) {
    const auto who = peer_of(client);
    const auto message = receive_message(client.get(), kAskWithin);
    if (!who.ok() || !message) return;
    const auto request = request_of(message->text);
    if (!request.ok()) return answer(client, request.error());
    auto held = std::make_shared<Descriptor>(std::move(client));
    letters_.lock()->push_back({.body = event_of(*request, person_of(*who)),
                                .answer = [held](const Status& status) { answer(*held, status); }});
  }

  FileSystem& fs_;
  Path path_;
  Descriptor listener_;
  Guarded<std::deque<Letter>> letters_;
  std::jthread thread_;
};

}  // namespace

Person person_of(const User& user) { return {user.uid, user.name, user.groups}; }

EventBody event_of(const Request& request, const Person& by) {
  switch (request.kind) {
    case Request::Kind::kApprove:
      return ApprovalGiven{request.step, "", request.yes, by, request.reason, request.break_glass};
    case Request::Kind::kAnswer:
      return PersonAnswered{request.step, request.yes, by, request.reason};
    case Request::Kind::kAbort:
      break;
  }
  return AbortAsked{by, request.reason};
}

Result<std::unique_ptr<ControlServer>> serve_control(FileSystem& fs, const Path& state,
                                                     const std::string& run) {
  const Path path = socket_of(state, run);
  // Others may reach the sockets, and nothing else: who they are decides what they may.
  DR_OK(create_dirs(fs, path.parent_path(), 0711));
  DR_OK(fs.set_mode(path.parent_path(), 0711));
  DR_OK(fs.set_mode(state, 0711));
  DR_TRY(Descriptor listener, listen_at(path));
  DR_OK(fs.set_mode(path, 0666));
  return std::unique_ptr<ControlServer>(std::make_unique<Server>(fs, path, std::move(listener)));
}

Status ask_control(const Path& state, const std::string& run, const Request& request, Duration patience) {
  DR_TRY(const Descriptor server, connect_to(socket_of(state, run)));
  if (!send_message(server.get(), to_message(request)))
    return Error{Errc::kUnavailable, fmt::format("run {}: whoever carries it out does not listen", run),
                 fmt::format("see whether it goes on: daruma runs {0}; else: daruma resume {0}", run)};
  const auto reply = receive_message(server.get(), patience);
  if (!reply || reply->text.empty())
    return Error{Errc::kUnavailable,
                 fmt::format("run {}: no answer within {}", run, human_duration(patience)),
                 fmt::format("see whether it was heard: daruma runs {}", run)};
  DR_TRY(const Value value, parse_json(reply->text));
  if (value.boolean_at("ok")) return {};
  return Error{Errc::kRefused, value.text_at("what"), value.text_at("hint")};
}

}  // namespace daruma::run
