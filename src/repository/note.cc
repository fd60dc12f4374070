#include "repository/note.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/numbered.h"

namespace daruma {
namespace {

Bytes encode(const Note& note) {
  ByteWriter out;
  out.put(static_cast<uint8_t>(RecordKind::kNote));
  out.put(note.number);
  out.put_bytes(note.writer.view());
  out.put(static_cast<uint64_t>(note.time.micros));
  out.put_string(note.topic);
  out.put_string(note.text);
  return out.take();
}

Result<Note> decode(BytesView record) {
  ByteReader in(record);
  Note note;
  const auto kind = in.get<uint8_t>();
  note.number = in.get<uint64_t>();
  note.writer.bytes = in.get_array<16>();
  note.time = {static_cast<int64_t>(in.get<uint64_t>())};
  note.topic = in.get_string();
  note.text = in.get_string();
  if (!in.at_end() || kind != static_cast<uint8_t>(RecordKind::kNote))
    return Error{Errc::kCorrupt, "this record is not a note"};
  return note;
}

Status check(const std::string& topic, const std::string& text) {
  const bool plain = std::all_of(topic.begin(), topic.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (topic.empty() || topic.size() > kNoteTopicMost || !plain)
    return Error{Errc::kInvalid,
                 fmt::format("a note's topic '{}' is not 1 to {} of a-z, 0-9 and -", topic, kNoteTopicMost)};
  if (text.size() > kNoteTextMost)
    return Error{Errc::kInvalid,
                 fmt::format("a note of {} bytes is longer than {}", text.size(), kNoteTextMost)};
  return {};
}

}  // namespace

std::string note_name(const std::string& topic, const WriterId& writer, uint64_t number) {
  return fmt::format("notes/{}/{}/{:016x}", topic, writer.hex(), number);
}

Result<Note> put_note(Repository& repository, const std::string& topic, const WriterId& writer,
                      const std::string& text) {
  DR_OK(check(topic, text));
  const auto name_of = [&](uint64_t number) { return note_name(topic, writer, number); };
  DR_TRY(const uint64_t newest, newest_number(repository.store(), name_of));
  Note note{topic, writer, newest + 1, repository.clock().now(), text};
  for (;; ++note.number) {
    const Status put = repository.put_record(name_of(note.number), ObjectType::kNote, encode(note));
    if (put.ok()) return note;
    if (!put.is(Errc::kExists)) return put.error();
  }
}

Result<Note> read_note(const Repository& repository, const std::string& name) {
  std::optional<Note> found;
  DR_OK(repository.read_object(name, ObjectType::kNote, [&](uint64_t, const Bytes& record) -> Status {
    if (found) return Error{Errc::kCorrupt, "it holds more than one note"};
    DR_TRY(found, decode(record));
    return {};
  }));
  if (!found || note_name(found->topic, found->writer, found->number) != name)
    return Error{Errc::kCorrupt, name + ": it is another note"};
  return *std::move(found);
}

Result<std::optional<Note>> newest_note(const Repository& repository, const std::string& topic,
                                        const WriterId& writer) {
  const auto name_of = [&](uint64_t number) { return note_name(topic, writer, number); };
  DR_TRY(const uint64_t newest, newest_number(repository.store(), name_of));
  Status damage;
  for (uint64_t number = newest; number > 0; --number) {
    auto note = read_note(repository, name_of(number));
    if (note.ok()) return std::optional<Note>(*std::move(note));
    // What is missing below the newest was removed: no better than damaged.
    if (!note.is(Errc::kCorrupt) && !note.is(Errc::kNotFound)) return note.error();
    if (damage.ok()) damage = note.error();
  }
  DR_OK(damage);
  return std::optional<Note>();
}

}  // namespace daruma
