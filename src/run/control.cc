#include "run/control.h"

#include <deque>
#include <thread>

#include <fmt/format.h>

#include "base/enum_words.h"
#include "base/guarded.h"
#include "os/files.h"
#include "os/offspring.h"
#include "os/unix_socket.h"
#include "run/asked.h"

namespace daruma::run {
namespace {

constexpr std::string_view kKinds[] = {"approve", "answer", "abort"};
constexpr std::string_view kLook = "look";
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

Result<Request> request_of(const Value& value) {
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

  void show(Value asked) override { *asked_.lock() = std::move(asked); }

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
    const auto value = parse_json(message->text);
    if (!value.ok()) return answer(client, value.error());
    if (value->text_at("ask") == kLook) return answer_look(client, person_of(*who));
    const auto request = request_of(*value);
    if (!request.ok()) return answer(client, request.error());
    auto held = std::make_shared<Descriptor>(std::move(client));
    letters_.lock()->push_back({.body = event_of(*request, person_of(*who)),
                                .answer = [held](const Status& status) { answer(*held, status); }});
  }

  void answer_look(const Descriptor& client, const Person& person) {
    const auto seen = asked_for(*asked_.lock(), person);
    if (!seen.ok()) return answer(client, seen.error());
    send_message(client.get(), to_json(Value().set("ok", true).set("asked", *seen)));
  }

  FileSystem& fs_;
  Path path_;
  Descriptor listener_;
  Guarded<Value> asked_;
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

namespace {

// The answer of whoever carries the run out.
Result<Value> talk(const Path& state, const std::string& run, const std::string& message, Duration patience) {
  DR_TRY(const Descriptor server, connect_to(socket_of(state, run)));
  if (!send_message(server.get(), message))
    return Error{Errc::kUnavailable, fmt::format("run {}: whoever carries it out does not listen", run),
                 fmt::format("see whether it goes on: daruma runs {0}; else: daruma resume {0}", run)};
  const auto reply = receive_message(server.get(), patience);
  if (!reply || reply->text.empty())
    return Error{Errc::kUnavailable,
                 fmt::format("run {}: no answer within {}", run, human_duration(patience)),
                 fmt::format("see whether it was heard: daruma runs {}", run)};
  DR_TRY(Value value, parse_json(reply->text));
  if (value.boolean_at("ok")) return value;
  return Error{Errc::kRefused, value.text_at("what"), value.text_at("hint")};
}

}  // namespace

Result<Value> look_control(const Path& state, const std::string& run, Duration patience) {
  DR_TRY(const Value value, talk(state, run, to_json(Value().set("ask", std::string(kLook))), patience));
  const Value* asked = value.find("asked");
  return asked ? *asked : Value();
}

Status ask_control(const Path& state, const std::string& run, const Request& request, Duration patience) {
  DR_OK(talk(state, run, to_message(request), patience));
  return {};
}

}  // namespace daruma::run
