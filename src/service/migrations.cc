#include "service/migrations.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "os/files.h"

namespace daruma::service {
namespace {

constexpr uint64_t kFileMax = 4 << 20;
constexpr const char* kLock = "SELECT pg_advisory_lock(hashtext('schema_migrations'))";
constexpr const char* kUnlock = "SELECT pg_advisory_unlock(hashtext('schema_migrations'))";
constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " number int PRIMARY KEY CHECK (number > 0), name text NOT NULL, sha256 text NOT NULL,"
    " ran_at timestamptz NOT NULL DEFAULT now())";

struct Migration {
  std::string name;  // "0001_users"
  std::string sql, sha256;
};

Result<std::vector<Migration>> read_migrations(FileSystem& fs, const Path& directory) {
  DR_TRY(const auto entries, fs.list_dir(directory));
  std::vector<Migration> found;
  for (const DirectoryEntry& entry : entries) {
    if (!entry.name.ends_with(".sql")) continue;
    const std::string expected = fmt::format("{:04}_", found.size() + 1);
    if (!entry.name.starts_with(expected))
      return Error{Errc::kInvalid, fmt::format("migration '{}' in {}: want a name that begins with '{}'",
                                               entry.name, directory.string(), expected)};
    DR_TRY(const Bytes bytes, read_file(fs, directory / entry.name, kFileMax));
    std::string sql(as_text(bytes));
    found.push_back({entry.name.substr(0, entry.name.size() - 4), sql, sha256_hex(sql)});
  }
  if (found.empty()) return Error{Errc::kInvalid, "no migrations (NNNN_name.sql) in " + directory.string()};
  return found;
}

Status check_history(const std::vector<std::vector<SqlValue>>& history, const std::vector<Migration>& files) {
  if (history.size() > files.size())
    return Error{
        Errc::kRefused,
        fmt::format("the database has {} migrations, the files are {}", history.size(), files.size()),
        "this program is older than the database: run the newer one"};
  for (size_t i = 0; i < history.size(); ++i)
    if (history[i][0] != files[i].name || history[i][1] != files[i].sha256)
      return Error{Errc::kRefused,
                   fmt::format("migration {} ran as '{}' and its file differs now", i + 1, *history[i][0]),
                   "never change a migration that ran: add a new one"};
  return {};
}

Status run_one(PostgresSession& session, size_t number, const Migration& migration) {
  DR_OK(session.run("BEGIN"));
  auto done = session.run_script(migration.sql);
  if (done.ok()) {
    auto noted = session.run("INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                             {std::to_string(number), migration.name, migration.sha256});
    if (!noted.ok()) done = std::move(noted).error();
  }
  if (done.ok()) {
    auto committed = session.run("COMMIT");
    if (committed.ok()) return {};
    done = std::move(committed).error();
  }
  static_cast<void>(session.run("ROLLBACK"));  // the first error is the one to tell
  return std::move(done).error().in("migration " + migration.name);
}

Result<std::vector<std::string>> run_missing(PostgresSession& session, const std::vector<Migration>& files) {
  DR_OK(session.run(kTable));
  DR_TRY(const auto history, session.run("SELECT name, sha256 FROM schema_migrations ORDER BY number"));
  DR_OK(check_history(history, files));
  std::vector<std::string> ran;
  for (size_t i = history.size(); i < files.size(); ++i) {
    DR_OK(run_one(session, i + 1, files[i]));
    ran.push_back(files[i].name);
  }
  return ran;
}

}  // namespace

Result<std::vector<std::string>> migrate(PostgresSession& session, FileSystem& fs, const Path& directory) {
  DR_TRY(const auto files, read_migrations(fs, directory));
  DR_OK(session.run(kLock));
  auto ran = run_missing(session, files);
  const auto unlocked = session.run(kUnlock);
  if (ran.ok() && !unlocked.ok()) return unlocked.error();
  return ran;
}

}  // namespace daruma::service
