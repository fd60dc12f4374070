#include "base/closest.h"

#include <algorithm>

#include <fmt/format.h>

namespace daruma {
namespace {

constexpr size_t kLongestWord =
    64;  // longer ones are no slip of a finger, and the cost is a product of lengths

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t typing_errors(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replaced, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string> best;
  size_t best_errors = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t errors = typing_errors(word, candidate);
    if (errors < best_errors && errors < word.size()) {
      best = candidate;
      best_errors = errors;
    }
  }
  if (best || word.size() < 3) return best;
  const auto starts_so = [&](const std::string& candidate) { return candidate.starts_with(word); };
  if (std::ranges::count_if(candidates, starts_so) == 1) return *std::ranges::find_if(candidates, starts_so);
  return std::nullopt;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  if (const auto near = closest(word, candidates)) return fmt::format("; did you mean '{}'?", *near);
  return fmt::format("; allowed: {}", fmt::join(candidates, ", "));
}

}  // namespace daruma
