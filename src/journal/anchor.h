// journal/anchor.h: the journal's head, kept in the repository: a chain cannot show that its end was cut.
//
// Format:  docs/format/notes.md, section "Anchors of a journal".
// Errors:  as Repository.
// Threads: as Repository.
#pragma once

#include "journal/journal.h"
#include "repository/note.h"

namespace daruma {

// Returns when it is durable. `writer` is the installation whose journal it is (server/state.h).
Status put_journal_anchor(Repository& repository, const WriterId& writer, const JournalHead& head);

// The newest of this installation's that can be read; nullopt: there is none. kCorrupt: there are some, and
// none can be read.
Result<std::optional<JournalHead>> newest_journal_anchor(const Repository& repository,
                                                         const WriterId& writer);

}  // namespace daruma
