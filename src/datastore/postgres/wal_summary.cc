#include "datastore/postgres/wal_summary.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "datastore/postgres/json_fields.h"

namespace daruma::postgres {
namespace json = boost::json;

namespace {

using Kind = WalEvent::Kind;

struct MarkName {
  Kind kind;
  std::string_view name;
};
constexpr std::array<MarkName, 3> kMarkNames{{{Kind::kRestorePoint, "restore_point"},
                                              {Kind::kEndOfRecovery, "end_of_recovery"},
                                              {Kind::kCheckpoint, "checkpoint"}}};

bool is_mark(const WalEvent& event) {
  if (event.kind == Kind::kCheckpoint) return event.timeline != event.previous_timeline;
  return event.kind == Kind::kRestorePoint || event.kind == Kind::kEndOfRecovery;
}

json::object print_mark(const WalEvent& mark) {
  const auto known = std::find_if(kMarkNames.begin(), kMarkNames.end(),
                                  [&](const MarkName& candidate) { return candidate.kind == mark.kind; });
  DR_CHECK(known != kMarkNames.end());
  json::object out{{"kind", known->name},
                   {"start_lsn", to_string(mark.start)},
                   {"end_lsn", to_string(mark.end)},
                   {"time", to_rfc3339(mark.time)}};
  if (mark.kind == Kind::kRestorePoint) {
    out["name"] = mark.name;
  } else {
    out["timeline"] = mark.timeline;
    out["previous_timeline"] = mark.previous_timeline;
  }
  return out;
}

// nullopt: a kind that a later version writes.
std::optional<WalEvent> read_mark(JsonFields& fields) {
  const std::string kind = fields.text("kind");
  const auto known = std::find_if(kMarkNames.begin(), kMarkNames.end(),
                                  [&](const MarkName& candidate) { return candidate.name == kind; });
  if (known == kMarkNames.end()) return std::nullopt;
  WalEvent mark;
  mark.kind = known->kind;
  mark.start = fields.lsn("start_lsn");
  mark.end = fields.lsn("end_lsn");
  mark.time = fields.time("time");
  if (mark.kind == Kind::kRestorePoint) {
    mark.name = fields.text("name");
  } else {
    mark.timeline = fields.number32("timeline");
    mark.previous_timeline = fields.number32("previous_timeline");
  }
  return mark;
}

void note(const WalEvent& event, WalSummary& summary) {
  if (event.kind == Kind::kCommit || event.kind == Kind::kAbort) {
    summary.first_time = std::min(summary.first_time.value_or(event.time), event.time);
    summary.last_time = std::max(summary.last_time.value_or(event.time), event.time);
    if (event.kind == Kind::kCommit) ++summary.commits;
  }
  if (is_mark(event)) summary.marks.push_back(event);
}

}  // namespace

std::string print_summary(const WalSummary& summary) {
  json::object out{{"commits", summary.commits}};
  if (summary.first_time) out["first_time"] = to_rfc3339(*summary.first_time);
  if (summary.last_time) out["last_time"] = to_rfc3339(*summary.last_time);
  json::array marks;
  for (const WalEvent& mark : summary.marks) marks.push_back(print_mark(mark));
  if (!marks.empty()) out["marks"] = std::move(marks);
  if (summary.head_unknown) out["head_unknown"] = true;
  if (summary.damaged) out["damaged"] = true;
  return json::serialize(out);
}

Result<WalSummary> parse_summary(std::string_view text) {
  constexpr std::string_view kWhat = "the WAL's summary";
  DR_TRY(const json::object object, parse_json_object(text, kWhat));
  JsonFields fields(object, kWhat);
  WalSummary summary;
  summary.commits = fields.number("commits");
  summary.first_time = fields.time_if_any("first_time");
  summary.last_time = fields.time_if_any("last_time");
  summary.head_unknown = fields.flag("head_unknown");
  summary.damaged = fields.flag("damaged");
  for (const json::value& element : fields.array("marks")) {
    JsonFields mark(fields.as_object(element, "marks"), "mark");
    auto event = read_mark(mark);
    if (!mark.status().ok()) fields.fail("marks", "a list of marks");
    if (event) summary.marks.push_back(std::move(*event));
  }
  if (summary.first_time.has_value() != summary.last_time.has_value())
    fields.fail("last_time", "given with first_time");
  DR_OK(fields.status());
  return summary;
}

struct WalSummarizer::State {
  SegmentSize segment_size;
  WalSummary current;
  Timeline timeline = 0;
  std::optional<WalParser> parser;  // none: nothing to continue from

  void begin(Timeline new_timeline, Lsn position) {
    timeline = new_timeline;
    parser.reset();
    if (segment_size.offset_of(position) != 0) return;  // parsing can only start where a segment does
    parser.emplace(WalParser::Options{.segment_size = segment_size}, position,
                   [this](const WalEvent& event) { note(event, current); });
  }
};

WalSummarizer::WalSummarizer(SegmentSize segment_size) : state_(std::make_unique<State>()) {
  state_->segment_size = segment_size;
}
WalSummarizer::~WalSummarizer() = default;

std::string WalSummarizer::operator()(uint32_t timeline, uint64_t position, BytesView bytes) {
  State& state = *state_;
  state.current = {};
  const bool continues =
      state.parser && state.timeline == timeline && state.parser->position() == Lsn{position};
  if (!continues) state.begin(timeline, {position});
  if (!state.parser) {
    state.current.head_unknown = true;
    return print_summary(state.current);
  }
  const bool between_records_seen = !state.parser->last_record_end().is_none();
  state.current.damaged = !state.parser->feed(bytes).ok();
  state.current.head_unknown = !between_records_seen && state.parser->first_record_skipped();
  if (state.current.damaged) state.parser.reset();
  return print_summary(state.current);
}

}  // namespace daruma::postgres
