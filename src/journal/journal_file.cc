#include "journal/journal_file.h"

#include <algorithm>

#include "journal/wal_check.h"

namespace daruma {
namespace {

constexpr Duration kPatience = 10s;
constexpr const char* kSession = "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON";

// Everything in the file's schema, by name.
constexpr struct {
  std::string_view name;
  const char* sql;
} kSchema[] = {
    {"begun", "CREATE INDEX begun ON events (stream) WHERE position = 1"},
    {"by_stream", "CREATE UNIQUE INDEX by_stream ON events (stream, position)"},
    {"events",
     "CREATE TABLE events (number INTEGER PRIMARY KEY, stream TEXT NOT NULL, position INTEGER NOT NULL, "
     "at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL) STRICT"},
};

// Of the first 100 bytes (SQLite's own header), those that are the same in every journal of version 1.
struct Fixed {
  size_t at;
  std::string_view bytes;
};
using namespace std::string_view_literals;
constexpr Fixed kFixed[] = {
    {0, "SQLite format 3\0"sv},
    {16, "\x10\x00"sv},          // pages of 4096 bytes
    {18, "\x02\x02\x00"sv},      // write-ahead log, nothing reserved
    {21, "\x40\x20\x20"sv},      // payload fractions
    {44, "\x00\x00\x00\x04"sv},  // schema format
    {56, "\x00\x00\x00\x01"sv},  // UTF-8
    {60, "\x00\x00\x00\x01"sv},  // user_version: ours
    {68, "DRMJ"sv},              // application_id
};

Error not_a_journal(const Path& file, const std::string& cause) {
  return {Errc::kCorrupt, file.string() + ": not a journal of version 1: " + cause,
          "put the file aside with its -wal; a copy, or the runs' reports, tell what it held"};
}

Status make_tables(const Path& file) {
  DR_TRY(Database database, Database::open(file, kPatience));
  DR_OK(
      database.run("PRAGMA page_size = 4096; PRAGMA application_id = 0x44524d4a; PRAGMA user_version = 1; "
                   "BEGIN IMMEDIATE"));
  // The table before its indexes.
  for (auto object = std::rbegin(kSchema); object != std::rend(kSchema); ++object)
    DR_OK(database.run(object->sql));
  DR_OK(database.run("COMMIT"));
  // Last, so that nothing of this file is ever in a write-ahead log: it gets another name.
  return database.run("PRAGMA journal_mode = WAL");
}

Status check_head(Database& database) {
  DR_TRY(const Bytes head, database.file_head(100));
  for (const Fixed& fixed : kFixed)
    if (as_text(BytesView(head).subspan(fixed.at, fixed.bytes.size())) != fixed.bytes)
      return not_a_journal(database.file(),
                           "byte " + std::to_string(fixed.at) + " or one after it is not as written");
  return {};
}

Status check_schema(Database& database) {
  DR_TRY(Statement select, database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name"));
  for (const auto& object : kSchema) {
    DR_TRY(const bool there, select.step());
    if (!there) return not_a_journal(database.file(), "'" + std::string(object.name) + "' is missing");
    DR_TRY(const std::string name, select.text(0));
    DR_TRY(const std::string sql, select.text(1));
    if (name != object.name || sql != object.sql)
      return not_a_journal(database.file(), "'" + std::string(object.name) + "' is not as written");
  }
  DR_TRY(const bool more, select.step());
  if (more) return not_a_journal(database.file(), "it holds more than our tables");
  return {};
}

}  // namespace

Status create_journal_file(FileSystem& fs, Clock& clock, const Path& file) {
  const Path fresh = file.string() + ".new-" + std::to_string(clock.now().micros);
  DR_OK(fs.create(fresh, 0600));
  const Status made = make_tables(fresh);
  const Status named = made.ok() ? fs.link(fresh, file) : made;
  DR_OK(fs.remove_file(fresh));
  if (!named.ok() && !named.is(Errc::kExists)) return named;
  return fs.sync_dir(file.parent_path());
}

Result<Database> open_journal_file(FileSystem& fs, const Path& file) {
  DR_OK(fs.info(file));
  DR_OK(check_wal(fs, file));
  DR_TRY(Database database, Database::open(file, kPatience));
  // A file that is none is told by its first bytes, in our words, before SQLite meets it.
  DR_OK(check_head(database));
  DR_OK(database.run(kSession));
  DR_OK(check_schema(database));
  return database;
}

Result<EventHash> hash_at(const Statement& row, int column) {
  DR_TRY(const BytesView bytes, row.blob(column));
  EventHash hash;
  if (bytes.size() != hash.size())
    return Error{Errc::kCorrupt, "the hash has " + std::to_string(bytes.size()) + " bytes"};
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

Result<EventRow> read_row(const Statement& row) {
  EventRow out;
  DR_TRY(const int64_t number, row.integer(0));
  DR_TRY(out.event.stream, row.text(1));
  DR_TRY(const int64_t position, row.integer(2));
  DR_TRY(out.event.at.micros, row.integer(3));
  DR_TRY(out.event.kind, row.text(4));
  DR_TRY(out.event.body, row.text(5));
  DR_TRY(out.hash, hash_at(row, 6));
  out.event.number = static_cast<uint64_t>(number);
  out.event.position = static_cast<uint64_t>(position);
  return out;
}

Error damaged_event(const Path& file, uint64_t number, const std::string& cause) {
  return {Errc::kCorrupt, file.string() + ": event " + std::to_string(number) + " " + cause,
          "put the file aside with its -wal, and believe nothing after event " +
              std::to_string(number == 0 ? 0 : number - 1)};
}

Result<std::optional<EventRow>> last_row(Statement& select_last) {
  DR_TRY(const bool there, select_last.step());
  if (!there) {
    select_last.reset();
    return std::optional<EventRow>();
  }
  auto row = read_row(select_last);
  select_last.reset();
  DR_TRY(EventRow last, std::move(row));
  return std::optional<EventRow>(std::move(last));
}

}  // namespace daruma
