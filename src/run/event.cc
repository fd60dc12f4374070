#include "run/event.h"

#include <fmt/format.h>

#include "base/enum_words.h"

namespace daruma::run {
namespace {

constexpr std::string_view kVerbs[] = {"act", "reconcile", "undo"};
constexpr std::string_view kOutcomes[] = {"succeeded", "failed"};
constexpr std::string_view kCuts[] = {"not", "late", "died"};
constexpr std::string_view kRunOutcomes[] = {"succeeded", "incomplete", "failed", "aborted"};

// Writes the fields of an event into a value.
class Writer {
 public:
  void field(const char* name, const std::string& value) { body.set(name, value); }
  void field(const char* name, bool value) { body.set(name, value); }
  void field(const char* name, uint32_t value) { body.set(name, value); }
  void field(const char* name, uint64_t value) { body.set(name, value); }
  void field(const char* name, int64_t value) { body.set(name, value); }
  void field(const char* name, const Value& value) { body.set(name, value); }
  void field(const char* name, Instant value) { body.set(name, value.micros); }
  void field(const char* name, Duration value) { body.set(name, value.count()); }
  void field(const char* name, Verb value) { body.set(name, kVerbs[static_cast<size_t>(value)]); }
  void field(const char* name, Outcome value) { body.set(name, kOutcomes[static_cast<size_t>(value)]); }
  void field(const char* name, Cut value) { body.set(name, kCuts[static_cast<size_t>(value)]); }
  void field(const char* name, RunOutcome value) { body.set(name, to_string(value)); }
  void field(const char* name, Target value) { body.set(name, to_string(value)); }
  void field(const char* name, const std::vector<std::string>& value) {
    body.set(name, Value::List(value.begin(), value.end()));
  }
  void field(const char* name, const Person& value) {
    Writer inner;
    inner.field("uid", value.uid);
    inner.field("name", value.name);
    inner.field("groups", value.groups);
    body.set(name, std::move(inner.body));
  }
  void field(const char* name, const Approval& value) {
    Writer inner;
    inner.field("count", value.count);
    inner.field("groups", value.groups);
    body.set(name, std::move(inner.body));
  }
  void field(const char* name, const FrozenPlan& value) { body.set(name, to_value(value)); }

  // What journals of older darumas lack.
  template <class T>
  void maybe(const char* name, const T& value) {
    field(name, value);
  }

  Value body = Value::Map();
};

// Reads them back; remembers the first that is not as it should be.
class Reader {
 public:
  explicit Reader(const Value& body) : body_(body) {}

  void field(const char* name, std::string& out) { take(name, &Value::text, out); }
  void field(const char* name, bool& out) { take(name, &Value::boolean, out); }
  void field(const char* name, uint32_t& out) { whole(name, UINT32_MAX, out); }
  void field(const char* name, uint64_t& out) { whole(name, INT64_MAX, out); }
  void field(const char* name, int64_t& out) { take(name, &Value::integer, out); }
  void field(const char* name, Value& out) {
    if (const Value* value = body_.find(name))
      out = *value;
    else
      wrong(name);
  }
  void field(const char* name, Instant& out) { field(name, out.micros); }
  void field(const char* name, Duration& out) {
    int64_t count = 0;
    field(name, count);
    out = Duration(count);
  }
  void field(const char* name, Verb& out) { word(name, kVerbs, out); }
  void field(const char* name, Outcome& out) { word(name, kOutcomes, out); }
  void field(const char* name, Cut& out) { word(name, kCuts, out); }
  void field(const char* name, RunOutcome& out) { word(name, kRunOutcomes, out); }
  void field(const char* name, Target& out) { take_word(name, target_named(body_.text_at(name)), out); }
  void field(const char* name, std::vector<std::string>& out) {
    const Value* value = body_.find(name);
    if (!value || !value->list()) return wrong(name);
    for (const Value& item : *value->list())
      if (item.text())
        out.push_back(*item.text());
      else
        wrong(name);
  }
  void field(const char* name, Person& out) {
    inner(name, [&](Reader& reader) {
      reader.field("uid", out.uid);
      reader.field("name", out.name);
      reader.field("groups", out.groups);
    });
  }
  void field(const char* name, Approval& out) {
    inner(name, [&](Reader& reader) {
      reader.field("count", out.count);
      reader.field("groups", out.groups);
    });
  }
  void field(const char* name, FrozenPlan& out) {
    const Value* value = body_.find(name);
    Result<FrozenPlan> plan = value ? frozen_plan_of(*value) : Error{Errc::kCorrupt, "it is missing"};
    if (plan.ok())
      out = *std::move(plan);
    else
      wrong(name);
  }

  template <class T>
  void maybe(const char* name, T& out) {
    if (body_.find(name)) field(name, out);
  }

  const std::string& problem() const { return problem_; }

 private:
  void wrong(const char* name) {
    if (problem_.empty()) problem_ = fmt::format("'{}' is missing or not of its kind", name);
  }
  template <class T>
  void take(const char* name, const T* (Value::*as)() const, T& out) {
    const Value* value = body_.find(name);
    const T* found = value ? (value->*as)() : nullptr;
    if (found)
      out = *found;
    else
      wrong(name);
  }
  template <class T>
  void whole(const char* name, uint64_t most, T& out) {
    int64_t number = -1;
    take(name, &Value::integer, number);
    if (number < 0 || static_cast<uint64_t>(number) > most) return wrong(name);
    out = static_cast<T>(number);
  }
  template <class E, size_t N>
  void word(const char* name, const std::string_view (&words)[N], E& out) {
    take_word(name, enum_named<E>(words, body_.text_at(name)), out);
  }
  template <class E>
  void take_word(const char* name, std::optional<E> found, E& out) {
    found ? void(out = *found) : wrong(name);
  }
  template <class Read>
  void inner(const char* name, Read read) {
    const Value* value = body_.find(name);
    if (!value || !value->map()) return wrong(name);
    Reader reader(*value);
    read(reader);
    if (!reader.problem().empty()) wrong(name);
  }

  const Value& body_;
  std::string problem_;
};

// The fields of each kind of event, once for writing and reading.
template <class Form, class E>
void fields(Form& form, E& event) {
  using T = std::remove_const_t<E>;
  if constexpr (std::is_same_v<T, RunCreated>) {
    form.field("plan", event.plan), form.field("target", event.target), form.field("by", event.by);
    form.field("reason", event.reason), form.field("policy", event.policy);
    form.field("by_starter", event.by_starter), form.field("expires_ns", event.expires);
    form.maybe("config_file", event.config_file), form.maybe("config_hash", event.config_hash);
  } else if constexpr (std::is_same_v<T, EngineTook>) {
    form.field("epoch", event.epoch), form.field("pid", event.pid);
  } else if constexpr (std::is_same_v<T, StepStarted>) {
    form.field("step", event.step), form.field("attempt", event.attempt), form.field("verb", event.verb);
    form.field("epoch", event.epoch), form.field("with", event.with);
  } else if constexpr (std::is_same_v<T, StepEnded>) {
    form.field("step", event.step), form.field("attempt", event.attempt), form.field("epoch", event.epoch);
    form.field("outcome", event.outcome), form.field("no_retry", event.no_retry),
        form.field("error", event.error);
    form.field("hint", event.hint), form.field("outputs", event.outputs),
        form.field("prepared", event.prepared);
    form.field("output_hash", event.output_hash), form.maybe("cut", event.cut);
  } else if constexpr (std::is_same_v<T, StepVanished>) {
    form.field("step", event.step), form.field("attempt", event.attempt),
        form.field("started", event.started), form.maybe("prepared", event.prepared);
  } else if constexpr (std::is_same_v<T, StepSkipped>) {
    form.field("step", event.step), form.field("why", event.why);
  } else if constexpr (std::is_same_v<T, StepRefused>) {
    form.field("step", event.step), form.field("error", event.error), form.field("hint", event.hint);
  } else if constexpr (std::is_same_v<T, ApprovalAsked>) {
    form.field("step", event.step), form.field("inputs_hash", event.inputs_hash),
        form.field("count", event.count);
    form.field("groups", event.groups), form.field("until_us", event.until);
  } else if constexpr (std::is_same_v<T, ApprovalGiven>) {
    form.field("step", event.step), form.field("inputs_hash", event.inputs_hash),
        form.field("agree", event.agree);
    form.field("by", event.by), form.field("reason", event.reason),
        form.field("break_glass", event.break_glass);
  } else if constexpr (std::is_same_v<T, ApprovalExpired>) {
    form.field("step", event.step);
  } else if constexpr (std::is_same_v<T, PersonAsked>) {
    form.field("step", event.step), form.field("attempt", event.attempt);
  } else if constexpr (std::is_same_v<T, PersonAnswered>) {
    form.field("step", event.step), form.field("done", event.done), form.field("by", event.by);
    form.field("note", event.note);
  } else if constexpr (std::is_same_v<T, AbortAsked>) {
    form.field("by", event.by), form.field("reason", event.reason);
  } else {
    static_assert(std::is_same_v<T, RunEnded>);
    form.field("outcome", event.outcome), form.field("why", event.why);
  }
}

// In the order of EventBody.
constexpr std::string_view kKinds[] = {
    "run_created",  "engine_took",     "step_started",   "step_ended",     "step_vanished",
    "step_skipped", "step_refused",    "approval_asked", "approval_given", "approval_expired",
    "person_asked", "person_answered", "abort_asked",    "run_ended"};
static_assert(std::size(kKinds) == std::variant_size_v<EventBody>);

template <size_t... I>
EventBody made(size_t index, std::index_sequence<I...>) {
  EventBody body;
  ((I == index ? void(body.emplace<I>()) : void()), ...);
  return body;
}

}  // namespace

std::string_view to_string(RunOutcome outcome) { return kRunOutcomes[static_cast<size_t>(outcome)]; }

NewEvent to_event(const EventBody& body) {
  Writer writer;
  std::visit([&](const auto& event) { fields(writer, event); }, body);
  return {std::string(kKinds[body.index()]), std::move(writer.body)};
}

Result<EventBody> event_of(const JournalEvent& event) {
  const auto* kind = std::find(std::begin(kKinds), std::end(kKinds), event.kind);
  if (kind == std::end(kKinds))
    return Error{Errc::kCorrupt,
                 fmt::format("journal of {}: event {} is of the unknown kind '{}'", event.stream,
                             event.position, event.kind),
                 "a newer daruma may have written it"};
  EventBody body =
      made(static_cast<size_t>(kind - kKinds), std::make_index_sequence<std::variant_size_v<EventBody>>());
  Reader reader(event.body);
  std::visit([&](auto& into) { fields(reader, into); }, body);
  if (!reader.problem().empty())
    return Error{Errc::kCorrupt, fmt::format("journal of {}: event {} ({}): {}", event.stream, event.position,
                                             event.kind, reader.problem())};
  return body;
}

}  // namespace daruma::run
