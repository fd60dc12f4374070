// tests/format/note_golden.h: a repository that holds the anchors of a journal, and nothing else.
#pragma once

#include "journal/anchor.h"
#include "repository/repository_fixture.h"

namespace daruma::golden {

inline JournalHead anchor(uint64_t number) {
  JournalHead head{number, {}};
  for (size_t i = 0; i < head.hash.size(); ++i) head.hash[i] = static_cast<std::byte>(number + i * 7);
  return head;
}

inline const WriterId kNoteWriter = *WriterId::parse("187ba618846295516597e6085476db47");

}  // namespace daruma::golden
