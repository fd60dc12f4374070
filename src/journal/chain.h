// journal/chain.h: an event as it is written down, and the hash that chains it to the one before.
//
// Format:  docs/format/journal.md, sections 1 and 2.
// Threads: plain values and pure functions.
#pragma once

#include "journal/journal.h"

namespace daruma {

inline constexpr size_t kEventNameMost = 200;        // bytes of a stream's name, and of a kind
inline constexpr size_t kEventBodyMost = 16u << 20;  // bytes of a body's text

// An event whose body is the text that is kept.
struct WrittenEvent {
  uint64_t number = 0;
  std::string stream;
  uint64_t position = 0;
  Instant at;
  std::string kind;
  std::string body;
};

// Over the hash of the event before (zeros before the first) and everything of this one.
EventHash chain_hash(const EventHash& previous, const WrittenEvent& event);

// A new event as it will be kept; number, position and time are not known yet. kInvalid: a stream or kind
// that is empty, too long or not printable ASCII, a body too long or nested too deep to be read again.
Result<WrittenEvent> write_event(const std::string& stream, const NewEvent& event);
// kCorrupt: the body is not JSON; `what` names the event.
Result<JournalEvent> read_event(WrittenEvent event);

// The answer to an append whose stream ends elsewhere. kRefused.
Error stream_moved_on(const std::string& stream, uint64_t after, uint64_t last);

}  // namespace daruma
