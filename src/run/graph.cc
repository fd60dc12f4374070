#include "run/graph.h"

#include <algorithm>
#include <queue>

namespace daruma::run {

Graph::Graph(const std::vector<Step>& steps) : needs_(steps.size()), needed_by_(steps.size()) {
  for (size_t i = 0; i < steps.size(); ++i) places_.emplace(steps[i].id, i);
  for (size_t i = 0; i < steps.size(); ++i)
    for (const std::string& need : steps[i].needs)
      if (const auto found = find(need); found && std::ranges::find(needs_[i], *found) == needs_[i].end()) {
        needs_[i].push_back(*found);
        needed_by_[*found].push_back(i);
      }
}

std::optional<size_t> Graph::find(std::string_view id) const {
  const auto found = places_.find(std::string(id));
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::vector<bool> Graph::ancestors(size_t step) const {
  std::vector<bool> seen(size());
  std::vector<size_t> open = needs_[step];
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    if (seen[at]) continue;
    seen[at] = true;
    open.insert(open.end(), needs_[at].begin(), needs_[at].end());
  }
  return seen;
}

std::vector<size_t> Graph::order() const {
  std::vector<size_t> missing(size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < size(); ++i) {
    missing[i] = needs_[i].size();
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    const size_t at = ready.top();
    ready.pop();
    order.push_back(at);
    for (const size_t next : needed_by_[at])
      if (--missing[next] == 0) ready.push(next);
  }
  for (size_t i = 0; i < size(); ++i)
    if (missing[i] > 0) order.push_back(i);
  return order;
}

std::vector<size_t> Graph::cycle() const {
  // What order() could not place is in a cycle or behind one; going from need to need must come round.
  std::vector<bool> placed(size());
  size_t at = size();
  for (const size_t step : order()) {
    const auto& needs = needs_[step];
    if (std::ranges::all_of(needs, [&](size_t need) { return placed[need]; }))
      placed[step] = true;
    else if (at == size())
      at = step;
  }
  if (at == size()) return {};
  std::vector<size_t> path;
  while (std::ranges::find(path, at) == path.end()) {
    path.push_back(at);
    at = *std::ranges::find_if(needs_[at], [&](size_t need) { return !placed[need]; });
  }
  path.erase(path.begin(), std::ranges::find(path, at));
  path.push_back(at);
  return path;
}

}  // namespace daruma::run
