#include "journal/anchor.h"

#include <algorithm>

namespace daruma {
namespace {

constexpr const char* kTopic = "journal";

Result<JournalHead> parse(const Note& note) {
  const Error strange{Errc::kCorrupt, note_name(note.topic, note.writer, note.number) + ": it is no anchor"};
  const auto body = parse_json(note.text);
  if (!body.ok()) return strange;
  const auto hash = from_hex(body->text_at("hash"));
  JournalHead head;
  const int64_t number = body->integer_at("number", -1);
  if (number < 0 || !hash.ok() || hash->size() != head.hash.size()) return strange;
  head.number = static_cast<uint64_t>(number);
  std::memcpy(head.hash.data(), hash->data(), head.hash.size());
  return head;
}

}  // namespace

Status put_journal_anchor(Repository& repository, const WriterId& writer, const JournalHead& head) {
  const Value body(Value::Map{{"number", head.number}, {"hash", to_hex(head.hash)}});
  DR_OK(put_note(repository, kTopic, writer, to_json(body)));
  return {};
}

Result<std::optional<JournalHead>> newest_journal_anchor(const Repository& repository,
                                                         const WriterId& writer) {
  DR_TRY(const auto note, newest_note(repository, kTopic, writer));
  if (!note) return std::optional<JournalHead>();
  DR_TRY(const JournalHead head, parse(*note));
  return std::optional<JournalHead>(head);
}

}  // namespace daruma
