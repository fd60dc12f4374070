// journal/journal_file.h: the journal's file: its tables, what makes a file one of ours, its rows.
//
// Format:  docs/format/journal.md, section 3.
// Errors:  as journal.h.
// Threads: as Database: one at a time.
#pragma once

#include "journal/chain.h"
#include "journal/sqlite.h"

namespace daruma {

struct EventRow {
  WrittenEvent event;
  EventHash hash{};
};

// Makes an empty journal under `file`, complete or not at all. Success also when somebody else was first.
Status create_journal_file(FileSystem& fs, Clock& clock, const Path& file);

// Opens a journal's file. kNotFound: it is not there. kCorrupt: it is none of ours, or its beginning or its
// write-ahead log is damaged.
Result<Database> open_journal_file(FileSystem& fs, const Path& file);

// A row whose columns are as in kSelectLast, maybe with more after them.
Result<EventRow> read_row(const Statement& row);
Result<EventHash> hash_at(const Statement& row, int column);
Error damaged_event(const Path& file, uint64_t number, const std::string& cause);

// The last event; nullopt: there is none.
Result<std::optional<EventRow>> last_row(Statement& select_last);
inline constexpr std::string_view kSelectLast =
    "SELECT number, stream, position, at, kind, body, hash FROM events ORDER BY number DESC LIMIT 1";

}  // namespace daruma
