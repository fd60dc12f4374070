// The incident report, written from the run's own journal.
#include <fmt/format.h>

#include "journal/journal.h"
#include "os/files.h"
#include "run/engine.h"
#include "run/record.h"
#include "run/steps/families.h"

namespace daruma::run {
namespace {

constexpr std::string_view kOutputs[] = {"ja", "en", "html_ja", "html_en"};

// STATE/runs/RUN is the run's directory.
Path journal_file(const StepContext& context) {
  return context.run_directory.parent_path().parent_path() / kJournalFile;
}

Result<Value> write_report(StepContext& context) {
  DR_TRY(const auto journal, open_journal(context.fs, context.clock, journal_file(context)));
  DR_TRY(const auto events, journal->read(stream_of(context.run), 1));
  DR_TRY(const RunState state, load_run(*journal, context.run, find_step_type));
  DR_TRY(const JournalHead head, journal->head());
  const report::IncidentFacts facts = facts_of(state, events, context.clock.now(), head);
  const Path folder = context.run_directory / "report";
  DR_OK(create_dirs(context.fs, folder));
  struct Form {
    const char* output;
    std::string ending;
    std::string text;
  };
  const Form forms[] = {{"ja", ".ja.md", report::to_markdown(facts, report::Language::kJa)},
                        {"en", ".md", report::to_markdown(facts, report::Language::kEn)},
                        {"html_ja", ".ja.html", report::to_html(facts, report::Language::kJa)},
                        {"html_en", ".html", report::to_html(facts, report::Language::kEn)}};
  Value outputs = Value::Map();
  for (const Form& form : forms) {
    const Path file = folder / (report::report_name(facts) + form.ending);
    DR_OK(replace_file(context.fs, file, as_bytes(form.text)));
    outputs.set(form.output, file.string());
    context.say(file.string());
  }
  return outputs;
}

Result<Preview> preview_report(StepContext& context) {
  return Preview{.would = {fmt::format("write the incident report below {}",
                                       (context.run_directory / "report").string())},
                 .by_hand = {}};
}

std::vector<std::string> report_by_hand(const StepContext&) {
  return {"# write the report: what happened, when, what was done, what was lost, what is to be learnt"};
}

constexpr StepType kTypes[] = {
    {.name = "report",
     .summary = "writes the incident report from the run's journal, in Japanese and English",
     .outputs = kOutputs,
     .act = write_report,
     .preview = preview_report,
     .by_hand = report_by_hand}};

}  // namespace

std::span<const StepType> report_steps() { return kTypes; }

}  // namespace daruma::run
