#include "run/lanes.h"

#include <algorithm>
#include <array>

namespace daruma::run {
namespace {

// By arms: up 1, down 2, left 4, right 8.
constexpr std::array<std::string_view, 16> kBoxes{" ", "╵", "╷", "│", "╴", "╯", "╮", "┤",
                                                  "╶", "╰", "╭", "├", "─", "┴", "┬", "┼"};

}  // namespace

Lanes::Lanes(const Graph& graph) : order_(graph.order()), next_(graph.size()) {
  for (const size_t step : order_) {
    std::vector<bool> implied(graph.size());
    for (const size_t need : graph.needs(step)) {
      const std::vector<bool> before = graph.ancestors(need);
      for (size_t i = 0; i < before.size(); ++i) implied[i] = implied[i] || before[i];
    }
    for (const size_t need : graph.needs(step))
      if (!implied[need]) next_[need].push_back(step);
  }
  // Drawn once without looking, to know how wide it becomes.
  for (const size_t step : order_) {
    enter(step);
    leave();
  }
  lanes_.clear();
}

size_t Lanes::free_column(Row& lanes) {
  const auto free = std::ranges::find(lanes, kNone);
  if (free != lanes.end()) return static_cast<size_t>(free - lanes.begin());
  lanes.push_back(kNone);
  return lanes.size() - 1;
}

void Lanes::enter(size_t step) {
  step_ = step;
  const auto lane = std::ranges::find(lanes_, step);
  begins_ = lane == lanes_.end();
  column_ = lane != lanes_.end() ? static_cast<size_t>(lane - lanes_.begin()) : free_column(lanes_);
  lanes_[column_] = step;
  widest_ = std::max(widest_, lanes_.size());
}

void Lanes::pad(std::string& row, size_t columns) const {
  if (columns < width()) row.append(width() - columns, ' ');
}

std::string Lanes::row(const Row& lanes, std::string_view mark) const {
  std::string out;
  for (size_t i = 0; i < lanes.size(); ++i) {
    out += i == column_ ? mark : lanes[i] == kNone ? " " : "│";
    out += ' ';
  }
  pad(out, 2 * lanes.size());
  return out;
}

std::string Lanes::below() const { return row(lanes_, next_[step_].empty() ? " " : "│"); }

std::string Lanes::crossed() const {
  std::string out;
  for (size_t i = 0; i < widest_; ++i) {
    const bool line = i < lanes_.size() && lanes_[i] != kNone && !(i == column_ && begins_);
    out += line ? "┿━" : "━━";
  }
  return out;
}

// Where the lines lead below the step. `touched`: the columns to which it gives a line.
Lanes::Row Lanes::advance(std::vector<size_t>& touched) {
  Row after = lanes_;
  after[column_] = kNone;
  bool goes_on = false;
  std::vector<size_t> fresh;
  for (const size_t next : next_[step_]) {
    const auto lane = std::ranges::find(after, next);
    if (lane != after.end()) {
      touched.push_back(static_cast<size_t>(lane - after.begin()));
    } else if (!goes_on) {
      goes_on = true;
      after[column_] = next;
      touched.push_back(column_);
    } else {
      fresh.push_back(next);
    }
  }
  for (const size_t next : fresh) {
    const size_t column = free_column(after);
    after[column] = next;
    touched.push_back(column);
  }
  widest_ = std::max(widest_, after.size());
  return after;
}

std::string Lanes::joints(const Row& before, const Row& after, const std::vector<size_t>& touched) const {
  size_t left = column_, right = column_;
  for (const size_t column : touched) {
    left = std::min(left, column);
    right = std::max(right, column);
  }
  std::string out;
  for (size_t i = 0; i < after.size(); ++i) {
    const bool had = i < before.size() && before[i] != kNone;
    const bool meets = i == column_ || std::ranges::find(touched, i) != touched.end();
    size_t arms = (had ? 1u : 0u) + (after[i] != kNone ? 2u : 0u);
    if (i > left && i <= right) arms += 4;
    if (i >= left && i < right) arms += 8;
    // A line that only passes is not met: it goes over the crossing one.
    out += !meets && had && i > left && i < right ? "│" : kBoxes[arms];
    out += i >= left && i < right ? "─" : " ";
  }
  pad(out, 2 * after.size());
  return out;
}

std::string Lanes::leave() {
  std::vector<size_t> touched;
  const Row before = lanes_;
  Row after = advance(touched);
  const bool straight = touched.empty() || (touched.size() == 1 && touched[0] == column_);
  std::string drawn = straight ? "" : joints(before, after, touched);
  while (!after.empty() && after.back() == kNone) after.pop_back();
  lanes_ = std::move(after);
  return drawn;
}

}  // namespace daruma::run
