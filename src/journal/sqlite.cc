#include "journal/sqlite.h"

#include <sqlite3.h>

#include <cerrno>

namespace daruma {
namespace {

Errc code_of(sqlite3* db, int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return Errc::kNoSpace;
    case SQLITE_BUSY:
      return Errc::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:  // our statements cannot violate one, unless an index disagrees with its table
      return Errc::kCorrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::kRefused;
    case SQLITE_IOERR: {
      const int cause = sqlite3_system_errno(db);
      return cause == ENOSPC || cause == EDQUOT || result == SQLITE_IOERR_SHMSIZE ? Errc::kNoSpace
                                                                                  : Errc::kFailed;
    }
    default:
      return Errc::kFailed;
  }
}

Error error_of(sqlite3* db, const Path& file, int result) {
  const char* words = db ? sqlite3_errmsg(db) : sqlite3_errstr(result);
  return {code_of(db, result), file.string() + ": " + words};
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* db) const { sqlite3_close(db); }

Statement& Statement::bind(int at, int64_t value) {
  DR_CHECK(sqlite3_bind_int64(statement_.get(), at, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  DR_CHECK(sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), nullptr, SQLITE_UTF8) ==
           SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int at, BytesView bytes) {
  DR_CHECK(sqlite3_bind_blob64(statement_.get(), at, bytes.data(), bytes.size(), nullptr) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  Error error = error_of(db_, file_, result);
  reset();
  return error;
}

Status Statement::run() {
  for (;;) {
    DR_TRY(const bool row, step());
    if (!row) break;
  }
  reset();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

Error Statement::wrong_kind(int column) const {
  return {Errc::kCorrupt,
          file_.string() + ": '" + sqlite3_column_name(statement_.get(), column) + "' is of another kind"};
}

Result<int64_t> Statement::integer(int column) const {
  if (sqlite3_column_type(statement_.get(), column) != SQLITE_INTEGER) return wrong_kind(column);
  return sqlite3_column_int64(statement_.get(), column);
}

Result<std::string> Statement::text(int column) const {
  if (sqlite3_column_type(statement_.get(), column) != SQLITE_TEXT) return wrong_kind(column);
  const auto* text = sqlite3_column_text(statement_.get(), column);
  return std::string(reinterpret_cast<const char*>(text),
                     static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

Result<BytesView> Statement::blob(int column) const {
  if (sqlite3_column_type(statement_.get(), column) != SQLITE_BLOB) return wrong_kind(column);
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
  return BytesView(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

Result<Database> Database::open(const Path& file, Duration patience) {
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(
      file.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(raw, file);  // also of an open that failed: it must be closed
  if (result != SQLITE_OK) return error_of(raw, file, result);
  const auto patience_ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
  sqlite3_busy_timeout(raw, static_cast<int>(patience_ms.count()));
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Status Database::run(const char* sql) {
  const int result = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return error_of(db_.get(), file_, result);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return error_of(db_.get(), file_, result);
  return Statement(db_.get(), raw, file_);
}

Result<std::string> Database::text_of(std::string_view sql) {
  DR_TRY(Statement statement, prepare(sql));
  DR_TRY(const bool row, statement.step());
  DR_CHECK(row);
  return statement.text(0);
}

Result<int64_t> Database::integer_of(std::string_view sql) {
  DR_TRY(Statement statement, prepare(sql));
  DR_TRY(const bool row, statement.step());
  DR_CHECK(row);
  return statement.integer(0);
}

void Database::rollback() {
  if (!sqlite3_get_autocommit(db_.get())) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<Bytes> Database::file_head(size_t size) {
  sqlite3_file* raw = nullptr;
  const int found = sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &raw);
  if (found != SQLITE_OK) return error_of(db_.get(), file_, found);
  Bytes head(size);
  const int result = raw->pMethods->xRead(raw, head.data(), static_cast<int>(size), 0);
  if (result == SQLITE_IOERR_SHORT_READ) return Error{Errc::kCorrupt, file_.string() + ": cut off"};
  if (result != SQLITE_OK) return error_of(db_.get(), file_, result);
  return head;
}

}  // namespace daruma
