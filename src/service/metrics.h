// service/metrics.h: counters, gauges and histograms of the whole service, in Prometheus' text format.
//
// They live in the SharedRegion, so whichever worker is asked answers for all of them.
// Counters and histograms outlive the worker that counted; gauges are per worker and summed over the living:
// each worker has a slot (0..63), and whoever finds a worker dead clears its slot.
// A series' cells are named "TYPE NAME{LABELS}" as they are printed, so any process prints those that another
// one made; help texts it knows only of families that it has asked for itself.
// Source:  Prometheus exposition format 0.0.4.
// Threads: any; processes: any. add(), set() and observe() are one or two relaxed atomic operations.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/time.h"
#include "service/shared_region.h"

namespace daruma::service {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Where what was never made, or did not fit, counts into: cells that nobody prints.
std::span<Cell> nowhere_cells();

class Counter {
 public:
  Counter() = default;  // counts into nowhere
  void add(uint64_t n = 1) const { cell_->fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return cell_->load(std::memory_order_relaxed); }

 private:
  friend class Metrics;
  explicit Counter(Cell* cell) : cell_(cell) {}
  Cell* cell_ = nowhere_cells().data();
};

class Gauge {
 public:
  Gauge() = default;
  void set(int64_t value) const { cell_->store(static_cast<uint64_t>(value), std::memory_order_relaxed); }
  void add(int64_t n) const { cell_->fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed); }

 private:
  friend class Metrics;
  explicit Gauge(Cell* cell) : cell_(cell) {}
  Cell* cell_ = nowhere_cells().data();  // this worker's
};

class Histogram {
 public:
  Histogram() = default;
  // Seconds, in buckets from 0.5 ms to 10 s; the sum is kept in microseconds.
  void observe(Duration duration) const;
  static std::span<const double> bounds();

 private:
  friend class Metrics;
  explicit Histogram(std::span<Cell> cells) : cells_(cells) {}
  std::span<Cell> cells_ = nowhere_cells();  // one per bound, +Inf, sum
};

class Metrics {
 public:
  // `worker`: this process' slot; gauges are written there. `region` outlives it.
  Metrics(SharedRegion& region, size_t worker);

  // Each finds or makes the series of this name and labels. When the region is full, what comes back counts
  // into nowhere, and daruma_metrics_dropped_total counts it.
  // Names and labels as Prometheus has them; a malformed one, or a name of another type, is a bug. Counters
  // end in _total.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {});
  // A gauge whose value is asked for at the time of the scrape, in the worker that is asked. Asked for again
  // with the same labels, the later `value` counts.
  void gauge_of(const std::string& name, const std::string& help, const Labels& labels,
                std::function<double()> value);

  // Everything of the whole service, families sorted by name.
  std::string text() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
  // Forgets what the gauges of this worker said: it is dead.
  void clear_worker(size_t worker);

 private:
  struct Family {
    std::string_view type;
    std::string help;
  };
  struct Known {
    std::map<std::string, Family, std::less<>> families;
    std::map<std::string, std::function<double()>> asked;  // by name and labels
  };

  void know(const std::string& name, std::string_view type, const std::string& help);
  std::span<Cell> cells_of(std::string_view type, const std::string& series, size_t count);

  SharedRegion& region_;
  const size_t worker_;
  mutable Guarded<Known> known_;
  Counter dropped_;
};

}  // namespace daruma::service
