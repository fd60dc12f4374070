// journal/sqlite.h: SQLite behind one thin wrapper: its answers as Status, statements that reset themselves.
//
// Errors:  kNoSpace, kUnavailable (locked by others for too long), kCorrupt, kRefused (may not be written),
//          else kFailed; `what` names the file and SQLite's own words.
// Threads: one at a time for a Database and all its statements.
// Owns:    its connection. SQLite does its own I/O; no other part of us may open and close the same file in
//          this process: that would drop SQLite's locks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "os/file_system.h"

struct sqlite3;
struct sqlite3_stmt;

namespace daruma {

class Statement {
 public:
  Statement(Statement&&) noexcept = default;

  // Values for ?1, ?2 …; texts and blobs must stay until the next reset().
  Statement& bind(int at, int64_t value);
  Statement& bind(int at, std::string_view text);
  Statement& bind_blob(int at, BytesView bytes);
  // True: a row is there; false: the end.
  Result<bool> step();
  // Runs to its end, and is ready for the next time.
  Status run();
  void reset();

  // Of the row that is there. kCorrupt: the column is of another kind.
  Result<int64_t> integer(int column) const;
  Result<std::string> text(int column) const;
  Result<BytesView> blob(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* db, sqlite3_stmt* statement, Path file) : db_(db), file_(std::move(file)) {
    statement_.reset(statement);
  }
  Error wrong_kind(int column) const;

  sqlite3* db_;
  Path file_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  // Opens a file that is there, to read and write; reads nothing of it yet. Waits up to `patience` for locks
  // of others.
  static Result<Database> open(const Path& file, Duration patience);

  Status run(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row.
  Result<std::string> text_of(std::string_view sql);
  Result<int64_t> integer_of(std::string_view sql);
  // Ends a transaction that did not commit, if one is open.
  void rollback();
  // The first `size` bytes of the file as it lies on the disk.
  Result<Bytes> file_head(size_t size);
  const Path& file() const { return file_; }

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Database(sqlite3* db, Path file) : file_(std::move(file)), db_(db) {}

  Path file_;
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace daruma
