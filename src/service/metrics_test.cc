// What Prometheus reads: the text format, exactly, and the numbers of all workers, whichever is asked.
#include "service/metrics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <thread>

#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A reader of the exposition format that forgives nothing; "" or what is wrong with the text.
class StrictReader {
 public:
  std::string read(std::string_view text) {
    if (!text.ends_with('\n')) return "the last line does not end";
    for (size_t line = 1; !text.empty(); ++line) {
      const size_t end = text.find('\n');
      if (!read_line(text.substr(0, end)))
        return std::to_string(line) + ": " + std::string(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    for (const auto& [histogram, buckets] : buckets_)
      if (buckets.back() != samples_[histogram]) return "+Inf and _count differ: " + histogram;
    return "";
  }

 private:
  bool read_line(std::string_view line) {
    if (line.starts_with("# HELP ")) {
      const std::string_view name = line.substr(7, line.find(' ', 7) - 7);
      return helped_.insert(std::string(name)).second && !typed_.contains(std::string(name));
    }
    if (line.starts_with("# TYPE ")) {
      const size_t space = line.find(' ', 7);
      family_ = line.substr(7, space - 7);
      type_ = line.substr(space + 1);
      return typed_.insert(family_).second &&
             (type_ == "counter" || type_ == "gauge" || type_ == "histogram");
    }
    return read_sample(line);
  }

  bool read_sample(std::string_view line) {
    const size_t name_end = line.find_first_of("{ ");
    const std::string name(line.substr(0, name_end));
    std::map<std::string, std::string> labels;
    line.remove_prefix(name_end);
    if (line.starts_with('{') && !read_labels(line, labels)) return false;
    if (!line.starts_with(' ')) return false;
    const std::string number(line.substr(1));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != '\0') return false;
    return note(name, labels, value);
  }

  static bool read_labels(std::string_view& line, std::map<std::string, std::string>& labels) {
    do {
      line.remove_prefix(1);
      const size_t equals = line.find("=\"");
      if (equals == std::string_view::npos) return false;
      const std::string name(line.substr(0, equals));
      line.remove_prefix(equals + 2);
      std::string value;
      for (; !line.empty() && line.front() != '"'; line.remove_prefix(1)) {
        if (line.front() == '\\') {
          line.remove_prefix(1);
          if (std::string_view("\\\"n").find(line.front()) == std::string_view::npos) return false;
        }
        value += line.front();
      }
      if (line.empty() || !labels.emplace(name, value).second) return false;
      line.remove_prefix(1);
    } while (line.starts_with(','));
    if (!line.starts_with('}')) return false;
    line.remove_prefix(1);
    return true;
  }

  bool note(const std::string& name, std::map<std::string, std::string> labels, double value) {
    const std::string le = labels["le"];
    labels.erase("le");
    std::string series = family_;
    for (const auto& [label, text] : labels) series += "," + label + "=" + text;
    if (type_ != "histogram") return name == family_ && samples_.emplace(series, value).second;
    if (name == family_ + "_sum") return true;
    if (name == family_ + "_count") return samples_.emplace(series, value).second;
    std::vector<double>& buckets = buckets_[series];
    const bool grows = buckets.empty() || buckets.back() <= value;
    buckets.push_back(value);
    return name == family_ + "_bucket" && !le.empty() && grows;
  }

  std::string family_, type_;
  std::set<std::string> helped_, typed_;
  std::map<std::string, double> samples_;
  std::map<std::string, std::vector<double>> buckets_;
};

class MetricsTest : public testing::Test {
 protected:
  // The line of a series, without the series.
  static std::string value_of(const Metrics& metrics, const std::string& series) {
    const std::string text = "\n" + metrics.text();
    const size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return "not there";
    const size_t from = at + series.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
  }
  std::string value_of(const std::string& series) const { return value_of(metrics_, series); }

  std::unique_ptr<SharedRegion> region_ = SharedRegion::private_memory();
  Metrics metrics_{*region_, 0};
};

TEST_F(MetricsTest, ACounterCounts) {
  const Counter counter = metrics_.counter("requests_total", "Requests.");
  counter.add();
  counter.add(4);
  EXPECT_EQ(counter.value(), 5u);
  EXPECT_THAT(metrics_.text(), HasSubstr("# HELP requests_total Requests.\n"
                                         "# TYPE requests_total counter\n"
                                         "requests_total 5\n"));
}

TEST_F(MetricsTest, AFamilyIsAnnouncedOnceWithAllItsSeries) {
  metrics_.counter("b_total", "B.", {{"k", "2"}});
  metrics_.counter("c_total", "C.");
  metrics_.counter("b_total", "B.", {{"k", "1"}});
  EXPECT_THAT(metrics_.text(), HasSubstr("# HELP b_total B.\n"
                                         "# TYPE b_total counter\n"
                                         "b_total{k=\"1\"} 0\n"
                                         "b_total{k=\"2\"} 0\n"
                                         "# HELP c_total C.\n"));
}

TEST_F(MetricsTest, TheOrderOfLabelsMakesNoSecondSeries) {
  metrics_.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}}).add();
  metrics_.counter("a_total", "A.", {{"y", "2"}, {"x", "1"}}).add();
  EXPECT_EQ(value_of("a_total{x=\"1\",y=\"2\"}"), "2");
}

TEST_F(MetricsTest, LabelsAndHelpAreEscaped) {
  metrics_.counter("a_total", "back\\slash \"quote\"\nline", {{"k", "back\\slash \"quote\"\nline \xFF"}});
  EXPECT_THAT(metrics_.text(), HasSubstr("# HELP a_total back\\\\slash \"quote\"\\nline\n"));
  EXPECT_THAT(metrics_.text(),
              HasSubstr("a_total{k=\"back\\\\slash \\\"quote\\\"\\nline \xEF\xBF\xBD\"} 0\n"));
}

TEST_F(MetricsTest, AHistogramIsCumulative) {
  const Histogram histogram = metrics_.histogram("time_seconds", "Time.", {{"route", "search"}});
  for (const Duration duration :
       {Duration(0ms), Duration(500us), Duration(501us), Duration(1s), Duration(60s)})
    histogram.observe(duration);
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"0.0005\"}"), "2");
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"0.001\"}"), "3");
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"0.5\"}"), "3");
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"1\"}"), "4");
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"10\"}"), "4");
  EXPECT_EQ(value_of("time_seconds_bucket{route=\"search\",le=\"+Inf\"}"), "5");
  EXPECT_EQ(value_of("time_seconds_sum{route=\"search\"}"), "61.001001");
  EXPECT_EQ(value_of("time_seconds_count{route=\"search\"}"), "5");
}

TEST_F(MetricsTest, AHistogramWithoutLabelsHasBucketsToo) {
  metrics_.histogram("time_seconds", "Time.").observe(1ms);
  EXPECT_EQ(value_of("time_seconds_bucket{le=\"0.001\"}"), "1");
  EXPECT_EQ(value_of("time_seconds_count"), "1");
}

TEST_F(MetricsTest, AGaugeIsTheSumOfTheLivingWorkers) {
  Metrics other(*region_, 63);
  metrics_.gauge("connections", "Open.").set(5);
  const Gauge theirs = other.gauge("connections", "Open.");
  theirs.set(7);
  theirs.add(-9);
  EXPECT_EQ(value_of("connections"), "3");
  metrics_.clear_worker(63);
  EXPECT_EQ(value_of("connections"), "5");
}

TEST_F(MetricsTest, WhatADeadWorkerCountedStays) {
  Metrics other(*region_, 1);
  other.counter("a_total", "A.").add(3);
  metrics_.clear_worker(1);
  EXPECT_EQ(value_of("a_total"), "3");
}

TEST_F(MetricsTest, AnyWorkerPrintsWhatAnotherMade) {
  Metrics other(*region_, 1);
  other.counter("theirs_total", "Known to them.", {{"k", "v"}}).add(2);
  EXPECT_EQ(value_of("theirs_total{k=\"v\"}"), "2");
  EXPECT_THAT(metrics_.text(), HasSubstr("# TYPE theirs_total counter\n"));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("HELP theirs_total")));
}

TEST_F(MetricsTest, AnAskedGaugeIsAskedWhenItIsPrinted) {
  double value = 1;
  metrics_.gauge_of("age_seconds", "Age.", {{"of", "cache"}}, [&] { return value; });
  EXPECT_EQ(value_of("age_seconds{of=\"cache\"}"), "1");
  value = 0.25;
  EXPECT_EQ(value_of("age_seconds{of=\"cache\"}"), "0.25");
  value = std::nan("");
  EXPECT_EQ(value_of("age_seconds{of=\"cache\"}"), "NaN");
  value = -HUGE_VAL;
  EXPECT_EQ(value_of("age_seconds{of=\"cache\"}"), "-Inf");
}

TEST_F(MetricsTest, CellsOfOthersInTheRegionAreLeftAlone) {
  ASSERT_TRUE(region_->cells("breaker HotelDataAPI", 8).ok());
  ASSERT_TRUE(region_->cells("nothing", 1).ok());
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("HotelDataAPI")));
  EXPECT_EQ(StrictReader().read(metrics_.text()), "");
}

TEST_F(MetricsTest, WhatFindsNoRoomCountsIntoNowhereAndIsCounted) {
  while (region_->cells("filler", 1 << 12).ok() &&
         region_->cells("filler" + std::to_string(rand()), 1 << 12).ok()) {
  }
  while (region_->cells("small" + std::to_string(rand()), 1).ok()) {
  }
  metrics_.counter("late_total", "Late.").add();
  metrics_.gauge("late", "Late.").set(1);
  metrics_.histogram("late_seconds", "Late.").observe(1s);
  EXPECT_EQ(value_of("late_total"), "not there");
  EXPECT_EQ(value_of("daruma_metrics_dropped_total"), "3");
}

TEST_F(MetricsTest, WhatWasNeverMadeCountsIntoNowhere) {
  Counter().add();
  Gauge().add(1);
  Histogram().observe(1s);
  EXPECT_EQ(StrictReader().read(metrics_.text()), "");
}

TEST_F(MetricsTest, ThreadsCountTogether) {
  const auto count = [&] {
    const Counter counter = metrics_.counter("a_total", "A.", {{"k", "v"}});
    for (int i = 0; i < 10'000; ++i) counter.add();
  };
  { const std::jthread one(count), other(count); }
  EXPECT_EQ(value_of("a_total{k=\"v\"}"), "20000");
}

// Something of every kind.
std::string everything(SharedRegion& region) {
  Metrics metrics(region, 0);
  for (const std::string route : {"search", "booking \"create\"\n", "予約\\"}) {
    metrics.counter("http_requests_total", "Requests.", {{"route", route}, {"status", "200"}}).add(3);
    metrics.histogram("http_request_duration_seconds", "Time.", {{"route", route}}).observe(3ms);
  }
  metrics.gauge("http_connections", "Open connections.").set(-1);
  metrics.gauge_of("free_ratio", "Free.", {}, [] { return 0.5; });
  return metrics.text();
}

TEST_F(MetricsTest, AStrictReaderFindsNoFault) { EXPECT_EQ(StrictReader().read(everything(*region_)), ""); }

TEST(StrictReaderOfMetrics, FindsFaults) {
  for (const std::string bad :
       {"a 1", "# TYPE a gauge\nb 1\n", "# TYPE a gauge\na x\n", "# TYPE a gauge\na 1\na 1\n",
        "# TYPE a gauge\na{k=\"\\x\"} 1\n", "# TYPE a gauge\na 1\n# TYPE a gauge\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\n"})
    EXPECT_NE(StrictReader().read(bad), "") << bad;
}

TEST_F(MetricsTest, PrometheusOwnToolFindsNoFault) {
  ScratchDir scratch;
  const Path file = scratch.path() / "metrics";
  ASSERT_TRUE(replace_file(scratch.fs(), file, as_bytes(everything(*region_))).ok());
  const std::string check =
      "command -v promtool >/dev/null || exit 77; promtool check metrics < " + file.native();
  const int status = std::system(check.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "promtool (Debian's package prometheus) is not installed";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

using MetricsDeathTest = MetricsTest;

TEST_F(MetricsDeathTest, AMalformedNameIsABug) {
  EXPECT_DEATH(metrics_.counter("requests", ""), "bug");
  EXPECT_DEATH(metrics_.gauge("a b", ""), "bug");
  EXPECT_DEATH(metrics_.gauge("1a", ""), "bug");
  EXPECT_DEATH(metrics_.gauge("a", "", {{"a:b", ""}}), "bug");
  EXPECT_DEATH(metrics_.gauge("a", "", {{"__a", ""}}), "bug");
  EXPECT_DEATH(metrics_.histogram("a", "", {{"le", ""}}), "bug");
  EXPECT_DEATH(metrics_.gauge("a", "", {{"k", "1"}, {"k", "2"}}), "bug");
}

TEST_F(MetricsDeathTest, ANameOfTwoTypesIsABug) {
  metrics_.gauge("a_total", "");
  EXPECT_DEATH(metrics_.counter("a_total", ""), "bug");
}

}  // namespace
}  // namespace daruma::service
