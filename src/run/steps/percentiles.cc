#include "run/steps/percentiles.h"

#include <algorithm>
#include <numeric>

namespace daruma::run {

Percentiles percentiles_of(std::vector<Duration> times) {
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  const auto rank = [&](size_t percent) { return times[(times.size() * percent + 99) / 100 - 1]; };
  const Duration sum = std::accumulate(times.begin(), times.end(), Duration{0});
  return {.min = times.front(),
          .mean = sum / static_cast<int64_t>(times.size()),
          .p50 = rank(50),
          .p95 = rank(95),
          .p99 = rank(99),
          .max = times.back()};
}

}  // namespace daruma::run
