// run/steps/percentiles.h: times of many requests in few numbers.
#pragma once

#include <vector>

#include "base/time.h"

namespace daruma::run {

struct Percentiles {
  Duration min{}, mean{}, p50{}, p95{}, p99{}, max{};
};

// By nearest rank: the least time that so many percent of all do not exceed. All zero of nothing.
Percentiles percentiles_of(std::vector<Duration> times);

inline double ms_of(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace daruma::run
