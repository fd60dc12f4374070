#include "service/log.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/guarded.h"
#include "os/files.h"
#include "service/json_text.h"
#include "service/log_file.h"

namespace daruma::service {
namespace {

constexpr size_t kBatchBytes = 32 << 10;

template <class Integer>
void append_number(std::string& out, Integer number) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

// Of `digits` digits, with zeros in front.
void append_padded(std::string& out, int64_t number, size_t digits) {
  const size_t from = out.size();
  out.append(digits, '0');
  for (size_t at = out.size(); at > from; number /= 10) out[--at] = static_cast<char>('0' + number % 10);
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":";
  append_json_string(out, value);
}

// "2026-11-22T10:42:07.123456Z": the date and time of day are worked out once a second.
class TimeText {
 public:
  void append_to(std::string& out, Instant now) {
    const int64_t micros = (now.micros % 1'000'000 + 1'000'000) % 1'000'000;
    const int64_t second = now.micros - micros;
    if (second != second_ || text_.empty()) {
      second_ = second;
      text_ = to_rfc3339(Instant{second});
      text_.back() = '.';  // was 'Z'
    }
    out += text_;
    append_padded(out, micros, 6);
    out += 'Z';
  }

 private:
  int64_t second_ = 0;
  std::string text_;
};

// Writes the word "recovered", which marks what healed, so that JSON reads the same and grep does not find
// it: a message or a client's request id must not hide an error from `grep -v recovered`.
void mask_recovered(std::string& line) {
  static constexpr std::string_view kWord = "recovered", kMasked = "\\u0072ecovered";
  for (size_t at = line.find(kWord); at != std::string::npos; at = line.find(kWord, at + kMasked.size()))
    line.replace(at, kWord.size(), kMasked);
}

std::string_view name_of(Severity severity) {
  static constexpr std::string_view kNames[] = {"info", "warning", "error"};
  return kNames[static_cast<size_t>(severity)];
}

// One of the two files, and what could not be written to it.
struct Target {
  LogFile file;
  Counter lost_metric;
  uint64_t lost = 0;  // lines, not told yet
  std::string why = {};

  Target(LogFile opened, Metrics& metrics, const std::string& name)
      : file(std::move(opened)),
        lost_metric(metrics.counter("log_lines_lost_total", "Lines of a log that could not be written.",
                                    {{"file", name}})) {}

  bool append(std::string_view text, uint64_t lines) {
    const Status appended = file.append(text);
    if (appended.ok()) return true;
    lost += lines;
    lost_metric.add(lines);
    why = appended.error().what;
    return false;
  }
};

class FileLog final : public Log {
 public:
  FileLog(const LogSettings& settings, size_t worker, const Clock& clock, FileSystem& fs, Metrics& metrics)
      : service_(settings.service),
        worker_(worker),
        clock_(clock),
        state_(State{target(settings, fs, metrics, "http.log"), target(settings, fs, metrics, "error.log")}) {
  }

  ~FileLog() override { FileLog::flush(); }

  Status open() {
    auto state = state_.lock();
    DR_OK(state->http.file.reopen());
    return state->errors.file.reopen();
  }

  void access(const AccessLine& line) override {
    auto state = state_.lock();
    append_access(*state, line);
    ++state->waiting_lines;
    if (state->waiting.size() >= kBatchBytes) write_waiting(*state);
  }

  void error(const ErrorLine& line) override {
    auto state = state_.lock();
    write_error(*state, line);
  }

  void flush() override {
    auto state = state_.lock();
    write_waiting(*state);
    // What cannot be opened is told by the lines that are lost.
    static_cast<void>(state->http.file.follow());
    static_cast<void>(state->errors.file.follow());
    if (state->errors.lost > 0) tell_lost(*state, state->errors, "error.log");
  }

  void reopen() override {
    auto state = state_.lock();
    write_waiting(*state);
    static_cast<void>(state->http.file.reopen());
    static_cast<void>(state->errors.file.reopen());
  }

 private:
  struct State {
    Target http;
    Target errors;
    TimeText time = {};
    std::string waiting = {};  // lines of http.log
    uint64_t waiting_lines = 0;
    std::string line = {};  // kept for its memory
  };

  static Target target(const LogSettings& settings, FileSystem& fs, Metrics& metrics,
                       const std::string& name) {
    return {LogFile(fs, settings.directory / name, settings.rotate_at, settings.keep), metrics, name};
  }

  void append_access(State& state, const AccessLine& line) const {
    std::string& out = state.waiting;
    out += "{\"time\":\"";
    state.time.append_to(out, clock_.now());
    out += '"';
    append_field(out, "requestId", line.request_id);
    append_field(out, "method", line.method);
    append_field(out, "path", line.path);
    append_field(out, "route", line.route);
    out += ",\"statusCode\":";
    append_number(out, line.status);
    out += ",\"durationMs\":";
    const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(line.duration).count();
    append_number(out, micros / 1000);
    out += '.';
    append_padded(out, micros % 1000, 3);
    out += ",\"bytes\":";
    append_number(out, line.bytes);
    append_field(out, "client", line.client);
    out += ",\"worker\":";
    append_number(out, worker_);
    if (line.degraded) out += ",\"degraded\":true";
    out += "}\n";
  }

  void write_waiting(State& state) {
    if (state.waiting.empty()) return;
    const bool written = state.http.append(state.waiting, state.waiting_lines);
    state.waiting.clear();
    state.waiting_lines = 0;
    if (written && state.http.lost > 0) tell_lost(state, state.http, "http.log");
  }

  void write_error(State& state, const ErrorLine& line) {
    if (state.errors.lost > 0) tell_lost(state, state.errors, "error.log");
    compose_error(state, line);
    state.errors.append(state.line, 1);
  }

  void compose_error(State& state, const ErrorLine& line) const {
    std::string& out = state.line;
    out = "{\"time\":\"";
    state.time.append_to(out, clock_.now());
    out += "\",\"level\":\"";
    out += name_of(line.severity);
    out += '"';
    if (!line.request_id.empty()) append_field(out, "requestId", line.request_id);
    append_field(out, "service", service_);
    if (!line.dependency.empty()) append_field(out, "dependency", line.dependency);
    append_field(out, "message", line.message);
    if (line.recovered.empty())
      mask_recovered(out);
    else
      append_field(out, "recovered", line.recovered);
    out += "}\n";
  }

  // Says in error.log how many lines are missing, once that is written.
  void tell_lost(State& state, Target& target, std::string_view name) {
    const std::string message = fmt::format("{} line{} of {} could not be written: {}", target.lost,
                                            target.lost == 1 ? "" : "s", name, target.why);
    compose_error(state, {.severity = Severity::kWarning, .dependency = "disk", .message = message});
    if (state.errors.file.append(state.line).ok()) target.lost = 0;
  }

  const std::string service_;
  const size_t worker_;
  const Clock& clock_;
  Guarded<State> state_;
};

class NoLog final : public Log {
 public:
  void access(const AccessLine& /*line*/) override {}
  void error(const ErrorLine& /*line*/) override {}
  void flush() override {}
  void reopen() override {}
};

}  // namespace

Result<std::unique_ptr<Log>> Log::open(LogSettings settings, size_t worker, const Clock& clock,
                                       FileSystem& fs, Metrics& metrics) {
  auto log = std::make_unique<FileLog>(settings, worker, clock, fs, metrics);
  DR_OK(log->open());
  return std::unique_ptr<Log>(std::move(log));
}

std::unique_ptr<Log> Log::none() { return std::make_unique<NoLog>(); }

}  // namespace daruma::service
