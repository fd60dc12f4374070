// service/metrics.h: counters, gauges and histograms of the whole service, in Prometheus' text format.
//
// They live in the SharedRegion, so whichever worker is asked answers for all of them.
// Counters and histograms outlive the worker that counted; gauges are per worker and summed over the living:
// each worker has a slot (0..63), and whoever finds a worker dead clears its slot.
// Source:  Prometheus exposition format 0.0.4.
// Threads: any; processes: any. add(), set() and observe() are one or two relaxed atomic operations.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/shared_region.h"

namespace daruma::service {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  Counter() = default;
  void add(uint64_t n = 1) const { cell_->fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return cell_->load(std::memory_order_relaxed); }

 private:
  friend class Metrics;
  explicit Counter(Cell* cell) : cell_(cell) {}
  Cell* cell_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  void set(int64_t value) const { cell_->store(static_cast<uint64_t>(value), std::memory_order_relaxed); }
  void add(int64_t n) const { cell_->fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed); }

 private:
  friend class Metrics;
  explicit Gauge(Cell* cell) : cell_(cell) {}
  Cell* cell_ = nullptr;  // this worker's
};

class Histogram {
 public:
  Histogram() = default;
  // Seconds, in buckets from 0.5 ms to 10 s (kBounds); the sum is kept in microseconds.
  void observe(Duration duration) const;
  static std::span<const double> bounds();

 private:
  friend class Metrics;
  explicit Histogram(std::span<Cell> cells) : cells_(cells) {}
  std::span<Cell> cells_;
};

class Metrics {
 public:
  // `worker`: this process' slot; gauges are written there.
  Metrics(SharedRegion& region, size_t worker) : region_(region), worker_(worker) {}

  // Each finds or makes the series of this name and labels. When the region is full, what comes back counts
  // into nowhere, and daruma_metrics_dropped_total counts it.
  // Names and labels as Prometheus has them; a malformed one is a bug. Counters end in _total.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {});
  // A gauge whose value is asked for at the time of the scrape, in the worker that is asked.
  void gauge_of(const std::string& name, const std::string& help, const Labels& labels,
                std::function<double()> value);

  // Everything of the whole service, families sorted by name.
  std::string text() const;
  // Forgets what the gauges of this worker said: it is dead.
  void clear_worker(size_t worker);

 private:
  SharedRegion& region_;
  const size_t worker_;
  // … the implementation's: what is known of each family (help, type), the asked gauges
};

}  // namespace daruma::service
