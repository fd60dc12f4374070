#include <fmt/format.h>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/session.h"

namespace daruma {
namespace {

Json to_json(const std::string& datastore, const postgres::BackupResult& result) {
  Json errors = Json::array();
  for (const postgres::PageError& page : result.meta.page_errors)
    errors.push(std::move(
        Json::object().set("file", page.path).set("block", page.block).set("excused", page.excused)));
  Json notes = Json::array();
  for (const std::string& note : result.notes) notes.push(note);
  Json out = Json::object();
  out.set("datastore", datastore)
      .set("snapshot", result.stored.commit.snapshot.hex())
      .set("kind", result.stored.commit.kind)
      .set("started_at", result.meta.started)
      .set("ended_at", result.meta.ended)
      .set("start_lsn", to_string(result.meta.start))
      .set("end_lsn", to_string(result.meta.end))
      .set("timeline", result.meta.timeline)
      .set("bytes_read", result.meta.bytes_read)
      .set("bytes_stored", result.meta.bytes_stored)
      .set("page_errors", std::move(errors))
      .set("notes", std::move(notes));
  return out;
}

void print(App& app, const std::string& datastore, const postgres::BackupResult& result) {
  const Duration took = result.meta.ended - result.meta.started;
  app.out.write(fmt::format("{}: snapshot {} ({}), {} read, {} stored, in {}\n", datastore,
                            result.stored.commit.snapshot.hex().substr(0, 8), result.stored.commit.kind,
                            human_bytes(result.meta.bytes_read), human_bytes(result.meta.bytes_stored),
                            human_duration(took)));
  for (const postgres::PageError& page : result.meta.page_errors)
    if (!page.excused)
      app.err.write(fmt::format("{} page checksum wrong in {} block {}: the server's own file is damaged\n",
                                paint(app.err, Colour::kRed, "daruma:"), page.path, page.block));
  for (const std::string& note : result.notes) app.err.write(fmt::format("  note: {}\n", note));
}

bool has_bad_page(const postgres::BackupResult& result) {
  for (const postgres::PageError& page : result.meta.page_errors)
    if (!page.excused) return true;
  return false;
}

Result<int> backup_all(App& app, const Invocation& invocation) {
  DR_TRY(const auto datastores, chosen_datastores(app, invocation.arguments));
  DR_TRY(const Session session, open_session(app));
  DR_TRY(StateDirectory state, open_state(app));
  Json all = Json::array();
  int code = kDone;
  for (const DatastoreConfig* datastore : datastores) {
    DR_TRY(const ProtectedDatastore target, protected_datastore(app, *datastore));
    auto result = [&] {
      Progress progress(app.err, app.clock, "backup " + datastore->name);
      const auto update = [&](const postgres::BackupProgress& at) {
        progress.update(at.bytes_done, at.bytes_total ? std::optional(std::max(at.bytes_total, at.bytes_done))
                                                      : std::nullopt);
      };
      return snapshot_now(*session.repository, state, app.clock, target, invocation.has("--full"),
                          worker_count(), update, app.stop);
    }();
    if (!result.ok()) return std::move(result).error().in(datastore->name);
    // The snapshot stands; that a page in it was damaged on the server is a failure somebody must see.
    if (has_bad_page(*result)) code = kFailed;
    if (app.json)
      all.push(to_json(datastore->name, *result));
    else
      print(app, datastore->name, *result);
  }
  if (app.json) app.out.write(all.pretty());
  return code;
}

}  // namespace

int run_backup(App& app, const Invocation& invocation) {
  const auto code = backup_all(app, invocation);
  return code.ok() ? *code : report_error(app, code.error());
}

}  // namespace daruma
