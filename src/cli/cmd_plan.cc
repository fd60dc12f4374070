#include <algorithm>

#include <fmt/format.h>

#include "base/closest.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/run_session.h"
#include "cli/run_view.h"
#include "os/environment.h"
#include "os/files.h"
#include "os/users.h"
#include "run/check.h"
#include "run/import.h"
#include "run/render.h"
#include "run/show.h"
#include "run/step_type.h"
#include "run/worker.h"

namespace daruma {
namespace {

using namespace run;

constexpr int kUncut = 10'000;  // columns, where no terminal cuts
constexpr uint64_t kLargestManual = 16 << 20;

std::vector<run::Finding> findings_of(const App& app, const Library& library, const Plan& plan) {
  CheckWorld world{.types = step_types(), .config = &*app.config};
  world.find_plan = library.finder();
  world.has_program = [&app](const std::string& program) { return program_exists(app.fs, program); };
  world.has_group = group_exists;
  world.now = app.clock.now();
  return check_plan(plan, world);
}

Result<int> list(App& app, const Library& library) {
  Table table({{"plan"}, {"level", Table::Align::kRight}, {"steps", Table::Align::kRight}, {"title"}});
  Value::List all;
  for (const Plan& plan : library.plans) {
    table.row({plan.name, plan.level == 0 ? "" : std::to_string(plan.level),
               std::to_string(plan.steps.size()), in_our_language(plan.title, "")});
    all.push_back(Value().set("plan", plan.name).set("level", plan.level).set("file", plan.file.string()));
  }
  if (app.json)
    app.out.write(to_json(Value().set("plans", std::move(all))) + "\n");
  else
    app.out.write(table.text());
  for (const BadPlan& bad : library.bad)
    app.err.write(fmt::format("{}:\n{}\n", bad.name.empty() ? "not a plan" : "refused", bad.what));
  return library.bad.empty() ? kDone : kFailed;
}

Result<int> check(App& app, const Library& library, const std::vector<std::string>& words) {
  std::vector<Plan> plans = words.empty() ? library.plans : std::vector<Plan>();
  for (const std::string& word : words) {
    DR_TRY(Plan plan, find_plan(app, library, word));
    plans.push_back(std::move(plan));
  }
  size_t errors = words.empty() ? library.bad.size() : 0, warnings = 0;
  Value::List all;
  for (const BadPlan& bad : library.bad)
    if (words.empty() && !app.json) app.out.write(bad.what + "\n");
  for (const Plan& plan : plans)
    for (const run::Finding& finding : findings_of(app, library, plan)) {
      ++(finding.severity == Severity::kError ? errors : warnings);
      all.push_back(Value()
                        .set("plan", plan.name)
                        .set("severity", to_string(finding.severity))
                        .set("line", finding.line)
                        .set("place", finding.place)
                        .set("what", finding.what));
      if (!app.json) app.out.write(to_line(finding, plan.file) + "\n");
    }
  if (app.json)
    app.out.write(to_json(Value().set("ok", errors == 0).set("findings", std::move(all))) + "\n");
  else
    app.out.write(fmt::format("{} {}, {} errors, {} warnings\n", plans.size(),
                              plans.size() == 1 ? "plan" : "plans", errors, warnings));
  return errors == 0 ? kDone : kFailed;
}

Result<int> show(App& app, const Library& library, const std::string& word) {
  DR_TRY(const Plan plan, find_plan(app, library, word));
  const Canvas canvas{.columns = static_cast<size_t>(app.out.kind().columns.value_or(kUncut)),
                      .colours = app.out.kind().colours,
                      .language = japanese_terminal() ? report::Language::kJa : report::Language::kEn};
  app.out.write(draw_plan(plan, step_types(), canvas));
  return kDone;
}

// --- papers for the day the tool is down

// With <NAME> for what nobody can know before the day.
Result<FrozenPlan> frozen_for_paper(Plan plan, const Library& library, const Invocation& invocation) {
  Value::Map arguments;
  for (const auto& [name, value] : invocation.pairs("--param"))
    arguments.insert_or_assign(name, Value(value));
  std::vector<std::string> left_open;
  for (Parameter& parameter : plan.parameters)
    if (!parameter.standard && !arguments.contains(parameter.name)) {
      left_open.push_back(fmt::format("<{}>", parameter.name));
      parameter.type = ParameterType::kText;
      parameter.standard = Value(left_open.back());
    }
  const FindPlan find = [&](std::string_view name) -> Result<Plan> {
    DR_TRY(Plan nested, library.find(name));
    for (Parameter& parameter : nested.parameters)
      if (!left_open.empty() && parameter.type != ParameterType::kInteger &&
          parameter.type != ParameterType::kBoolean)
        parameter.type = ParameterType::kText;  // a placeholder handed on is none of its values
    return nested;
  };
  return freeze(plan, arguments, find);
}

Result<int> render(App& app, const Library& library, const Invocation& invocation, const std::string& word) {
  DR_TRY(const Plan plan, find_plan(app, library, word));
  DR_TRY(const FrozenPlan frozen, frozen_for_paper(plan, library, invocation));
  const RunnerWorld world = runner_world(app);
  Assignment assignment;
  assignment.run = "RUN";
  assignment.run_directory = app.config->state / "runs" / "RUN";
  const StepContext base = context_for(world, *app.config, assignment, assignment.run_directory, app.stop);
  const std::string language = invocation.value("--language").value_or(japanese_terminal() ? "ja" : "en");
  Paper paper{.types = step_types(),
              .language = language == "ja" ? report::Language::kJa : report::Language::kEn,
              .by_hand = commands_of(frozen, step_types(), base)};
  for (const DatastoreConfig& datastore : app.config->datastores) {
    if (datastore.objective.rpo)
      paper.rpo = std::max(paper.rpo.value_or(Duration{}), *datastore.objective.rpo);
    if (datastore.objective.rto)
      paper.rto = std::max(paper.rto.value_or(Duration{}), *datastore.objective.rto);
  }
  paper.expected = usual_times_here(app, plan.name);
  app.out.write(invocation.value("--as").value_or("runbook") == "script"
                    ? render_script(frozen.plan, paper)
                    : render_runbook(frozen.plan, paper));
  return kDone;
}

// A draft for each section of the manual with commands, below DIR; what is dangerous in the manual is
// printed.
Result<int> import(App& app, const Invocation& invocation, const std::string& word) {
  const Path file = (app.working_directory / word).lexically_normal();
  const auto bytes = read_file(app.fs, file, kLargestManual);
  if (bytes.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("{}: no such file", file.string())};
  DR_OK(bytes);
  LintWorld world;
  world.now = app.clock.now();
  world.has_file = [&](const std::string& link) { return app.fs.info(file.parent_path() / link).ok(); };
  const Import imported = import_manual(std::string(as_text(*bytes)), file, world);
  const bool japanese = japanese_terminal();
  for (const Danger& danger : imported.dangers)
    app.out.write(
        fmt::format("{}:{}: {}: {}\n", file.string(), danger.line, danger.quote, text_of(danger, japanese)));
  for (const ManualLine& line : imported.unread)
    app.out.write(fmt::format("{}:{}: {}: {}\n", file.string(), line.line, line.text,
                              japanese
                                  ? "読んでいません。シェルのコマンドなら ```bash と ``` で囲んでください"
                                  : "not read; if it is for a shell, put it between ```bash and ```"));
  if (imported.drafts.empty())
    return Error{Errc::kFailed,
                 fmt::format("{}: no commands were found, so there is nothing to draft", file.string()),
                 "commands are read from blocks that begin with ```bash, ```sh or ```sql"};
  const auto folder = invocation.path("--to");
  for (const Draft& draft : imported.drafts) {
    for (const Untyped& untyped : draft.untyped)
      app.out.write(fmt::format("{}:{}: {}: {}\n", file.string(), untyped.line,
                                japanese ? "型なし" : "not typed",
                                japanese ? untyped.why.ja : untyped.why.en));
    if (!folder) continue;
    const Path to = app.working_directory / *folder / (draft.plan.name + ".yaml");
    DR_OK(create_dirs(app.fs, to.parent_path(), 0755));
    DR_TRY(const bool taken, exists(app.fs, to));
    if (taken)
      return Error{Errc::kRefused, fmt::format("{} is there already", to.string()),
                   "name another folder with --to"};
    DR_OK(replace_file(app.fs, to, as_bytes(draft_text(draft, imported.dangers)), 0644));
    app.out.write(to.string() + "\n");
  }
  app.out.write(fmt::format("{} drafts, {} dangers{}\n", imported.drafts.size(), imported.dangers.size(),
                            folder ? "" : "; write the drafts with --to DIR"));
  return kDone;
}

constexpr std::string_view kActs[] = {"list", "show", "check", "render", "import"};

}  // namespace

int run_plan(App& app, const Invocation& invocation) {
  const std::string& act = invocation.arguments.at(0);
  if (std::ranges::find(kActs, act) == std::end(kActs))
    return report_error(app,
                        {Errc::kInvalid, fmt::format("plan: unknown act '{}'{}", act,
                                                     suggestion(act, {std::begin(kActs), std::end(kActs)}))});
  const std::vector<std::string> words(invocation.arguments.begin() + 1, invocation.arguments.end());
  const auto go = [&]() -> Result<int> {
    DR_TRY(const Library library, open_library(app));
    if (act == "list") return list(app, library);
    if (act == "check") return check(app, library, words);
    if (words.empty())
      return Error{Errc::kInvalid, fmt::format("daruma plan {}: which plan?", act),
                   "name one; daruma plan list shows them"};
    if (act == "show") return show(app, library, words[0]);
    if (act == "render") return render(app, library, invocation, words[0]);
    return import(app, invocation, words[0]);
  };
  const Result<int> code = go();
  return code.ok() ? *code : report_error(app, code.error());
}

}  // namespace daruma
