// What a command line means, what help says, and what is answered to mistakes.

#include "cli/run_line.h"

#include <gtest/gtest.h>

#include "cli/help.h"
#include "os/files.h"

namespace daruma {
namespace {

Invocation parsed(const std::vector<std::string>& words) {
  const ParsedLine line = parse_line(words);
  EXPECT_TRUE(line.invocation.ok()) << line.invocation.error().what;
  return line.invocation.ok() ? *line.invocation : Invocation{};
}

std::string wrong(const std::vector<std::string>& words) {
  const ParsedLine line = parse_line(words);
  if (line.invocation.ok()) return "nothing";
  EXPECT_EQ(line.invocation.error().code, Errc::kInvalid);
  return line.invocation.error().what;
}

TEST(CommandLine, OptionsAndArgumentsAreTakenApart) {
  const Invocation line =
      parsed({"restore", "bookings", "--to", "/srv/new", "--at=before:2026-11-22T10:42:00Z", "--timeline",
              "3", "--then", "pause", "--plan"});
  EXPECT_EQ(line.command->name, "restore");
  EXPECT_EQ(line.arguments, std::vector<std::string>{"bookings"});
  EXPECT_EQ(line.path("--to"), "/srv/new");
  EXPECT_EQ(line.value("--at"), "before:2026-11-22T10:42:00Z");
  EXPECT_EQ(line.number("--timeline"), 3u);
  EXPECT_EQ(line.value("--then"), "pause");
  EXPECT_TRUE(line.has("--plan"));
  EXPECT_FALSE(line.has("--tablespace"));
}

TEST(CommandLine, WhatRepeatsKeepsItsOrder) {
  const Invocation line =
      parsed({"restore", "db", "--to", "d", "--tablespace", "16400=/a", "--tablespace", "16401=/b=c"});
  EXPECT_EQ(line.pairs("--tablespace"),
            (std::vector<std::pair<std::string, std::string>>{{"16400", "/a"}, {"16401", "/b=c"}}));
}

TEST(CommandLine, OptionsMayStandBeforeTheCommand) {
  const Invocation line = parsed({"-c", "a.yaml", "--json", "--datastore", "db", "wal-get", "FILE", "DEST"});
  EXPECT_EQ(line.command->name, "wal-get");
  EXPECT_EQ(line.value("-c"), "a.yaml");
  EXPECT_EQ(line.value("--datastore"), "db");
  EXPECT_EQ(line.arguments, (std::vector<std::string>{"FILE", "DEST"}));
}

TEST(CommandLine, TwoDashesEndTheOptions) {
  EXPECT_EQ(parsed({"backup", "--", "--json"}).arguments, std::vector<std::string>{"--json"});
  EXPECT_FALSE(parse_line({"backup", "--", "--json"}).json);
}

TEST(CommandLine, HelpAnywhereIsHelpOnThatCommand) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"restore", "--help"}, {"--help", "restore"}, {"restore", "-h", "--nonsense"}}) {
    const Invocation line = parsed(words);
    EXPECT_EQ(line.command->name, "help");
    EXPECT_EQ(line.arguments, std::vector<std::string>{"restore"});
  }
  EXPECT_EQ(parsed({"--version"}).command->name, "version");
}

TEST(CommandLine, AnUnknownCommandIsAnsweredWithTheNearest) {
  EXPECT_EQ(wrong({"restroe"}), "unknown command 'restroe'; did you mean 'restore'?");
  EXPECT_EQ(wrong({"sing"}), "unknown command 'sing'");
  EXPECT_EQ(wrong({"--json"}), "no command is named");
}

TEST(CommandLine, AnUnknownOptionIsAnsweredWithTheNearestOrAll) {
  EXPECT_EQ(wrong({"verify", "--read-date"}),
            "verify: unknown option '--read-date'; did you mean '--read-data'?");
  EXPECT_EQ(wrong({"status", "--verbose"}),
            "status: unknown option '--verbose'; allowed: -c, --repository, --key, --json, --help");
}

TEST(CommandLine, WhatIsMissingIsNamed) {
  EXPECT_EQ(wrong({"restore", "--to", "d"}),
            "restore: DATASTORE is missing: its name, as `daruma points` shows it");
  EXPECT_EQ(wrong({"restore", "db"}), "restore: --to DIR is missing");
  EXPECT_EQ(wrong({"wal-get", "--datastore", "db", "FILE"}),
            "wal-get: DEST is missing: the path it wants it at (%p)");
  EXPECT_EQ(wrong({"restore", "db", "--to"}), "restore: --to needs a value: --to DIR");
  EXPECT_EQ(wrong({"restore", "db", "--to="}), "restore: --to needs a value: --to DIR");
}

TEST(CommandLine, WhatIsTooMuchIsNamed) {
  EXPECT_EQ(wrong({"points", "a", "b"}), "points: 'b' is one argument too many");
  EXPECT_EQ(wrong({"status", "a"}), "status: 'a' is one argument too many");
  EXPECT_EQ(wrong({"restore", "db", "--to", "a", "--to", "b"}), "restore: --to is given twice");
  EXPECT_EQ(wrong({"demo", "--keep=yes"}), "demo: --keep takes no value");
}

TEST(CommandLine, AValueOfTheWrongFormIsAnError) {
  EXPECT_EQ(wrong({"restore", "db", "--to", "d", "--timeline", "two"}),
            "restore: --timeline: 'two' is not a number");
  EXPECT_EQ(wrong({"restore", "db", "--to", "d", "--timeline", "-1"}),
            "restore: --timeline: '-1' is not a number");
  EXPECT_EQ(wrong({"restore", "db", "--to", "d", "--then", "promte"}),
            "restore: --then: unknown value 'promte'; did you mean 'promote'?");
  EXPECT_EQ(wrong({"restore", "db", "--to", "d", "--tablespace", "16400"}),
            "restore: --tablespace: '16400' is not of the form OID=DIR");
}

class Daruma : public testing::Test {
 protected:
  // Runs one line; `out` and `err` hold what it printed.
  int run(const std::vector<std::string>& words) {
    StringOutput standard_output;
    StringOutput standard_error;
    App app{.fs = *fs,
            .clock = clock,
            .random = *random,
            .processes = *processes,
            .out = standard_output,
            .err = standard_error,
            .working_directory = "/nowhere/at/all"};
    const int code = run_line(app, words);
    out = standard_output.text();
    err = standard_error.text();
    return code;
  }
  std::string committed(const std::string& name) {
    const Result<Bytes> bytes = read_file(*fs, Path(DARUMA_SOURCE_DIR) / name, 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : bytes.error().what;
  }

  ManualClock clock;
  std::unique_ptr<FileSystem> fs = real_file_system();
  std::unique_ptr<Random> random = seeded_random(1);
  std::unique_ptr<ProcessRunner> processes = real_processes(clock);
  std::string out;
  std::string err;
};

TEST_F(Daruma, AloneSaysWhatItIsAndWhatToDoWhenItBurns) {
  EXPECT_EQ(run({}), kUsage);
  EXPECT_NE(out.find("When it burns: daruma look\n"), std::string::npos);
  for (const CommandRow& row : all_commands())
    EXPECT_EQ(out.find(std::string(row.summary)) == std::string::npos, row.group == Group::kHidden)
        << row.name;
}

TEST_F(Daruma, HelpKnowsEveryCommandAndOption) {
  for (const CommandRow& row : all_commands()) {
    EXPECT_EQ(run({"help", std::string(row.name)}), kDone);
    for (const OptionRow& option : row.options)
      EXPECT_EQ(out.find(std::string(option.name)) == std::string::npos, option.hidden)
          << row.name << option.name;
  }
}

TEST_F(Daruma, HelpFitsATerminal) {
  for (const CommandRow& row : all_commands()) {
    run({"help", std::string(row.name)});
    for (size_t at = 0, end; (end = out.find('\n', at)) != std::string::npos; at = end + 1)
      EXPECT_LE(end - at, 100u) << out.substr(at, end - at);
  }
}

TEST_F(Daruma, HelpOnNothingKnownIsAnError) {
  EXPECT_EQ(run({"help", "setings"}), kUsage);
  EXPECT_EQ(err, "daruma: no help on 'setings'; did you mean 'settings'?\n");
}

TEST_F(Daruma, ErrorsHaveAHintOrAreJson) {
  EXPECT_EQ(run({"restroe"}), kUsage);
  EXPECT_EQ(err,
            "daruma: unknown command 'restroe'; did you mean 'restore'?\n  hint: `daruma help` lists the "
            "commands\n");
  EXPECT_EQ(run({"restroe", "--json"}), kUsage);
  EXPECT_EQ(
      err,
      "{\"error\":{\"code\":\"invalid\",\"what\":\"unknown command 'restroe'; did you mean 'restore'?\","
      "\"hint\":\"`daruma help` lists the commands\"}}\n");
  EXPECT_EQ(out, "");
}

TEST_F(Daruma, WalGetNeverEndsARecoveryBecauseOfAWrongCommandLine) {
  EXPECT_EQ(run({"wal-get"}), 200);
  EXPECT_EQ(run({"--nonsense", "wal-get", "FILE", "DEST"}), 200);
}

TEST_F(Daruma, TheVersionIsPrinted) {
  EXPECT_EQ(run({"--version"}), kDone);
  EXPECT_EQ(out.substr(0, 7), "daruma ");
  EXPECT_EQ(run({"version", "--json"}), kDone);
  EXPECT_EQ(out.substr(0, 12), "{\"version\":\"");
}

TEST_F(Daruma, TheCommittedPagesAreWhatHelpPrints) {
  run({"help", "--markdown"});
  EXPECT_EQ(out, committed("docs/commands.md")) << "daruma help --markdown > docs/commands.md";
  run({"help", "settings"});
  EXPECT_EQ(out, committed("docs/configuration.md")) << "daruma help settings > docs/configuration.md";
  run({"help", "--schema"});
  EXPECT_EQ(out, committed("docs/daruma.schema.json")) << "daruma help --schema > docs/daruma.schema.json";
}

TEST_F(Daruma, ErrorsMapToExitCodes) {
  StringOutput sink;
  App app{.fs = *fs,
          .clock = clock,
          .random = *random,
          .processes = *processes,
          .out = sink,
          .err = sink,
          .working_directory = "/"};
  EXPECT_EQ(report_error(app, {Errc::kInvalid, "x"}), kUsage);
  EXPECT_EQ(report_error(app, {Errc::kRefused, "x"}), kRefused);
  for (const Errc code : {Errc::kFailed, Errc::kNotFound, Errc::kExists, Errc::kCorrupt, Errc::kUnavailable,
                          Errc::kNoSpace, Errc::kCancelled})
    EXPECT_EQ(report_error(app, {code, "x"}), kFailed);
}

}  // namespace
}  // namespace daruma
