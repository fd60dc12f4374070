#include <fmt/format.h>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "journal/anchor.h"
#include "os/files.h"
#include "repository/verify.h"

namespace daruma {
namespace {

const char* word(Finding::Severity severity) {
  switch (severity) {
    case Finding::Severity::kDamage:
      return "damage";
    case Finding::Severity::kLost:
      return "lost";
    case Finding::Severity::kHole:
      return "hole";
    case Finding::Severity::kGarbage:
      return "garbage";
  }
  return "unknown";
}

// What the journal of runs says of itself, and the repository of it.
struct JournalCheck {
  uint64_t events = 0;
  std::optional<uint64_t> anchored;  // up to which event the repository vouches for it
  std::string damage;                // "": there is none
};

// nullopt: nothing ever ran here.
Result<std::optional<JournalCheck>> check_own_journal(App& app, const Session& session) {
  const Path file = app.config->state / kJournalFile;
  DR_TRY(const bool there, exists(app.fs, file));
  if (!there) return std::optional<JournalCheck>();
  DR_TRY(const StateDirectory state, open_state(app));
  DR_TRY(const auto anchor, newest_journal_anchor(*session.repository, state.writer()));
  JournalCheck check;
  if (anchor) check.anchored = anchor->number;
  const auto events = check_journal(app.fs, file, anchor);
  if (!events.ok() && !events.is(Errc::kCorrupt)) return events.error();
  if (events.ok())
    check.events = *events;
  else
    check.damage = events.error().what;
  return std::optional(std::move(check));
}

void print(App& app, const JournalCheck& check) {
  if (!check.damage.empty()) {
    app.out.write(
        fmt::format("{} {}\n", paint(app.out, Colour::kRed, "NOT GOOD: the journal of runs:"), check.damage));
    return;
  }
  app.out.write(fmt::format("journal of runs: {} events, each as its hash says; {}\n", check.events,
                            check.anchored
                                ? fmt::format("the repository vouches for its first {}", *check.anchored)
                                : "nothing was anchored in the repository yet"));
}

Json to_json(const JournalCheck& check) {
  Json out = Json::object();
  out.set("ok", check.damage.empty()).set("events", check.events).set("damage", check.damage);
  if (check.anchored) out.set("anchored", *check.anchored);
  return out;
}

Json to_json(const VerifyReport& report, bool read_data) {
  Json findings = Json::array();
  for (const Finding& finding : report.findings)
    findings.push(std::move(Json::object()
                                .set("severity", word(finding.severity))
                                .set("object", finding.object)
                                .set("what", finding.what)
                                .set("affects", finding.affects)));
  Json out = Json::object();
  out.set("ok", report.ok())
      .set("read_data", read_data)
      .set("objects", report.objects)
      .set("bytes_read", report.bytes_read)
      .set("snapshots", report.snapshots)
      .set("snapshots_good", report.snapshots_good)
      .set("pages_checked", report.pages_checked)
      .set("newest_state", report.had_memory ? "compared with state/heads.json" : "not provable")
      .set("findings", std::move(findings));
  return out;
}

void print(App& app, const VerifyReport& report, bool read_data) {
  uint64_t garbage = 0;
  for (const Finding& finding : report.findings) {
    if (finding.severity == Finding::Severity::kGarbage && ++garbage > 0) continue;
    const Colour colour = finding.severity == Finding::Severity::kHole ? Colour::kYellow : Colour::kRed;
    app.out.write(fmt::format("{} {}: {}\n", paint(app.out, colour, word(finding.severity)), finding.object,
                              finding.what));
    if (!finding.affects.empty()) app.out.write("  affects " + finding.affects + "\n");
  }
  if (garbage > 0)
    app.out.write(
        fmt::format("{} objects are left over from interrupted work; nothing needs them\n", garbage));
  app.out.write(fmt::format(
      "{}: {} objects, {} of {} snapshots good{}\n",
      report.ok() ? paint(app.out, Colour::kGreen, "good") : paint(app.out, Colour::kRed, "NOT GOOD"),
      report.objects, report.snapshots_good, report.snapshots,
      read_data
          ? fmt::format(", {} read, {} pages checked", human_bytes(report.bytes_read), report.pages_checked)
          : std::string("; contents were not read (--read-data reads them)")));
  app.out.write(report.had_memory ? "newest state: as this installation last saw it acknowledged\n"
                                  : "newest state not provable: no memory outside this copy (another copy, "
                                    "or state/heads.json) says what the newest was\n");
}

Result<bool> verify_repository(App& app, bool read_data) {
  DR_TRY(const Session session, open_session(app));
  Heads heads;
  // Looked at, not made: on an empty host there is nothing to remember.
  if (app.fs.info(app.config->state).ok()) {
    DR_TRY(StateDirectory state, open_state(app));
    DR_TRY(heads, state.heads());
  }
  Progress progress(app.err, app.clock, "verify");
  VerifyOptions options;
  options.read_data = read_data;
  options.memory = heads.empty() ? nullptr : &heads;
  options.progress = [&](uint64_t done, uint64_t total) { progress.update(done, total); };
  DR_TRY(const VerifyReport report, verify(*session.repository, options));
  DR_TRY(const auto journal, check_own_journal(app, session));
  if (app.json) {
    Json out = to_json(report, read_data);
    if (journal) out.set("journal", to_json(*journal));
    app.out.write(out.pretty());
  } else {
    print(app, report, read_data);
    if (journal) print(app, *journal);
  }
  return report.ok() && (!journal || journal->damage.empty());
}

}  // namespace

int run_verify(App& app, const Invocation& invocation) {
  const auto good = verify_repository(app, invocation.has("--read-data"));
  if (!good.ok()) return report_error(app, good.error());
  return *good ? kDone : kFailed;
}

}  // namespace daruma
