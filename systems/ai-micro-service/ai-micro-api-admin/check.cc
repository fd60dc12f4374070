#include "ai-micro-api-admin/check.h"

#include <fmt/format.h>

#include <set>

#include "ai-micro-api-admin/document_files.h"
#include "ai-micro-api-admin/names.h"
#include "base/digest.h"
#include "library/common.h"
#include "library/database.h"
#include "library/people.h"
#include "os/files.h"

namespace aimicro {

using daruma::Errc;
using daruma::Result;
using daruma::sha256_hex;
using daruma::Status;
using daruma::service::PostgresSession;
using daruma::service::Settings;

namespace {

struct Report {
  size_t documents = 0, damaged = 0, litter = 0;
};

Status check_rows(PostgresSession& session, const DocumentFiles& files, std::set<std::string>& named,
                  Report& report) {
  DR_TRY(const auto rows, session.run("SELECT id, size, sha256, name FROM documents ORDER BY id"));
  for (const auto& row : rows) {
    const std::string& id = *row[0];
    named.insert(id);
    ++report.documents;
    const Status sound = files.check(id, std::stoull(*row[1]), *row[2]);
    if (sound.ok()) continue;
    ++report.damaged;
    fmt::print("damaged: {} ({}): {}\n", id, *row[3], sound.error().what);
  }
  return {};
}

Status check_files(DocumentFiles& files, const DocumentFiles::Found& found,
                   const std::set<std::string>& named, bool remove, Report& report) {
  for (const std::string& id : found.ids) {
    if (named.contains(id)) continue;
    ++report.litter;
    fmt::print("no row names {}{}\n", files.path_of(id).string(), remove ? ": removed" : "");
    if (remove) DR_OK(files.remove(id));
  }
  for (const auto& stranger : found.strangers) {
    ++report.litter;
    fmt::print("not a document: {}\n", stranger.string());
  }
  return {};
}

Result<Report> check_all(const Settings& settings, bool remove) {
  DR_TRY(auto session, open_session(settings));
  const auto fs = daruma::real_file_system();
  DocumentFiles files(*fs, settings.path("files"));
  // Files are listed before rows: one that is uploaded meanwhile then has its row already.
  DR_TRY(const auto found, files.all());
  Report report;
  std::set<std::string> named;
  DR_OK(check_rows(session, files, named, report));
  DR_OK(check_files(files, found, named, remove, report));
  return report;
}

std::string type_of(std::string_view name) {
  constexpr std::pair<std::string_view, const char*> kTypes[] = {{".md", "text/markdown"},
                                                                 {".csv", "text/csv"},
                                                                 {".txt", "text/plain"},
                                                                 {".json", "application/json"},
                                                                 {".svg", "image/svg+xml"}};
  for (const auto& [ending, type] : kTypes)
    if (name.ends_with(ending)) return type;
  return "application/octet-stream";
}

Result<bool> add_example(PostgresSession& session, DocumentFiles& files, const std::string& name,
                         std::string_view body, const std::string& owner, size_t age_hours) {
  const std::string id = uuid_of("document:" + name);
  const Status put = files.put(id, daruma::as_bytes(body));
  if (!put.ok() && !put.is(Errc::kExists)) return put.error();
  DR_TRY(const auto rows,
         session.run("INSERT INTO documents (id, owner, name, media_type, size, sha256, created_at) "
                     "VALUES ($1, $2, $3, $4, $5, $6, now() - make_interval(hours => $7::int)) ON CONFLICT "
                     "DO NOTHING RETURNING 1",
                     {id, owner, name, type_of(name), std::to_string(body.size()), sha256_hex(body),
                      std::to_string(age_hours)}));
  return !rows.empty();
}

Result<size_t> add_examples(const Settings& settings) {
  DR_TRY(auto session, open_session(settings));
  const auto fs = daruma::real_file_system();
  DocumentFiles files(*fs, settings.path("files"));
  DR_TRY(const auto entries, fs->list_dir(settings.path("examples")));
  size_t added = 0, turn = 0;
  for (const auto& entry : entries) {
    DR_TRY(const auto bytes, read_file(*fs, settings.path("examples") / entry.name, 4 << 20));
    const Person& owner = people()[turn % people().size()];
    const size_t age_hours = 5 + 37 * turn++;  // they did not all come on one day
    DR_TRY(const bool is_new,
           add_example(session, files, entry.name, daruma::as_text(bytes), id_of(owner), age_hours));
    added += is_new ? 1 : 0;
  }
  return added;
}

}  // namespace

int check_command(const Settings& settings, const std::vector<std::string>& arguments) {
  const bool remove = arguments.size() == 1 && arguments[0] == "--remove-litter";
  if (!arguments.empty() && !remove) {
    fmt::print(stderr, "check: want nothing or --remove-litter\n");
    return 2;
  }
  const auto report = check_all(settings, remove);
  if (!report.ok()) return command_failed("check", report.error());
  fmt::print("documents: {}, damaged: {}, files without a document: {}\n", report->documents, report->damaged,
             report->litter);
  return report->damaged == 0 ? 0 : 1;
}

int seed_command(const Settings& settings, const std::vector<std::string>&) {
  const auto added = add_examples(settings);
  if (!added.ok()) return command_failed("seed", added.error());
  fmt::print("admindb: {} example documents added\n", *added);
  return 0;
}

}  // namespace aimicro
