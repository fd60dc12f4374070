#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/size.h"
#include "base/table.h"
#include "datastore/postgres/restore.h"
#include "repository/snapshot_reader.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_repository.h"

namespace daruma::run {
namespace {

using postgres::Catalog;
using postgres::LogSpan;
using postgres::RecoveryPoint;

Result<postgres::Wish> wish_of(const StepContext& context) {
  DR_TRY(const auto before, time_input(context, "before"));
  return postgres::parse_wish(before ? "before:" + to_rfc3339(*before) : "latest");
}

// The point in time, and the proof that its snapshot's maps and all of its log are there.
Result<Value> find_point(StepContext& context) {
  DR_TRY(const Holdings holdings, holdings_of(context));
  DR_TRY(const postgres::Wish wish, wish_of(context));
  DR_TRY(const RecoveryPoint point, resolve(holdings.catalog, wish, 0, context.clock.now()));
  context.say("reads the maps of snapshot " + point.snapshot->stored.commit.snapshot.hex().substr(0, 8));
  DR_TRY(const auto snapshot, SnapshotReader::open(*holdings.opened.repository, point.snapshot->stored));
  DR_TRY(const uint64_t bytes, postgres::restored_bytes(*snapshot));
  DR_TRY(const auto before, time_input(context, "before"));
  const Instant taken = moment_of(point);
  const Duration age = before.value_or(context.clock.now()) - taken;
  fmt::print("{} of {}: snapshot {} ({}), {} of log on timeline {}; keeps commits up to {}\n", wish.text,
             holdings.catalog.datastore, point.snapshot->stored.commit.snapshot.hex().substr(0, 8),
             human_bytes(bytes), human_bytes(point.wal_bytes), point.timeline, to_rfc3339(taken));
  for (const std::string& note : point.notes) fmt::print("note: {}\n", note);
  return Value(Value::Map{{"source", "point"},
                          {"at", wish.text},
                          {"taken_at", to_rfc3339(taken)},
                          {"age_seconds", std::chrono::duration_cast<std::chrono::seconds>(age).count()},
                          {"bytes", bytes},
                          {"wal_bytes", point.wal_bytes},
                          {"timeline", point.timeline},
                          {"snapshot", point.snapshot->stored.commit.snapshot.hex()}});
}

std::vector<std::string> find_by_hand(const StepContext& context) {
  const std::string datastore = shell_word(text_input(context, "datastore"));
  const std::string before = text_input(context, "before");
  return {"daruma points " + datastore,
          fmt::format("daruma restore {} --plan --to NEW_DIRECTORY --at {}", datastore,
                      shell_word(before.empty() ? "latest" : "before:" + before))};
}

Result<Preview> find_preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  DR_TRY(const postgres::Wish wish, wish_of(context));
  return Preview{{fmt::format("resolve {} of {} and prove that snapshot and log are there", wish.text,
                              text_input(context, "datastore"))},
                 find_by_hand(context)};
}

std::string time_text(const std::optional<Instant>& time) { return time ? to_rfc3339(*time) : "-"; }

struct Spans {
  Value::List rows;
  int64_t gaps = 0;
};

Spans print_spans(const std::vector<LogSpan>& spans) {
  Spans out;
  Table table({{"timeline"}, {"from"}, {"to"}, {"first commit"}, {"last commit"}, {""}});
  const LogSpan* before = nullptr;
  for (const LogSpan& span : spans) {
    if (before && before->timeline == span.timeline && before->to < span.from) {
      ++out.gaps;
      table.row(
          {std::to_string(span.timeline), to_string(before->to), to_string(span.from), "-", "-", "GAP"});
    }
    table.row({std::to_string(span.timeline), to_string(span.from), to_string(span.to),
               time_text(span.from_time), time_text(span.to_time),
               before && before->timeline != span.timeline ? "branches off" : "whole"});
    out.rows.push_back(Value::Map{{"timeline", span.timeline},
                                  {"from", to_string(span.from)},
                                  {"to", to_string(span.to)},
                                  {"from_time", time_text(span.from_time)},
                                  {"to_time", time_text(span.to_time)}});
    before = &span;
  }
  fmt::print("{}", table.text());
  return out;
}

Result<Value> archive(StepContext& context) {
  DR_TRY(const Holdings holdings, holdings_of(context));
  DR_TRY(const auto spans, log_spans(holdings.catalog));
  Spans found = print_spans(spans);
  for (const std::string& damage : holdings.catalog.damage) fmt::print("damaged: {}\n", damage);
  const Value last =
      spans.empty() || !spans.back().to_time ? Value() : Value(to_rfc3339(*spans.back().to_time));
  if (boolean_input(context, "whole") && (found.gaps > 0 || !holdings.catalog.damage.empty()))
    return Error{
        Errc::kFailed,
        fmt::format("the log has {} gaps and {} damaged objects", found.gaps, holdings.catalog.damage.size()),
        "a moment after a gap needs a snapshot after it: `daruma backup` takes one"};
  return Value(Value::Map{{"ranges", std::move(found.rows)},
                          {"gaps", found.gaps},
                          {"damage", holdings.catalog.damage.size()},
                          {"last_commit", last}});
}

std::vector<std::string> archive_by_hand(const StepContext& context) {
  return {"daruma points " + shell_word(text_input(context, "datastore"))};
}

Result<Preview> archive_preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{{"show the stored log of " + text_input(context, "datastore")}, archive_by_hand(context)};
}

constexpr InputRow kFindInputs[] = {
    kPostgresDatastore,
    {.name = "before", .help = "a moment, RFC 3339: when the damage began; else the latest"}};
constexpr std::string_view kFindOutputs[] = {"source", "at",        "taken_at", "age_seconds",
                                             "bytes",  "wal_bytes", "timeline", "snapshot"};
constexpr InputRow kArchiveInputs[] = {kPostgresDatastore,
                                       {.name = "whole",
                                        .kind = InputRow::Kind::kBoolean,
                                        .standard = "false",
                                        .help = "a gap or a damaged object is a failure"}};
constexpr std::string_view kArchiveOutputs[] = {"ranges", "gaps", "damage", "last_commit"};

}  // namespace

StepType postgres_find_point_step() {
  return {
      .name = "postgres.find_point",
      .summary =
          "resolves the latest recovery point, or the last one before the damage, and proves that it is held",
      .timeout = std::chrono::minutes(10),
      .inputs = kFindInputs,
      .outputs = kFindOutputs,
      .proves_source = true,
      .act = find_point,
      .preview = find_preview,
      .by_hand = find_by_hand};
}

StepType postgres_wal_archive_step() {
  return {.name = "postgres.wal_archive",
          .summary = "shows the stored log as continuous ranges with gaps and timelines",
          .timeout = std::chrono::minutes(10),
          .inputs = kArchiveInputs,
          .outputs = kArchiveOutputs,
          .act = archive,
          .preview = archive_preview,
          .by_hand = archive_by_hand};
}

}  // namespace daruma::run
