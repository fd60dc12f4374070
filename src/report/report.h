// report/report.h: the incident report: what happened, for people, in Japanese or English from one model.
//
// First the sections of the manual's template in its order, then ours. Nothing is invented: what is not known
// is "unknown, because …". Both languages carry the same numbers, names and times.
// Source:  requirement A16; the words are the glossary's.
// Threads: plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace daruma::report {

enum class Language : uint8_t { kJa, kEn };

struct Words {
  std::string ja;
  std::string en;
  bool empty() const { return ja.empty() && en.empty(); }
};

// A fact, or why nobody knows it.
template <class T>
struct Fact {
  std::optional<T> value;
  Words why_not = {};

  static Fact known(T value) { return {std::move(value), {}}; }
  static Fact unknown(Words why) { return {{}, std::move(why)}; }
};

struct DataLoss {
  Duration time{};                      // from the point restored to the outage; zero: nothing was lost
  std::optional<int64_t> transactions;  // acknowledged ones that are gone
  std::optional<Instant> last_seen;     // the last acknowledged one that is there
};

struct ActionTaken {
  Words what;
  std::optional<Fact<Instant>> backup = {};  // the point of the backup it used
};

enum class StepOutcome : uint8_t { kSucceeded, kFailed, kSkipped, kUndone, kNotReached, kUnknown };

struct StepTaken {
  std::string id;
  std::string type;  // "service.restart"
  Words title = {};
  StepOutcome outcome = StepOutcome::kUnknown;
  std::optional<Instant> started;
  std::optional<Duration> took;
  uint32_t attempts = 1;
  std::string note = {};  // the failure's cause, in the words of what failed
};

struct Approval {
  std::string step;
  std::string who;
  Instant at;
  bool agreed = true;
  bool broke_glass = false;
  std::string reason = {};
};

struct Evidence {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal
};

struct Checked {
  std::string name;
  bool passed = false;
  std::string found = {};
};

struct ActionItem {
  std::string text;
  std::string owner;
  std::string due;  // YYYY-MM-DD
};

// The reader's zone.
struct Zone {
  std::string name = "UTC";
  Duration ahead{};  // of UTC
};

struct IncidentFacts {
  Instant written;  // the report's own date
  Zone zone = {};
  Words incident;
  Words level = {};  // scheme, number and effect: "Level 2 (backend): some functions are unavailable"
  Words scope = {};  // of impact
  std::string run;
  std::string plan;
  std::string plan_hash;
  std::string target;
  std::string started_by = {};
  bool recovered = false;  // verification passed
  Words open = {};         // what is not done, where it is not

  Fact<Instant> outage_start;
  Fact<Instant> detected;
  Fact<Instant> recovery_started;
  Fact<Instant> recovery_completed;
  std::optional<Duration> rto = {};
  Fact<DataLoss> data_loss;
  std::optional<Duration> rpo = {};

  std::vector<ActionTaken> actions;
  std::vector<std::string> lessons;      // people's; empty: not filled yet
  std::vector<ActionItem> action_items;  // as above

  std::vector<StepTaken> steps;
  std::vector<Approval> approvals;
  std::vector<Evidence> evidence;
  std::vector<Checked> checks;
  Fact<JournalHead> journal;
};

// "incident_report_20261122", by the date in the reader's zone; ".md" or ".html" is the caller's.
std::string report_name(const IncidentFacts& facts);

std::string to_markdown(const IncidentFacts& facts, Language language);
// A page that stands alone: nothing is fetched.
std::string to_html(const IncidentFacts& facts, Language language);

}  // namespace daruma::report
