#include <fmt/format.h>

#include <set>

#include "base/size.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/session.h"
#include "datastore/postgres/points.h"

namespace daruma {
namespace {

using postgres::Catalog;
using postgres::LogSpan;

Json optional_time(const std::optional<Instant>& time) { return time ? Json(*time) : Json(); }

Json to_json(const Catalog& catalog, const std::vector<LogSpan>& spans) {
  Json snapshots = Json::array();
  for (const postgres::Snapshot& snapshot : catalog.snapshots) {
    const postgres::SnapshotMeta& meta = snapshot.meta;
    Json row = Json::object();
    row.set("id", snapshot.stored.commit.snapshot.hex())
        .set("kind", snapshot.stored.commit.kind)
        .set("started_at", meta.started)
        .set("ended_at", meta.ended)
        .set("start_lsn", to_string(meta.start))
        .set("end_lsn", to_string(meta.end))
        .set("timeline", meta.timeline)
        .set("bytes_read", meta.bytes_read)
        .set("bytes_stored", meta.bytes_stored);
    snapshots.push(std::move(row));
  }
  Json log = Json::array();
  for (const LogSpan& span : spans) {
    Json row = Json::object();
    row.set("timeline", span.timeline)
        .set("from_lsn", to_string(span.from))
        .set("to_lsn", to_string(span.to))
        .set("from_time", optional_time(span.from_time))
        .set("to_time", optional_time(span.to_time));
    log.push(std::move(row));
  }
  Json out = Json::object();
  out.set("snapshots", std::move(snapshots)).set("log", std::move(log));
  if (!catalog.damage.empty()) {
    Json damage = Json::array();
    for (const std::string& left_out : catalog.damage) damage.push(left_out);
    out.set("damage", std::move(damage));
  }
  return out;
}

std::string text_time(const std::optional<Instant>& time) { return time ? to_rfc3339(*time) : "-"; }

void print(App& app, const Catalog& catalog, const std::vector<LogSpan>& spans) {
  app.out.write(paint(app.out, Colour::kBold, catalog.datastore) + "\n");
  Table snapshots({{"  snapshot"},
                   {"kind"},
                   {"ended"},
                   {"consistent at"},
                   {"timeline", Table::Align::kRight},
                   {"read", Table::Align::kRight},
                   {"stored", Table::Align::kRight}});
  for (const postgres::Snapshot& snapshot : catalog.snapshots) {
    const postgres::SnapshotMeta& meta = snapshot.meta;
    snapshots.row({"  " + snapshot.stored.commit.snapshot.hex().substr(0, 8), snapshot.stored.commit.kind,
                   to_rfc3339(meta.ended), to_string(meta.end), std::to_string(meta.timeline),
                   human_bytes(meta.bytes_read), human_bytes(meta.bytes_stored)});
  }
  app.out.write(snapshots.text() + "\n");
  Table log({{"  log of timeline"}, {"from"}, {"to"}, {"first commit"}, {"last commit"}});
  const LogSpan* before = nullptr;
  for (const LogSpan& span : spans) {
    if (before && before->timeline == span.timeline && before->to < span.from)
      log.row({fmt::format("  {}, a hole", span.timeline), to_string(before->to), to_string(span.from),
               "unknown", "unknown"});
    log.row({fmt::format("  {}", span.timeline), to_string(span.from), to_string(span.to),
             text_time(span.from_time), text_time(span.to_time)});
    before = &span;
  }
  app.out.write(log.text());
  for (const std::string& left_out : catalog.damage)
    app.err.write(fmt::format("{} {}\n", paint(app.err, Colour::kRed, "daruma:"), left_out));
}

Result<std::vector<std::string>> datastores_of(const App& app, const Repository& repository,
                                               const std::vector<std::string>& named) {
  if (!named.empty()) return named;
  std::set<std::string> names;
  for (const DatastoreConfig& datastore : app.config->datastores)
    if (datastore.kind == DatastoreKind::kPostgres) names.insert(datastore.name);
  DR_TRY(const auto commits, repository.commits([](const std::string&, const Error&) {}));
  for (const auto& stored : commits) names.insert(stored.commit.datastore);
  return std::vector<std::string>(names.begin(), names.end());
}

Status points(App& app, const Invocation& invocation) {
  DR_TRY(const Session session, open_session(app));
  DR_TRY(const auto names, datastores_of(app, *session.repository, invocation.arguments));
  Json all = Json::object();
  for (const std::string& name : names) {
    const auto catalog = postgres::load_catalog(*session.repository, name);
    if (catalog.is(Errc::kNotFound) && invocation.arguments.empty()) {
      if (!app.json)
        app.out.write(fmt::format("{}: no snapshot yet; `daruma backup {}` takes one\n", name, name));
      continue;
    }
    DR_OK(catalog);
    DR_TRY(const auto spans, postgres::log_spans(*catalog));
    if (!app.json)
      print(app, *catalog, spans);
    else if (invocation.arguments.size() == 1)
      all = to_json(*catalog, spans);
    else
      all.set(name, to_json(*catalog, spans));
  }
  if (app.json) app.out.write(all.pretty());
  return {};
}

}  // namespace

int run_points(App& app, const Invocation& invocation) {
  const Status done = points(app, invocation);
  return done.ok() ? static_cast<int>(kDone) : report_error(app, done.error());
}

}  // namespace daruma
