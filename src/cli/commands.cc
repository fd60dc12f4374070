#include "cli/commands.h"

#include <algorithm>
#include <array>

namespace daruma {
namespace {

using Form = OptionRow::Form;

constexpr std::array<OptionRow, 5> kCommon{{
    {"-c", Form::kText, "FILE", "the configuration; else ./daruma.yaml, else /etc/daruma/daruma.yaml"},
    {"--repository", Form::kText, "URL",
     "this repository, instead of the configured copies; needs no daruma.yaml"},
    {"--key", Form::kText, "FILE", "its key file"},
    {"--json", Form::kFlag, "", "print the result, and errors, as JSON"},
    {"--help", Form::kFlag, "", "explain the command"},
}};

constexpr std::array<OptionRow, 3> kDemoOptions{{
    {"--headless", Form::kFlag, "", "for machines: plain lines, no pauses"},
    {"--keep", Form::kFlag, "", "leave the scratch directory there to look at"},
    {"--directory", Form::kText, "DIR", "the scratch directory; it must be new or empty"},
}};
constexpr std::array<std::string_view, 1> kDemoExamples{"daruma demo --keep --directory /tmp/story"};

constexpr std::array<OptionRow, 1> kBackupOptions{{
    {"--full", Form::kFlag, "", "store every page anew, whatever earlier snapshots hold"},
}};
constexpr std::array<ArgumentRow, 1> kBackupArguments{{
    {"DATASTORE", "which; all of daruma.yaml when none is named", false, true},
}};
constexpr std::array<std::string_view, 2> kBackupExamples{"daruma backup", "daruma backup bookings --json"};

constexpr std::array<ArgumentRow, 1> kPointsArguments{{
    {"DATASTORE", "which; all when none is named", false},
}};

constexpr std::array<ArgumentRow, 1> kRestoreArguments{
    {{"DATASTORE", "its name, as `daruma points` shows it"}}};
constexpr std::array<OptionRow, 7> kRestoreOptions{{
    {"--to", Form::kText, "DIR", "the directory to restore into; it must be new or empty", true},
    {"--at", Form::kText, "POINT", "the moment to come back to; without it, latest"},
    {"--timeline", Form::kNumber, "N", "the history to follow, where there was more than one"},
    {"--snapshot", Form::kText, "ID", "start from this snapshot, when a newer one is damaged"},
    {"--then", Form::kChoice, "promote|pause|shutdown",
     "what the server does at that moment; without it, promote"},
    {"--tablespace", Form::kPair, "OID=DIR", "where a tablespace goes; without it, DIR.tablespaces/OID",
     false, true},
    {"--plan", Form::kFlag, "", "only show what, from where and how long; touch nothing"},
}};
constexpr std::array<std::string_view, 3> kRestoreExamples{
    "daruma restore bookings --to /var/lib/postgresql/15/new --plan",
    "daruma restore bookings --to /srv/new --at before:2026-11-22T10:42:00+09:00",
    "daruma restore bookings --to /srv/new --repository file:///mnt/repo --key daruma.key",
};

constexpr std::array<OptionRow, 1> kVerifyOptions{{
    {"--read-data", Form::kFlag, "", "read and check every byte, not only what names what"},
}};

constexpr std::array<ArgumentRow, 1> kRecoverArguments{{
    {"PLAN", "its name, as `daruma plan list` shows it, or its file"},
}};
constexpr std::array<OptionRow, 6> kRecoverOptions{{
    {"--target", Form::kChoice, "production|staging|sandbox", "where to act; without it, production"},
    {"--param", Form::kPair, "NAME=VALUE", "a parameter of the plan", false, true},
    {"--dry-run", Form::kFlag, "", "show what would be done, to what; do nothing"},
    {"--yes", Form::kFlag, "", "agree now to what you may agree to yourself"},
    {"--reason", Form::kText, "TEXT", "why; stands in the journal and the report"},
    {"--no-wait", Form::kFlag, "", "end with 4 as soon as only a person can go on"},
}};
constexpr std::array<std::string_view, 3> kRecoverExamples{
    "daruma recover auth-service-down",
    "daruma recover postgres-corruption --dry-run",
    "daruma recover ./mine.yaml --param service=auth-service --reason 'ticket 4711'",
};
constexpr std::array<ArgumentRow, 1> kRunArguments{{{"RUN", "its id, as `daruma runs` shows it"}}};
constexpr std::array<ArgumentRow, 1> kRunsArguments{
    {{"RUN", "which; without it, the newest are listed", false}}};
constexpr std::array<OptionRow, 2> kResumeOptions{{
    {"--yes", Form::kFlag, "", "agree now to what you may agree to yourself"},
    {"--no-wait", Form::kFlag, "", "end with 4 as soon as only a person can go on"},
}};
constexpr std::array<ArgumentRow, 2> kApproveArguments{{
    {"RUN", "its id, as `daruma runs` shows it"},
    {"STEP", "the step that waits"},
}};
constexpr std::array<OptionRow, 3> kApproveOptions{{
    {"--reject", Form::kFlag, "", "say no: what was done is undone, or the task is not done"},
    {"--reason", Form::kText, "TEXT", "why"},
    {"--break-glass", Form::kFlag, "", "alone, against the policy; needs a reason, and is alarmed"},
}};
constexpr std::array<OptionRow, 1> kAbortOptions{{{"--reason", Form::kText, "TEXT", "why"}}};
constexpr std::array<OptionRow, 2> kHaltOptions{{
    {"--reason", Form::kText, "TEXT", "why; everybody who looks at a run is told"},
    {"--release", Form::kFlag, "", "let runs act again"},
}};
constexpr std::array<OptionRow, 4> kPlanOptions{{
    {"--param", Form::kPair, "NAME=VALUE", "render: a parameter of the plan", false, true},
    {"--language", Form::kChoice, "ja|en", "render: the language; without it, the terminal's"},
    {"--as", Form::kChoice, "runbook|script", "render: Markdown to follow by hand, or a guarded script"},
    {"--to", Form::kText, "DIR", "import: the folder for the draft plans"},
}};
constexpr std::array<std::string_view, 4> kPlanExamples{
    "daruma plan check",
    "daruma plan show postgres-corruption",
    "daruma plan render postgres-corruption --language ja >runbook.md",
    "daruma plan import manual.md --to drafts",
};
constexpr std::array<ArgumentRow, 2> kPlanArguments{{
    {"ACT", "list, show, check, render or import"},
    {"PLAN", "which; of check, all when none is named", false, true},
}};
constexpr std::array<ArgumentRow, 1> kAttemptArguments{{{"DIR", "the attempt's directory"}}};

constexpr std::array<OptionRow, 2> kWalGetOptions{{
    {"--datastore", Form::kText, "DATASTORE", "whose log it is", true},
    {"--until", Form::kText, "LSN", "where the log ends for this recovery, however far it has grown"},
}};
constexpr std::array<ArgumentRow, 2> kWalGetArguments{{
    {"FILE", "the name PostgreSQL asks for (%f)"},
    {"DEST", "the path it wants it at (%p)"},
}};
constexpr std::array<std::string_view, 1> kWalGetExamples{
    "restore_command = 'daruma wal-get -c /etc/daruma/daruma.yaml --datastore bookings %f %p'"};

constexpr std::array<ArgumentRow, 2> kServiceArguments{{
    {"ACT", "start, stop, restart, reload, recreate, scale, status, logs, resources or inspect"},
    {"SERVICE", "its name in daruma.yaml; of status, all when none is named", false},
}};
constexpr std::array<OptionRow, 3> kServiceOptions{{
    {"--timeout", Form::kText, "TIME", "how long it may take; without it, 1m"},
    {"--instances", Form::kNumber, "N", "scale: how many there shall be"},
    {"--lines", Form::kNumber, "N", "logs: how many of the last lines; without it, 100"},
}};
constexpr std::array<std::string_view, 2> kServiceExamples{"daruma service restart auth-service",
                                                           "daruma service logs auth-service --lines 20"};

constexpr std::array<ArgumentRow, 1> kShimArguments{{
    {"FOLDER", "what the runtime `process` keeps of the service"},
}};

constexpr std::array<ArgumentRow, 1> kHelpArguments{{
    {"TOPIC", "a command; or `settings` of daruma.yaml, `plans`, `steps`", false},
}};
constexpr std::array<OptionRow, 2> kHelpOptions{{
    {"--markdown", Form::kFlag, "", "print docs/commands.md", false, false, true},
    {"--schema", Form::kFlag, "", "print docs/daruma.schema.json", false, false, true},
}};

constexpr std::array<CommandRow, 23> kCommands{{
    {.name = "demo",
     .group = Group::kSetUp,
     .summary = "tell the whole story on this machine, in a scratch directory",
     .details = "Starts a PostgreSQL of its own with a hotel's bookings, captures it, kills it and\n"
                "destroys its data, brings it back, and undoes a wrong DELETE. It touches nothing\n"
                "outside its directory, and fails unless every acknowledged booking came back.",
     .options = kDemoOptions,
     .examples = kDemoExamples,
     .config = ConfigUse::kNone,
     .run = &run_demo},
    {.name = "init",
     .group = Group::kSetUp,
     .summary = "create the repository named in daruma.yaml",
     .details = "Creates it in every copy, and makes the key file where it is missing. Keep a copy\n"
                "of the key away from the repository: without it nobody can recover anything.",
     .run = &run_init},
    {.name = "serve",
     .group = Group::kEveryDay,
     .summary = "capture the log and take snapshots, until stopped",
     .details = "Receives the log of every datastore with `capture` as it is written, and takes\n"
                "snapshots when they are due. SIGTERM or Ctrl-C ends it in good order; after a\n"
                "crash it goes on where it was. When it starts, it resumes runs whose daruma died.",
     .run = &run_serve},
    {.name = "backup",
     .group = Group::kEveryDay,
     .summary = "take snapshots now",
     .details = "A snapshot counts only when the log that makes it consistent is stored too.",
     .arguments = kBackupArguments,
     .options = kBackupOptions,
     .examples = kBackupExamples,
     .run = &run_backup},
    {.name = "status",
     .group = Group::kEveryDay,
     .summary = "show health, and what would be lost right now",
     .run = &run_status},
    {.name = "verify",
     .group = Group::kEveryDay,
     .summary = "check that all copies hold what they must",
     .details = "Without options: everything that is named is there and of the right size. It also\n"
                "says what it cannot know, as whether the newest state was removed. The journal of runs\n"
                "is read to its end, and held to what the repository knows of it.",
     .options = kVerifyOptions,
     .run = &run_verify},
    {.name = "look",
     .group = Group::kWhenItBurns,
     .summary = "the first look: what is down, since when, what to type next",
     .details = "Asks every service, datastore, disk and log of daruma.yaml at the same time, in less than\n"
                "five seconds, whatever hangs. Changes nothing, and needs no `daruma serve`.",
     .run = &run_look,
     .exits = "0 all is well; 1 something is down or impaired, could not be seen, or waits for a person;\n"
              "2 the command line or the configuration is wrong"},
    {.name = "points",
     .group = Group::kWhenItBurns,
     .summary = "show the moments that can be recovered",
     .details = "The snapshots, and the stretch of log after each: any moment in it is a point.",
     .arguments = kPointsArguments,
     .run = &run_points},
    {.name = "restore",
     .group = Group::kWhenItBurns,
     .summary = "bring a datastore back to any moment, in a new directory",
     .details = "POINT is one of\n"
                "  latest                      the end of the log held\n"
                "  TIME                        as in 2026-11-22T10:42:00+09:00, with its zone\n"
                "  before:TIME                 just before it\n"
                "  lsn:0/3000148               a position of the log\n"
                "  xid:4711, before:xid:4711   a transaction, with it or without it\n"
                "  name:before-migration       a restore point of pg_create_restore_point\n"
                "  immediate                   the end of the snapshot itself\n"
                "PostgreSQL, started on the restored directory, recovers by itself.",
     .arguments = kRestoreArguments,
     .options = kRestoreOptions,
     .examples = kRestoreExamples,
     .run = &run_restore},
    {.name = "recover",
     .group = Group::kWhenItBurns,
     .summary = "carry out a recovery plan",
     .details = "Every step stands in the journal before it acts and after: a run survives the death of\n"
                "this process, and `daruma resume` goes on with it. A step that destroys asks for an\n"
                "approval first. One run at a time holds a target.",
     .arguments = kRecoverArguments,
     .options = kRecoverOptions,
     .examples = kRecoverExamples,
     .run = &run_recover},
    {.name = "runs",
     .group = Group::kWhenItBurns,
     .summary = "show runs: their steps, and what they wait for",
     .arguments = kRunsArguments,
     .run = &run_runs},
    {.name = "resume",
     .group = Group::kWhenItBurns,
     .summary = "go on with a run that stands still",
     .arguments = kRunArguments,
     .options = kResumeOptions,
     .run = &run_resume},
    {.name = "approve",
     .group = Group::kWhenItBurns,
     .summary = "agree to a step that waits for it, or say that a task is done",
     .details = "At a terminal, to agree to what destroys takes typing the step's name.",
     .arguments = kApproveArguments,
     .options = kApproveOptions,
     .run = &run_approve},
    {.name = "abort",
     .group = Group::kWhenItBurns,
     .summary = "give a run up, and undo what can be undone",
     .arguments = kRunArguments,
     .options = kAbortOptions,
     .run = &run_abort},
    {.name = "halt",
     .group = Group::kWhenItBurns,
     .summary = "stop all runs from changing anything, or let them again",
     .details = "Until it is released, no run begins a step that changes or destroys; what acts already\n"
                "ends. It is for the moment in which nobody knows what is going on.",
     .options = kHaltOptions,
     .run = &run_halt},
    {.name = "plan",
     .group = Group::kEveryDay,
     .summary = "look at recovery plans: list, show, check, render, import",
     .arguments = kPlanArguments,
     .options = kPlanOptions,
     .examples = kPlanExamples,
     .run = &run_plan},
    {.name = "__step",
     .group = Group::kHidden,
     .summary = "hold one attempt at a step",
     .arguments = kAttemptArguments,
     .config = ConfigUse::kNone,
     .run = &run_step},
    {.name = "__act",
     .group = Group::kHidden,
     .summary = "act in one attempt at a step",
     .arguments = kAttemptArguments,
     .config = ConfigUse::kNone,
     .run = &run_act},
    {.name = "service",
     .group = Group::kWhenItBurns,
     .summary = "start, stop and look at one service, whatever runs it",
     .details = "The same words for processes, systemd, Docker and pm2. Returns when it is so; a service\n"
                "that does not end is killed before TIME is over.",
     .arguments = kServiceArguments,
     .options = kServiceOptions,
     .examples = kServiceExamples,
     .run = &run_service},
    {.name = "wal-get",
     .group = Group::kPlumbing,
     .summary = "hand PostgreSQL a piece of the log: its restore_command",
     .details = "`daruma restore` writes it into the restored directory; nobody types it.",
     .arguments = kWalGetArguments,
     .options = kWalGetOptions,
     .examples = kWalGetExamples,
     .run = &run_wal_get,
     .exit_when_unusable = 200,
     .exits = "0 the file is there; 1 there is no such file, and PostgreSQL ends its recovery;\n"
              "200 anything else: PostgreSQL stops, and may be started again"},
    {.name = "__shim",
     .group = Group::kHidden,
     .summary = "keep a service of the runtime `process` running",
     .arguments = kShimArguments,
     .config = ConfigUse::kNone,
     .run = &run_shim},
    {.name = "help",
     .group = Group::kPlumbing,
     .summary = "explain a command, settings, plans, kinds of steps",
     .arguments = kHelpArguments,
     .options = kHelpOptions,
     .config = ConfigUse::kNone,
     .run = &run_help},
    {.name = "version",
     .group = Group::kPlumbing,
     .summary = "print the version",
     .config = ConfigUse::kNone,
     .run = &run_version},
}};

static_assert(std::ranges::all_of(kCommands, [](const CommandRow& row) { return row.summary.size() <= 64; }),
              "a summary fits beside the command's name");

}  // namespace

std::span<const CommandRow> all_commands() { return kCommands; }

const CommandRow* find_command(std::string_view name) {
  const auto row = std::ranges::find(kCommands, name, &CommandRow::name);
  return row == kCommands.end() ? nullptr : &*row;
}

std::span<const OptionRow> common_options() { return kCommon; }

}  // namespace daruma
