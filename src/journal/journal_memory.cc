#include <algorithm>

#include "journal/chain.h"
#include "journal/journal.h"

namespace daruma {

Result<std::vector<JournalEvent>> MemoryJournal::append(const std::string& stream, uint64_t after,
                                                        const std::vector<NewEvent>& events) {
  DR_CHECK(!events.empty());
  std::vector<WrittenEvent> written;
  for (const NewEvent& event : events) {
    DR_TRY(written.emplace_back(), write_event(stream, event));
  }
  DR_OK(fault(true));
  DR_TRY(auto appended, keep(after, std::move(written)));
  DR_OK(fault(false));
  return appended;
}

Result<std::vector<JournalEvent>> MemoryJournal::keep(uint64_t after, std::vector<WrittenEvent> written) {
  auto state = state_.lock();
  const std::string stream = written.front().stream;
  uint64_t& last = state->last[stream];
  if (last != after) return stream_moved_on(stream, after, last);
  std::vector<JournalEvent> appended;
  for (WrittenEvent& event : written) {
    event.number = ++state->head.number;
    event.position = ++last;
    event.at = clock_.now();
    state->head.hash = chain_hash(state->head.hash, event);
    DR_TRY(appended.emplace_back(), read_event(std::move(event)));
    state->events.push_back(appended.back());
  }
  return appended;
}

Result<std::vector<JournalEvent>> MemoryJournal::read(const std::string& stream, uint64_t from) {
  auto state = state_.lock();
  std::vector<JournalEvent> found;
  std::copy_if(state->events.begin(), state->events.end(), std::back_inserter(found),
               [&](const JournalEvent& event) { return event.stream == stream && event.position >= from; });
  return found;
}

Result<std::vector<std::string>> MemoryJournal::streams(const std::string& prefix, size_t limit) {
  auto state = state_.lock();
  std::vector<std::string> found;
  for (auto event = state->events.rbegin(); event != state->events.rend() && found.size() < limit; ++event)
    if (event->position == 1 && event->stream.starts_with(prefix)) found.push_back(event->stream);
  return found;
}

Result<JournalHead> MemoryJournal::head() { return state_.lock()->head; }

}  // namespace daruma
