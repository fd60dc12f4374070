// The continuous ranges of log with their times, for `daruma points`.
#include <algorithm>

#include "datastore/postgres/wal_search.h"

namespace daruma::postgres {
namespace {

void widen(LogSpan& span, Instant first, Instant last) {
  span.from_time = std::min(span.from_time.value_or(first), first);
  span.to_time = std::max(span.to_time.value_or(last), last);
}

// Reads only what no summary tells of.
Status find_times(const WalRoute& route, LogSpan& span) {
  const auto tell = [&](const WalSummary& summary) {
    if (summary.first_time) widen(span, *summary.first_time, *summary.last_time);
    return false;
  };
  std::vector<WalDamage> damage;
  const auto count = [&](const WalEvent& event) {
    if (is_transaction_end(event)) widen(span, event.time, event.time);
    return false;
  };
  DR_OK(find_first(route, {.from = span.from, .to = span.to, .may_hold = tell, .matches = count}, &damage));
  return {};
}

}  // namespace

Result<std::vector<LogSpan>> log_spans(const Catalog& catalog) {
  std::vector<LogSpan> spans;
  for (const LogRange& range : catalog.log->ranges()) {
    LogSpan span{range.branch, {range.from}, {range.to}, {}, {}};
    DR_OK(find_times(WalRoute::only(catalog, range.branch), span));
    spans.push_back(span);
  }
  return spans;
}

}  // namespace daruma::postgres
