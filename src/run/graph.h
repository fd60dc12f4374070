// run/graph.h: what the needs of a plan's steps mean: who waits for whom.
//
// Needs that name no step are left out: parse_plan and check_plan report them.
// Threads: plain values; a Graph borrows nothing.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "run/plan.h"

namespace daruma::run {

class Graph {
 public:
  explicit Graph(const std::vector<Step>& steps);

  size_t size() const { return needs_.size(); }
  // The step of this id, as its place in the list; nullopt: there is none.
  std::optional<size_t> find(std::string_view id) const;
  // What a step needs, and who needs it, directly.
  const std::vector<size_t>& needs(size_t step) const { return needs_[step]; }
  const std::vector<size_t>& needed_by(size_t step) const { return needed_by_[step]; }
  // All that must have ended before it.
  std::vector<bool> ancestors(size_t step) const;
  // Steps that need each other, the first one again at the end; empty: there are none.
  std::vector<size_t> cycle() const;
  // Every step after all it needs, else in the file's order. Those in or behind a cycle come last.
  std::vector<size_t> order() const;

 private:
  std::unordered_map<std::string, size_t> places_;
  std::vector<std::vector<size_t>> needs_;
  std::vector<std::vector<size_t>> needed_by_;
};

}  // namespace daruma::run
