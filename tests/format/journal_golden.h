// tests/format/journal_golden.h: what the golden journal holds.
#pragma once

#include "journal/journal.h"

namespace daruma::golden {

// Appends it to an empty journal; the clock stands at its beginning.
inline Status write_journal(Journal& journal, ManualClock& clock) {
  const auto body = [](std::initializer_list<Value::Map::value_type> entries) {
    return Value(Value::Map(entries));
  };
  DR_OK(journal.append("run/corruption", 0,
                       {{"run_started", body({{"plan", "postgres-corruption"}, {"title", "データ破損"}})},
                        {"step_started", body({{"step", "evidence"}, {"attempt", 1}})}}));
  clock.advance(1500ms);
  DR_OK(journal.append("run/redis", 0, {{"run_started", Value()}}));
  clock.advance(1us);
  const Value::List outputs = {Value("a\"\\\n\x01"), Value(-7), Value(0.5), Value(true)};
  DR_OK(journal.append("run/corruption", 2,
                       {{"step_ended", body({{"step", "evidence"}, {"outputs", outputs}})}}));
  return {};
}

// The hash of the last event; what a reader of version 1 must compute.
inline constexpr std::string_view kJournalHead =
    "87baafd83cd2b326c287b08376f274f84aa26200bd7930fb841a258861209443";

}  // namespace daruma::golden
