#include "datastore/postgres/libpq_base_backup.h"

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "fmt/format.h"

namespace daruma::postgres {

namespace {

constexpr Duration kDrainTimeout = 60s;
constexpr size_t kLongestLabel = 1024;

// The replication grammar's string: quotes doubled, backslashes mean nothing.
std::string literal(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

std::string command(const std::string& label, bool fast, bool typed) {
  if (typed) {
    return fmt::format(
        "BASE_BACKUP ( LABEL {}, CHECKPOINT '{}', WAIT false, TABLESPACE_MAP true, PROGRESS true, "
        "VERIFY_CHECKSUMS false, MANIFEST 'no', WAL false )",
        literal(label), fast ? "fast" : "spread");
  }
  return fmt::format("BASE_BACKUP LABEL {} PROGRESS {}NOWAIT TABLESPACE_MAP NOVERIFY_CHECKSUMS",
                     literal(label), fast ? "FAST " : "");
}

template <class T>
Result<T> number(std::string_view text, const std::string& what) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return Error{Errc::kFailed, fmt::format("the server's {} '{}' is no number", what, text)};
  }
  return value;
}

}  // namespace

Status LibpqBaseBackup::start(const std::string& label, bool fast) {
  const bool plain = std::none_of(label.begin(), label.end(), [](char c) { return c >= 0 && c < ' '; });
  if (!plain || label.size() > kLongestLabel) {
    return Error{Errc::kInvalid,
                 fmt::format("a backup label has at most {} bytes and no control characters", kLongestLabel)};
  }
  doing_ = fmt::format("base backup '{}'", label);
  start_ = {};
  archives_begun_ = 0;
  DR_OK(link_.send(command(label, fast, typed())));
  stage_ = Stage::kPosition;
  return {};
}

Result<BackupEvent> LibpqBaseBackup::next(Deadline deadline) {
  DR_CHECK(!over());
  bool complete = false;
  while (true) {
    Result<BackupEvent> event = step(deadline, complete);
    if (event.ok() && !complete) continue;
    if (event.ok() || event.is(Errc::kCancelled)) return event;
    stage_ = Stage::kOver;
    // The error is the news; a connection that cannot even be drained says so at its next use.
    (void)link_.drain(doing_, kDrainTimeout).ok();
    // 58P01 here is a file of the data directory that went away, not something the caller asked for by name.
    if (event.is(Errc::kNotFound)) return Error{Errc::kFailed, event.error().what};
    return event;
  }
}

Result<BackupEvent> LibpqBaseBackup::step(Deadline deadline, bool& complete) {
  if (stage_ == Stage::kArchives) return next_archive(deadline, complete);
  if (stage_ == Stage::kCopy) return next_message(deadline, complete);

  DR_TRY(const ResultHandle result, link_.next_result(deadline, doing_));
  if (!result || PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    return Error{Errc::kFailed, doing_ + ": the server did not announce the backup"};
  }
  if (stage_ == Stage::kPosition) {
    DR_OK(read_position(result.get()));
    stage_ = Stage::kTablespaces;
    return BackupEvent{};
  }
  DR_OK(read_tablespaces(result.get()));
  stage_ = Stage::kArchives;
  complete = true;
  return BackupEvent(start_);
}

Status LibpqBaseBackup::read_position(const PGresult* result) {
  if (PQntuples(result) != 1 || PQnfields(result) < 2) {
    return Error{Errc::kFailed, doing_ + ": the server's answer has no start position"};
  }
  DR_TRY(start_.start, parse_lsn(PQgetvalue(result, 0, 0)));
  DR_TRY(start_.timeline, number<Timeline>(PQgetvalue(result, 0, 1), "timeline"));
  return {};
}

Status LibpqBaseBackup::read_tablespaces(const PGresult* result) {
  if (PQnfields(result) < 3)
    return Error{Errc::kFailed, doing_ + ": the server's list of tablespaces is cut"};
  for (int row = 0; row < PQntuples(result); ++row) {
    TablespaceInfo tablespace;
    if (!PQgetisnull(result, row, 0)) {
      DR_TRY(tablespace.oid, number<uint32_t>(PQgetvalue(result, row, 0), "tablespace"));
      tablespace.location = PQgetvalue(result, row, 1);
    }
    if (!PQgetisnull(result, row, 2)) {
      DR_TRY(const auto kilobytes, number<uint64_t>(PQgetvalue(result, row, 2), "tablespace size"));
      tablespace.size_bytes = kilobytes * kKiB;
    }
    start_.tablespaces.push_back(std::move(tablespace));
  }
  return {};
}

Result<BackupEvent> LibpqBaseBackup::next_archive(Deadline deadline, bool& complete) {
  DR_TRY(const ResultHandle result, link_.next_result(deadline, doing_));
  const ExecStatusType status = result ? PQresultStatus(result.get()) : PGRES_EMPTY_QUERY;
  if (status == PGRES_TUPLES_OK) {
    complete = true;
    return finish(result.get());
  }
  if (status != PGRES_COPY_OUT) return Error{Errc::kFailed, doing_ + ": the server sent no archive"};
  stage_ = Stage::kCopy;
  if (typed()) return BackupEvent{};  // its first message names the archive
  if (archives_begun_ >= start_.tablespaces.size()) {
    return Error{Errc::kFailed, doing_ + ": the server sent more archives than tablespaces"};
  }
  complete = true;
  return BackupEvent(BackupArchive{start_.tablespaces[archives_begun_++].oid});
}

Result<BackupEvent> LibpqBaseBackup::next_message(Deadline deadline, bool& complete) {
  DR_TRY(message_, link_.copy_message(deadline, doing_));
  switch (message_.kind) {
    case CopyMessage::Kind::kNone:
      return Error{Errc::kCancelled, doing_ + ": nothing came before the deadline"};
    case CopyMessage::Kind::kEnd:
      stage_ = Stage::kArchives;
      return BackupEvent{};
    case CopyMessage::Kind::kData:
      break;
  }
  if (typed()) return typed_message(complete);
  complete = true;
  return BackupEvent(BackupData{message_.bytes});
}

Result<BackupEvent> LibpqBaseBackup::typed_message(bool& complete) {
  const auto type = static_cast<char>(message_.bytes.front());
  const BytesView rest = message_.bytes.subspan(1);
  if (type == 'p') return BackupEvent{};
  complete = true;
  if (type == 'd') return BackupEvent(BackupData{rest});
  if (type != 'n') return Error{Errc::kFailed, fmt::format("{}: unknown message {:#04x}", doing_, type)};

  const std::string_view text = as_text(rest);
  const std::string_view name = text.substr(0, text.find('\0'));
  if (name == "base.tar") return BackupEvent(BackupArchive{0});
  if (!name.ends_with(".tar"))
    return Error{Errc::kFailed, fmt::format("{}: unknown archive '{}'", doing_, name)};
  DR_TRY(const auto oid, number<uint32_t>(name.substr(0, name.size() - 4), "archive"));
  return BackupEvent(BackupArchive{oid});
}

Result<BackupEvent> LibpqBaseBackup::finish(const PGresult* result) {
  if (PQntuples(result) != 1 || PQnfields(result) < 2) {
    return Error{Errc::kFailed, doing_ + ": the server's answer has no end position"};
  }
  BackupEnd end;
  DR_TRY(end.end, parse_lsn(PQgetvalue(result, 0, 0)));
  DR_TRY(end.timeline, number<Timeline>(PQgetvalue(result, 0, 1), "timeline"));
  // Only the end of the command says that the server counts the backup as good.
  DR_OK(link_.drain(doing_, kDrainTimeout));
  stage_ = Stage::kOver;
  return BackupEvent(end);
}

}  // namespace daruma::postgres
