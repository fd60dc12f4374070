// repository/note.h: small texts kept beside the backups, sealed and numbered, one object each, for ever.
//
// For what must survive this host and fits in a few lines. A topic is whoever writes it's own; the text means
// nothing to the repository. Each writer has its own numbers, so writers share nothing.
// Format:  docs/format/notes.md.
// Errors:  as Repository.
// Threads: as Repository.
#pragma once

#include <optional>
#include <string>

#include "repository/repository.h"

namespace daruma {

inline constexpr size_t kNoteTopicMost = 32;
inline constexpr size_t kNoteTextMost = 64 * 1024;

struct Note {
  std::string topic;  // [a-z0-9-]
  WriterId writer;
  uint64_t number = 0;  // from 1
  Instant time;
  std::string text;
};

std::string note_name(const std::string& topic, const WriterId& writer, uint64_t number);

// Appends, and returns when it is durable. Loses no race: when the number is taken it takes the next.
// kInvalid: a topic or text against the limits.
Result<Note> put_note(Repository& repository, const std::string& topic, const WriterId& writer,
                      const std::string& text);

// The newest of this writer's that can be read; nullopt: there is none. A note that is damaged is passed
// over: verify() names it. kCorrupt: none of those that are there can be read.
Result<std::optional<Note>> newest_note(const Repository& repository, const std::string& topic,
                                        const WriterId& writer);

// One object under notes/. kCorrupt: it does not verify, or is not the note of its name.
Result<Note> read_note(const Repository& repository, const std::string& name);

}  // namespace daruma
