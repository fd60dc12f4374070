#include "service/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "service/json_text.h"

namespace daruma::service {
namespace {

constexpr std::array<double, 14> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,    0.25,  0.5,    1,     2.5,  5,     10};
constexpr size_t kBuckets = kBounds.size() + 1;  // the last is +Inf
constexpr size_t kHistogramCells = kBuckets + 1;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_metric_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == ':'; });
}
bool is_label_name(std::string_view name) {
  return is_metric_name(name) && name.find(':') == std::string_view::npos && !name.starts_with("__");
}

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

// `NAME{a="1",b="2"}`: labels by name, so that their order makes no second series.
std::string series_of(const std::string& name, Labels labels) {
  if (labels.empty()) return name;
  std::ranges::sort(labels);
  std::string series = name + "{";
  for (size_t i = 0; i < labels.size(); ++i) {
    DR_CHECK(is_label_name(labels[i].first) && labels[i].first != "le");
    DR_CHECK(i == 0 || labels[i].first != labels[i - 1].first);
    series += fmt::format("{}{}=\"{}\"", i == 0 ? "" : ",", labels[i].first,
                          escaped(valid_utf8(labels[i].second), true));
  }
  return series + "}";
}

std::string_view name_of_series(std::string_view series) { return series.substr(0, series.find('{')); }

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// `NAME{a="1"}` -> `NAME_bucket{a="1",le="0.1"}`
std::string bucket_of(std::string_view series, std::string_view bound) {
  const std::string_view name = name_of_series(series);
  if (name.size() == series.size()) return fmt::format("{}_bucket{{le=\"{}\"}}", name, bound);
  const std::string_view labels = series.substr(name.size(), series.size() - name.size() - 1);
  return fmt::format("{}_bucket{},le=\"{}\"}}", name, labels, bound);
}

std::string with_suffix(std::string_view series, std::string_view suffix) {
  const std::string_view name = name_of_series(series);
  return fmt::format("{}{}{}", name, suffix, series.substr(name.size()));
}

uint64_t load(const Cell& cell) { return cell.load(std::memory_order_relaxed); }

std::string histogram_lines(std::string_view series, std::span<Cell> cells) {
  std::string out;
  uint64_t count = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    count += load(cells[i]);
    const std::string bound = i < kBounds.size() ? value_text(kBounds[i]) : "+Inf";
    out += fmt::format("{} {}\n", bucket_of(series, bound), count);
  }
  const double seconds = static_cast<double>(load(cells[kBuckets])) / 1e6;
  out += fmt::format("{} {}\n", with_suffix(series, "_sum"), value_text(seconds));
  return out + fmt::format("{} {}\n", with_suffix(series, "_count"), count);
}

std::string gauge_line(std::string_view series, std::span<Cell> cells) {
  int64_t sum = 0;
  for (const Cell& cell : cells) sum += static_cast<int64_t>(load(cell));
  return fmt::format("{} {}\n", series, sum);
}

// What is printed of one family.
struct Printed {
  std::string type;
  std::map<std::string, std::string> lines;  // by series
};

}  // namespace

std::span<Cell> nowhere_cells() {
  static std::array<Cell, std::max(kHistogramCells, SharedRegion::kWorkersMax)> cells{};
  return cells;
}

void Histogram::observe(Duration duration) const {
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bucket = static_cast<size_t>(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin());
  cells_[bucket].fetch_add(1, std::memory_order_relaxed);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  cells_[kBuckets].fetch_add(static_cast<uint64_t>(std::max<int64_t>(micros, 0)), std::memory_order_relaxed);
}

std::span<const double> Histogram::bounds() { return kBounds; }

Metrics::Metrics(SharedRegion& region, size_t worker) : region_(region), worker_(worker) {
  DR_CHECK(worker < SharedRegion::kWorkersMax);
  dropped_ = counter("daruma_metrics_dropped_total", "Series that found no room any more.");
}

void Metrics::know(const std::string& name, std::string_view type, const std::string& help) {
  DR_CHECK(is_metric_name(name));
  const auto known = known_.lock()->families.emplace(name, Family{type, help}).first;
  DR_CHECK(known->second.type == type);
}

std::span<Cell> Metrics::cells_of(std::string_view type, const std::string& series, size_t count) {
  const auto cells = region_.cells(fmt::format("{} {}", type, series), count);
  if (cells.ok()) return *cells;
  dropped_.add();
  return nowhere_cells().first(count);
}

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  DR_CHECK(name.ends_with("_total"));
  know(name, "counter", help);
  return Counter(cells_of("counter", series_of(name, labels), 1).data());
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  know(name, "gauge", help);
  return Gauge(&cells_of("gauge", series_of(name, labels), SharedRegion::kWorkersMax)[worker_]);
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels) {
  know(name, "histogram", help);
  return Histogram(cells_of("histogram", series_of(name, labels), kHistogramCells));
}

void Metrics::gauge_of(const std::string& name, const std::string& help, const Labels& labels,
                       std::function<double()> value) {
  know(name, "gauge", help);
  known_.lock()->asked[series_of(name, labels)] = std::move(value);
}

std::string Metrics::text() const {
  const auto [families, asked] = *known_.lock();  // copied: what is asked may ask us
  std::map<std::string, Printed> printed;
  const auto print = [&](std::string_view type, std::string_view series, std::string lines) {
    Printed& family = printed[std::string(name_of_series(series))];
    if (family.type.empty()) family.type = type;
    if (family.type == type) family.lines[std::string(series)] = std::move(lines);
  };
  for (const auto& [series, value] : asked)
    print("gauge", series, fmt::format("{} {}\n", series, value_text(value())));
  region_.each([&](std::string_view name, std::span<Cell> cells) {
    const size_t space = name.find(' ');
    if (space == std::string_view::npos) return;
    const std::string_view type = name.substr(0, space), series = name.substr(space + 1);
    if (type == "counter" && cells.size() == 1)
      print(type, series, fmt::format("{} {}\n", series, load(cells[0])));
    else if (type == "gauge" && cells.size() == SharedRegion::kWorkersMax)
      print(type, series, gauge_line(series, cells));
    else if (type == "histogram" && cells.size() == kHistogramCells)
      print(type, series, histogram_lines(series, cells));
  });
  std::string out;
  for (const auto& [name, family] : printed) {
    const auto known = families.find(name);
    if (known != families.end())
      out += fmt::format("# HELP {} {}\n", name, escaped(valid_utf8(known->second.help), false));
    out += fmt::format("# TYPE {} {}\n", name, family.type);
    for (const auto& [series, lines] : family.lines) out += lines;
  }
  return out;
}

void Metrics::clear_worker(size_t worker) {
  DR_CHECK(worker < SharedRegion::kWorkersMax);
  region_.each([&](std::string_view name, std::span<Cell> cells) {
    if (name.starts_with("gauge ") && cells.size() == SharedRegion::kWorkersMax)
      cells[worker].store(0, std::memory_order_relaxed);
  });
}

}  // namespace daruma::service
