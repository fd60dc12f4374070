// run/lanes.h: a graph of steps drawn downwards with lines, as a terminal can: one column for each line that
// is under way.
//
//   ○       evidence
//   ├─╮
//   ● │     restart
//
// Needs that follow from other needs are not drawn. Every row is width() columns wide.
// Threads: plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "run/graph.h"

namespace daruma::run {

class Lanes {
 public:
  explicit Lanes(const Graph& graph);

  // The steps from top to bottom.
  const std::vector<size_t>& order() const { return order_; }
  size_t width() const { return 2 * widest_; }

  // In this order, for each step: enter() once, then rows, then leave().
  void enter(size_t step);
  // The lines that pass, and `mark`, one column wide, where the step is.
  std::string row(std::string_view mark) const { return row(lanes_, mark); }
  // Beside what stands below the step's own row.
  std::string below() const;
  // The lines that pass, crossed by a heavy one.
  std::string crossed() const;
  // Where lines part and join below the step; "" where they only go on.
  std::string leave();

 private:
  using Row = std::vector<size_t>;  // by column: the step that the line leads to, or kNone
  static constexpr size_t kNone = static_cast<size_t>(-1);

  static size_t free_column(Row& lanes);
  std::string row(const Row& lanes, std::string_view mark) const;
  std::string joints(const Row& before, const Row& after, const std::vector<size_t>& touched) const;
  Row advance(std::vector<size_t>& touched);
  void pad(std::string& row, size_t columns) const;

  std::vector<size_t> order_;
  std::vector<std::vector<size_t>> next_;  // by step: who needs it, but for what follows
  Row lanes_;
  size_t step_ = 0;
  size_t column_ = 0;
  bool begins_ = false;  // nothing leads to the step
  size_t widest_ = 1;
};

}  // namespace daruma::run
