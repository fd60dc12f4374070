#include <map>

#include "journal/journal_file.h"

namespace daruma {
namespace {

class Check {
 public:
  Check(const Path& file, std::optional<JournalHead> anchor) : file_(file), anchor_(anchor) {}

  // The table alone, in the order of its numbers: an index that lies cannot hide an event.
  Status walk(Statement& select) {
    for (;;) {
      auto there = select.step();
      if (!there.ok()) return std::move(there).error().in("after event " + std::to_string(head_.number));
      if (!*there) break;
      DR_OK(add(select));
    }
    if (anchor_ && anchor_->number > head_.number)
      return damaged_event(
          file_, anchor_->number,
          "is anchored outside and is not here: the journal ends at " + std::to_string(head_.number));
    return {};
  }
  uint64_t events() const { return head_.number; }

 private:
  Status add(const Statement& select) {
    const uint64_t expected = head_.number + 1;
    auto row = read_row(select);
    if (!row.ok()) return damaged_event(file_, expected, "cannot be read: " + row.error().what);
    if (row->event.number != expected) return damaged_event(file_, expected, "is missing");
    if (chain_hash(head_.hash, row->event) != row->hash)
      return damaged_event(file_, expected, "is not what was written");
    uint64_t& last = positions_[row->event.stream];
    if (row->event.position != ++last)
      return damaged_event(file_, expected, "is not what follows in its stream");
    head_ = {expected, row->hash};
    if (anchor_ && anchor_->number == expected && anchor_->hash != row->hash)
      return damaged_event(file_, expected, "is another than the one anchored outside");
    return {};
  }

  const Path& file_;
  const std::optional<JournalHead> anchor_;
  JournalHead head_;
  std::map<std::string, uint64_t> positions_;
};

}  // namespace

Result<uint64_t> check_journal(FileSystem& fs, const Path& file, std::optional<JournalHead> anchor) {
  DR_TRY(Database database, open_journal_file(fs, file));
  DR_OK(database.run("BEGIN"));
  DR_TRY(Statement select,
         database.prepare("SELECT number, stream, position, at, kind, body, hash FROM events NOT INDEXED "
                          "ORDER BY number"));
  Check check(file, anchor);
  DR_OK(check.walk(select));
  select.reset();
  // The events are whole; what is left is that the indexes lead to them.
  DR_TRY(const std::string answer, database.text_of("PRAGMA integrity_check(1)"));
  if (answer != "ok")
    return Error{Errc::kCorrupt,
                 file.string() +
                     ": every event is as written, but reading finds them by an "
                     "index that is damaged: " +
                     answer,
                 "put the file aside with its -wal, and copy it with `VACUUM INTO`"};
  return check.events();
}

}  // namespace daruma
