#include "cli/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/size.h"
#include "base/table.h"

namespace daruma {
namespace {

constexpr Duration kBetweenRedraws = 100ms;
constexpr Duration kBetweenLines = 10s;
constexpr double kSmoothingSeconds = 5;
constexpr std::string_view kClearLine = "\r\x1b[K";

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Progress::Progress(Output& output, const Clock& clock, std::string label)
    : output_(output), clock_(clock), label_(std::move(label)) {
  const MonoInstant now = clock_.mono();
  *state_.lock() = {.shown_at = now, .measured_at = now};
}

Progress::~Progress() {
  if (output_.kind().columns) output_.write(kClearLine);
}

void Progress::update(uint64_t done, std::optional<uint64_t> total) {
  const auto columns = output_.kind().columns;
  auto state = state_.lock();
  const MonoInstant now = clock_.mono();
  if (now - state->shown_at < (columns ? kBetweenRedraws : kBetweenLines)) return;
  state->shown_at = now;
  measure(*state, now, done);
  const std::string text = line(*state, done, total);
  if (columns)
    output_.write(std::string(kClearLine) +
                  fit_to_width(text, static_cast<size_t>(std::max(*columns - 1, 1))));
  else
    output_.write(text + "\n");
}

void Progress::measure(State& state, MonoInstant now, uint64_t done) const {
  const double elapsed = seconds(now - state.measured_at);
  const double rate =
      done > state.measured_bytes ? static_cast<double>(done - state.measured_bytes) / elapsed : 0;
  const bool first = state.measured_bytes == 0 && state.bytes_per_second == 0;
  const double weight = first ? 1 : 1 - std::exp(-elapsed / kSmoothingSeconds);
  state.bytes_per_second += (rate - state.bytes_per_second) * weight;
  state.measured_at = now;
  state.measured_bytes = done;
}

std::string Progress::line(const State& state, uint64_t done, std::optional<uint64_t> total) const {
  const auto rate = static_cast<uint64_t>(state.bytes_per_second);
  if (!total || *total == 0) return fmt::format("{}  {}  {}/s", label_, human_bytes(done), human_bytes(rate));
  done = std::min(done, *total);
  const double percent = 100.0 * static_cast<double>(done) / static_cast<double>(*total);
  std::string text = fmt::format("{}  {:.0f} %  {} of {}  {}/s", label_, std::floor(percent),
                                 human_bytes(done), human_bytes(*total), human_bytes(rate));
  if (rate > 0 && done < *total) {
    const auto left = std::chrono::seconds((*total - done + rate - 1) / rate);
    text += fmt::format("  {} left", human_duration(left));
  }
  return text;
}

}  // namespace daruma
