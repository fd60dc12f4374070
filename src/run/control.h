// run/control.h: how people reach a run that is being carried out: a socket at STATE/control/RUN.
//
// Whoever connects is who the kernel says (SO_PEERCRED); what they ask becomes a letter to the engine, and
// the engine's answer goes back. One request a connection: {"ask":"approve"|"answer"|"abort", …} and
// {"ok":true} or {"what":…,"hint":…}. {"ask":"look"} is answered with what the run asks of whoever connects
// (run/asked.h), and nothing else of the run.
// Threads: the server has one of its own; letter() is called by the engine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "os/clock.h"
#include "os/users.h"
#include "run/engine.h"

namespace daruma::run {

struct Request {
  enum class Kind : uint8_t { kApprove, kAnswer, kAbort };
  Kind kind = Kind::kApprove;
  std::string step;
  bool yes = true;  // agree; it is done
  bool break_glass = false;
  std::string reason = {};
};

Person person_of(const User& user);
// What the journal will say of a request.
EventBody event_of(const Request& request, const Person& by);

class ControlServer {
 public:
  virtual ~ControlServer() = default;
  virtual std::optional<Letter> letter() = 0;
  // A request of our own, as if it had come over the socket.
  virtual void put(const Request& request, const Person& by) = 0;
  // What the run asks of people from now on: asked_of().
  virtual void show(Value asked) = 0;
};

// Listens until destroyed.
Result<std::unique_ptr<ControlServer>> serve_control(FileSystem& fs, const Path& state,
                                                     const std::string& run);

// What the run asks of us: asked_for(). kUnavailable, kNotFound: nobody carries it out.
Result<Value> look_control(const Path& state, const std::string& run, Duration patience);
// Asks whoever carries the run out. kUnavailable: nobody does. Else the engine's answer.
Status ask_control(const Path& state, const std::string& run, const Request& request, Duration patience);

}  // namespace daruma::run
