#include "journal/journal.h"

#include "journal/group.h"
#include "journal/journal_file.h"

namespace daruma {
namespace {

// What one thread at a time writes with.
class Writer {
 public:
  static Result<Writer> open(FileSystem& fs, Clock& clock, const Path& file) {
    DR_TRY(Database database, open_journal_file(fs, file));
    DR_TRY(Statement last, database.prepare(kSelectLast));
    DR_TRY(Statement position, database.prepare("SELECT max(position) FROM events WHERE stream = ?1"));
    DR_TRY(Statement insert, database.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    return Writer(clock, std::move(database), std::move(last), std::move(position), std::move(insert));
  }

  void write(std::vector<AppendRequest*>& requests) {
    const Status status = broken_.ok() ? transact(requests) : broken_;
    if (status.ok()) return;
    database_.rollback();
    // After a failed write or sync nobody knows what the disk holds until the file is opened anew.
    if (status.is(Errc::kFailed)) broken_ = status;
    for (AppendRequest* request : requests) request->answer = status;
  }

 private:
  Writer(Clock& clock, Database database, Statement last, Statement position, Statement insert)
      : clock_(clock),
        database_(std::move(database)),
        last_(std::move(last)),
        position_(std::move(position)),
        insert_(std::move(insert)) {}

  Status transact(std::vector<AppendRequest*>& requests) {
    DR_OK(database_.run("BEGIN IMMEDIATE"));
    DR_TRY(JournalHead head, read_head());
    const uint64_t before = head.number;
    for (AppendRequest* request : requests) {
      DR_TRY(const uint64_t last, last_position(request->stream));
      if (last != request->after)
        request->answer = stream_moved_on(request->stream, request->after, last);
      else
        DR_OK(insert(*request, head));
    }
    if (head.number == before) {
      database_.rollback();
      return {};
    }
    DR_OK(database_.run("COMMIT"));
    seen_ = head;
    return {};
  }

  // Other processes append too: what the file says now.
  Result<JournalHead> read_head() {
    DR_TRY(const auto row, last_row(last_));
    const JournalHead head = row ? JournalHead{row->event.number, row->hash} : JournalHead{};
    if (head.number < seen_.number || (head.number == seen_.number && head.hash != seen_.hash))
      return damaged_event(database_.file(), seen_.number, "was there and is not any more");
    seen_ = head;
    return head;
  }

  Result<uint64_t> last_position(const std::string& stream) {
    DR_OK(position_.bind(1, stream).step());
    const auto last = position_.integer(0);  // null: the stream is new
    position_.reset();
    return last.ok() ? static_cast<uint64_t>(*last) : 0;
  }

  Status insert(AppendRequest& request, JournalHead& head) {
    const Instant now = clock_.now();
    uint64_t position = request.after;
    for (WrittenEvent& event : request.events) {
      event.number = head.number + 1;
      event.position = ++position;
      event.at = now;
      head = {event.number, chain_hash(head.hash, event)};
      DR_OK(insert_.bind(1, static_cast<int64_t>(event.number))
                .bind(2, event.stream)
                .bind(3, static_cast<int64_t>(event.position))
                .bind(4, event.at.micros)
                .bind(5, event.kind)
                .bind(6, event.body)
                .bind_blob(7, head.hash)
                .run());
    }
    request.answer = {};
    return {};
  }

  Clock& clock_;
  Database database_;
  Statement last_, position_, insert_;
  JournalHead seen_;
  Status broken_;
};

// What one thread at a time reads with: a connection of its own, so that reading never waits for a sync.
class Reader {
 public:
  static Result<Reader> open(FileSystem& fs, const Path& file) {
    DR_TRY(Database database, open_journal_file(fs, file));
    DR_TRY(Statement last, database.prepare(kSelectLast));
    DR_TRY(Statement stream,
           database.prepare("SELECT e.number, e.stream, e.position, e.at, e.kind, e.body, e.hash, b.hash "
                            "FROM events e LEFT JOIN events b ON b.number = e.number - 1 "
                            "WHERE e.stream = ?1 AND e.position >= ?2 ORDER BY e.position"));
    DR_TRY(Statement names, database.prepare("SELECT stream FROM events WHERE position = 1 AND "
                                             "stream >= ?1 AND stream < ?2 ORDER BY number DESC LIMIT ?3"));
    return Reader(std::move(database), std::move(last), std::move(stream), std::move(names));
  }

  Result<std::vector<JournalEvent>> read(const std::string& stream, uint64_t from) {
    stream_.bind(1, stream).bind(2, static_cast<int64_t>(from));
    auto events = read_rows(std::max<uint64_t>(from, 1));
    stream_.reset();
    return events;
  }

  Result<std::vector<std::string>> streams(const std::string& prefix, size_t limit) {
    const std::string end = prefix + '\x7f';  // names hold nothing as high
    names_.bind(1, prefix).bind(2, end).bind(3, static_cast<int64_t>(limit));
    auto names = read_names();
    names_.reset();
    return names;
  }

  Result<JournalHead> head() {
    DR_TRY(const auto row, last_row(last_));
    return row ? JournalHead{row->event.number, row->hash} : JournalHead{};
  }

  Status verify_last() {
    DR_TRY(const auto row, last_row(last_));
    if (!row) return {};
    DR_TRY(const auto events, read(row->event.stream, row->event.position));
    if (events.empty())
      return damaged_event(database_.file(), row->event.number,
                           "is the last, and its stream does not end there");
    return {};
  }

 private:
  Reader(Database database, Statement last, Statement stream, Statement names)
      : database_(std::move(database)),
        last_(std::move(last)),
        stream_(std::move(stream)),
        names_(std::move(names)) {}

  Result<std::vector<JournalEvent>> read_rows(uint64_t position) {
    std::vector<JournalEvent> events;
    for (;; ++position) {
      DR_TRY(const bool there, stream_.step());
      if (!there) return events;
      DR_TRY(events.emplace_back(), read_verified(position));
    }
  }

  Result<JournalEvent> read_verified(uint64_t position) {
    DR_TRY(const int64_t number, stream_.integer(0));
    const auto damaged = [&](const std::string& cause) {
      return damaged_event(database_.file(), static_cast<uint64_t>(number), cause);
    };
    auto row = read_row(stream_);
    if (!row.ok()) return damaged("cannot be read: " + row.error().what);
    if (row->event.position != position)
      return damaged("is not what follows in '" + row->event.stream + "': event " + std::to_string(position) +
                     " of it is missing");
    EventHash before{};
    if (number != 1) {
      const auto found = hash_at(stream_, 7);
      if (!found.ok()) return damaged("stands alone: the one before it is missing");
      before = *found;
    }
    if (chain_hash(before, row->event) != row->hash) return damaged("is not what was written");
    return read_event(std::move(row->event));
  }

  Result<std::vector<std::string>> read_names() {
    std::vector<std::string> names;
    for (;;) {
      DR_TRY(const bool there, names_.step());
      if (!there) return names;
      DR_TRY(names.emplace_back(), names_.text(0));
    }
  }

  Database database_;
  Statement last_, stream_, names_;
};

class FileJournal final : public Journal {
 public:
  FileJournal(Writer writer, Reader reader)
      : writer_(std::move(writer)),
        reader_(std::move(reader)),
        group_([this](auto& requests) { writer_.write(requests); }) {}

  Result<std::vector<JournalEvent>> append(const std::string& stream, uint64_t after,
                                           const std::vector<NewEvent>& events) override {
    DR_CHECK(!events.empty());
    AppendRequest request;
    request.stream = stream;
    request.after = after;
    for (const NewEvent& event : events) {
      DR_TRY(request.events.emplace_back(), write_event(stream, event));
    }
    group_.append(request);
    DR_OK(request.answer);
    std::vector<JournalEvent> appended;
    for (WrittenEvent& event : request.events) {
      DR_TRY(appended.emplace_back(), read_event(std::move(event)));
    }
    return appended;
  }
  Result<std::vector<JournalEvent>> read(const std::string& stream, uint64_t from) override {
    return reader_.lock()->read(stream, from);
  }
  Result<std::vector<std::string>> streams(const std::string& prefix, size_t limit) override {
    return reader_.lock()->streams(prefix, limit);
  }
  Result<JournalHead> head() override { return reader_.lock()->head(); }

 private:
  Writer writer_;  // whoever leads the group
  Guarded<Reader> reader_;
  AppendGroup group_;
};

}  // namespace

Result<std::unique_ptr<Journal>> open_journal(FileSystem& fs, Clock& clock, const Path& file) {
  const auto found = fs.info(file);
  if (found.is(Errc::kNotFound)) {
    DR_OK(create_journal_file(fs, clock, file));
  }
  DR_TRY(Reader reader, Reader::open(fs, file));
  DR_OK(reader.verify_last());
  DR_TRY(Writer writer, Writer::open(fs, clock, file));
  return std::unique_ptr<Journal>(std::make_unique<FileJournal>(std::move(writer), std::move(reader)));
}

}  // namespace daruma
