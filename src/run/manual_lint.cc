#include "run/manual_lint.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace daruma::run {
namespace {

constexpr DangerRule kRules[] = {
    {"unbounded", "終わらないコマンドです。行数と時間に上限を付けてください",
     "never ends; bound it in lines and time"},
    {"sleep", "秒数を待っても準備完了とは限りません。期限付きで条件を待ってください",
     "seconds are no readiness; wait for the condition, with a deadline"},
    {"unchecked", "set -e がなく、失敗しても次へ進みます", "no `set -e`: goes on after every error"},
    {"false-success", "途中で失敗していても完了と告げます。検証に合格したときだけ通知してください",
     "says that it is done also when steps failed; say so only when verification passed"},
    {"late-gate", "サービスを停止した後に確認しています。確認は停止の前に行ってください",
     "asks when services are already stopped; ask before anything stops"},
    {"no-gate", "元に戻せない操作の前に承認がありません", "destroys without asking anybody"},
    {"gate-without-terminal", "端末がないと答えが空になり、停止したまま中止されます",
     "without a terminal the answer is empty: it cancels, and leaves everything as it is by then"},
    {"cut-url", "引用符のない & で URL が切れ、残りはバックグラウンドで実行されます",
     "the unquoted & cuts the URL and sends the command to the background; quote it"},
    {"glob", "複数のファイルに一致し得ます。対象を 1 つに決めてください",
     "may match several files; name exactly one"},
    {"only-copy", "復元元を確かめる前に、ただ 1 つのデータを消します。確かめるまで別名で残してください",
     "deletes the only copy before the source is proven; set it aside until it is"},
    {"volume-name", "Compose はボリューム名にプロジェクト名を付けることがあります",
     "Compose may prefix a volume's name with its project; this may be another volume"},
    {"flush-all", "全データを消します。スナップショットと承認が先です",
     "deletes everything; first a snapshot and an approval"},
    {"rdb-while-running",
     "動作中の Redis は終了時に上書きします（AOF があれば無視します）。先に停止してください",
     "a running Redis saves over it when it stops, and with AOF on ignores it; stop it first"},
    {"recovery-conf",
     "PostgreSQL 12 以降は recovery.conf があると起動しません。recovery.signal を使ってください",
     "PostgreSQL 12 and later do not start with a recovery.conf; use recovery.signal"},
    {"wal-directory", "pg_wal はアーカイブではなく、サーバー自身の作業領域です",
     "pg_wal is not the archive: it is lost with the server"},
    {"idle-filter", "'<IDLE>' は PostgreSQL 9.2 より前の表示です。state 列を使ってください",
     "'<IDLE>' is from before PostgreSQL 9.2; ask the column `state`"},
    {"sql-errors", "ON_ERROR_STOP がなく SQL エラーの後も続きます。pg_dumpall では許すエラーの一覧も必要です",
     "psql goes on after SQL errors; set ON_ERROR_STOP, with a list of those that a pg_dumpall may raise"},
    {"wrong-database", "復元したデータベースではなく別のデータベースを検査しています",
     "checks another database than the one restored"},
    {"ignored-argument", "呼び出し先のスクリプトは引数を読みません",
     "the script that it calls reads no arguments"},
    {"newest-blindly",
     "最も新しいものが正しいとは限りません。障害より前で、読めることを確かめたものを選んでください",
     "the newest is not the right one if it was made after the damage; choose one from before, proven "
     "readable"},
    {"kept-on-host", "復旧対象のホストに書いています。ホストと一緒に失われます",
     "written on the very host that is being recovered: it is lost with it"},
    {"script-on-host", "復旧対象のホストにあるスクリプトに頼っています",
     "relies on a script on the host that is being recovered"},
    {"one-notifier", "通知先が 1 つだけです。無関係な経路をもう 1 つ用意してください",
     "is the only way anybody is told; have a second, unrelated one"},
    {"secret-in-arguments", "パスワードがプロセス一覧に見えます。環境変数かファイルで渡してください",
     "a password among the arguments is seen by everybody on the host; use the environment or a file"},
    {"unseen-program", "入手したプログラムを、版も中身も確かめずに実行します",
     "runs a program from elsewhere, of no fixed version and not verified"},
    {"rto-clock", "検知から始まっています。RTO は発生から、合意した復旧レベルまでです",
     "begins at the detection; the RTO runs from the outage's start to an agreed level"},
    {"dangling-link", "リンク先のファイルがありません", "the file that it links to is not there"},
    {"review-overdue", "レビューの期日を過ぎています", "its review is overdue"},
    {"no-review", "次回レビュー予定がありません", "no date for the next review"},
    {"placeholder", "仮の値のままです", "a placeholder that nobody filled in"},
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return contains(text, part); });
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool has_glob(const ShellWord& word) {
  return !word.quoted && contains_any(word.text, {"*", "?"}) && !contains(word.text, "://");
}

// A command as the rules look at it.
struct Seen {
  const ShellCommand& command;
  std::vector<SimpleCommand> parts;  // of the pipe, unwrapped
};

bool never_ends(const SimpleCommand& part) {
  const std::string program = part.word(0);
  const bool follows = part.has("-f") || part.has("-F") || part.has("--follow");
  if (program == "tail") return follows;
  if (program == "docker" || program == "docker-compose") return part.has("logs") && follows;
  if (program == "journalctl" || program == "kubectl")
    return follows && (program == "journalctl" || part.has("logs"));
  if (program == "pm2") return part.has("monit") || (part.has("logs") && !part.has("--nostream"));
  return program == "watch" || program == "top" || (program == "ping" && !part.has("-c"));
}

bool stops_services(const SimpleCommand& part) {
  const std::string program = part.word(0);
  if (program == "docker" || program == "docker-compose") return part.has("down") || part.has("stop");
  return (program == "systemctl" || program == "pm2" || program == "service") && part.has("stop");
}

bool starts_services(const SimpleCommand& part) {
  return contains(part.word(0), "docker") && (part.has("up") || part.has("start") || part.has("restart"));
}

bool flushes(const SimpleCommand& part) {
  return part.word(0) == "redis-cli" && (part.has("FLUSHALL") || part.has("FLUSHDB") || part.has("flushall"));
}

// What cannot be taken back.
bool removes_data(const SimpleCommand& part) {
  const std::string program = part.word(0);
  if (program == "docker" && part.has("volume") && (part.has("rm") || part.has("prune"))) return true;
  if (program == "dropdb") return true;
  if (program == "psql") return contains_any(part.after("-c"), {"DROP ", "TRUNCATE ", "drop ", "truncate "});
  return program == "rm" && (part.has("-rf") || part.has("-r") || part.has("-fr"));
}

bool proves_source(const SimpleCommand& part) {
  return (part.word(0) == "gunzip" && part.has("-t")) ||
         (part.word(0) == "pg_restore" && part.has("--list")) || part.word(0) == "sha256sum" ||
         part.word(0) == "pg_verifybackup";
}

bool is_gate(const SimpleCommand& part) { return part.word(0) == "read" && part.has("-p"); }

bool feeds_psql(const Seen& seen) {
  const SimpleCommand& last = seen.parts.back();
  if (last.word(0) != "psql" || contains(seen.command.text, "ON_ERROR_STOP")) return false;
  return !last.after("-f").empty() || (seen.parts.size() > 1 && last.after("-c").empty());
}

class Linter {
 public:
  Linter(const Manual& manual, const LintWorld& world) : manual_(manual), world_(world) {}

  std::vector<Danger> run() {
    for (const ManualSection& section : manual_.sections)
      for (const CodeBlock& block : section.blocks)
        if (is_shell(block)) note_script(block);
    for (const ManualSection& section : manual_.sections)
      for (const CodeBlock& block : section.blocks) check_block(block);
    for (const ManualLine& line : manual_.prose) check_placeholder(line);
    check_links();
    check_review();
    std::ranges::stable_sort(dangers_, {}, &Danger::line);
    return std::move(dangers_);
  }

 private:
  void report(std::string_view rule, int line, const std::string& quote) {
    dangers_.push_back({rule, line, quote});
  }

  // Scripts that the manual itself holds, by the name in their first comment.
  void note_script(const CodeBlock& block) {
    const ShellScript script = read_script(block.lines);
    if (script.comments.empty() || !script.comments[0].text.ends_with(".sh")) return;
    if (!script.reads_arguments) deaf_scripts_.insert(file_name(script.comments[0].text));
  }

  void check_block(const CodeBlock& block) {
    bool timeline = false;
    for (const ManualLine& line : block.lines) {
      check_placeholder(line);
      if (contains(line.text, "recovery.conf")) report("recovery-conf", line.line, line.text);
      if (contains(line.text, "'<IDLE>'")) report("idle-filter", line.line, line.text);
      if (contains(line.text, "pg_terminate_backend")) report("no-gate", line.line, line.text);
      timeline = timeline || contains_any(line.text, {"Timeline", "タイムライン"});
      if (timeline && contains_any(line.text, {"- Detection", "- 検知"}))
        report("rto-clock", line.line, line.text);
    }
    if (is_shell(block)) check_script(block);
  }

  void check_script(const CodeBlock& block) {
    const ShellScript script = read_script(block.lines);
    std::vector<Seen> all;
    for (const ShellCommand& command : script.commands) {
      Seen seen{command, {}};
      for (const SimpleCommand& part : command.pipe) seen.parts.push_back(unwrapped(part));
      all.push_back(std::move(seen));
    }
    // A list of single commands is typed one by one; a script runs by itself.
    const bool script_of_its_own = !block.lines.empty() && block.lines[0].text.starts_with("#!");
    if (script_of_its_own && !script.stops_at_errors)
      report("unchecked", block.lines[0].line, block.lines[0].text);
    for (const Seen& seen : all) {
      check_command(seen);
      if (script_of_its_own && !script.stops_at_errors) check_success(seen);
    }
    check_order(all);
    check_databases(all);
  }

  void check_command(const Seen& seen) {
    const ShellCommand& command = seen.command;
    const auto found = [&](std::string_view rule) { report(rule, command.line, command.text); };
    if (command.cut_url) found("cut-url");
    if (feeds_psql(seen)) found("sql-errors");
    if (contains(command.text, "ls -t") && contains(command.text, "head -1")) found("newest-blindly");
    if (contains(command.text, "_latest.tar") && command.first().word(0) == "aws") found("newest-blindly");
    if (contains(command.text, "/latest/download")) found("unseen-program");
    if (contains_any(command.text, {"SLACK_WEBHOOK", "hooks.slack.com"})) found("one-notifier");
    for (const SimpleCommand& part : seen.parts) check_part(part, command);
  }

  void check_part(const SimpleCommand& part, const ShellCommand& command) {
    const auto found = [&](std::string_view rule) { report(rule, command.line, command.text); };
    const std::string program = part.word(0);
    if (never_ends(part)) found("unbounded");
    if (program == "sleep") found("sleep");
    if (flushes(part)) found("flush-all");
    if (is_gate(part)) found("gate-without-terminal");
    if (program == "redis-cli" && !part.after("-a").empty()) found("secret-in-arguments");
    if (program == "ls" &&
        std::ranges::any_of(part.words, [](const ShellWord& word) { return contains(word.text, "pg_wal"); }))
      found("wal-directory");
    if (program == "sh" && part.words.size() == 2) found("unseen-program");
    const bool one_file = program == "tar" || program == "gunzip" || program == "zcat" || program == "cp" ||
                          program == "pg_restore";
    if (one_file && std::ranges::any_of(part.words, has_glob)) found("glob");
    for (const std::string& output : part.outputs)
      if (output.starts_with("/tmp/") && contains_any(output, {"report", "failure", "inspect", ".log"}))
        found("kept-on-host");
    if (program.ends_with(".sh") && program.starts_with('/')) {
      found("script-on-host");
      if (part.words.size() > 1 && deaf_scripts_.contains(file_name(program))) found("ignored-argument");
    }
  }

  void check_success(const Seen& seen) {
    const std::string program = seen.parts[0].word(0);
    if (program != "echo" && program != "curl") return;
    if (contains_any(seen.command.text, {"ompleted", "successfully", "✅", "完了"}) &&
        !contains(seen.command.text, "http://localhost"))
      report("false-success", seen.command.line, seen.command.text);
  }

  // Stops, gates, and what is destroyed, in the order of the script.
  void check_order(const std::vector<Seen>& all) {
    bool stopped = false, gate = false, proven = false, volume_named = false, redis_runs = true;
    for (const Seen& seen : all)
      for (const SimpleCommand& part : seen.parts) {
        const auto found = [&](std::string_view rule) { report(rule, seen.command.line, seen.command.text); };
        if (is_gate(part)) {
          if (stopped && !gate) found("late-gate");
          gate = true;
        }
        stopped = stopped || stops_services(part);
        proven = proven || proves_source(part);
        if ((removes_data(part) || flushes(part)) && !gate) found("no-gate");
        if (removes_data(part) && !proven) found("only-copy");
        if (part.word(0) == "docker" && part.has("volume") && !std::exchange(volume_named, true))
          found("volume-name");
        if (contains(seen.command.folder + " " + seen.command.text, "redis")) {
          if (stops_services(part)) redis_runs = false;
          if (starts_services(part)) redis_runs = true;
          const bool copies = (part.word(0) == "docker" && part.has("cp")) || part.word(0) == "cp";
          if (copies && redis_runs && contains(seen.command.text, ".rdb")) found("rdb-while-running");
        }
      }
  }

  // pg_restore into one database, the check in another.
  void check_databases(const std::vector<Seen>& all) {
    std::string restored;
    for (const Seen& seen : all) {
      const SimpleCommand& part = seen.parts.back();
      if (part.word(0) == "pg_restore") restored = part.after("-d");
      const bool checks = part.word(0) == "psql" && !part.after("-f").empty();
      if (checks && !restored.empty() && part.after("-d") != restored)
        report("wrong-database", seen.command.line, seen.command.text);
    }
  }

  void check_placeholder(const ManualLine& line) {
    if (contains_any(line.text, {"XXXX", "your-", "/path/to/", "[To be filled]", ": X hours", "作成手順]"}))
      report("placeholder", line.line, line.text);
  }

  void check_links() {
    if (!world_.has_file) return;
    for (const ManualLink& link : manual_.links) {
      const std::string file = link.target.substr(0, link.target.find('#'));
      if (!file.empty() && !contains(file, "://") && !world_.has_file(file))
        report("dangling-link", link.line, link.target);
    }
  }

  void check_review() {
    const Head& head = manual_.head;
    if (head.review_due.empty()) return report("no-review", 1, head.updated);
    if (world_.now && head.review_due < to_rfc3339(*world_.now).substr(0, 10))
      report("review-overdue", manual_.review_line, head.review_due);
  }

  const Manual& manual_;
  const LintWorld& world_;
  std::vector<Danger> dangers_;
  std::set<std::string> deaf_scripts_;  // that read no arguments
};

}  // namespace

std::span<const DangerRule> danger_rules() { return kRules; }

std::string_view text_of(const Danger& danger, bool japanese) {
  const auto row = std::ranges::find(kRules, danger.rule, &DangerRule::id);
  DR_CHECK(row != std::end(kRules));
  return japanese ? row->ja : row->en;
}

bool is_shell(const CodeBlock& block) {
  return block.language == "bash" || block.language == "sh" || block.language == "shell" ||
         block.language == "console";
}

SimpleCommand unwrapped(const SimpleCommand& command, std::string* container) {
  SimpleCommand inner = command;
  if (inner.word(0) == "sudo") inner.words.erase(inner.words.begin());
  if (inner.word(0) != "docker" || inner.word(1) != "exec") return inner;
  size_t at = 2;
  while (at < inner.words.size() && inner.words[at].text.starts_with('-')) ++at;
  if (at + 1 >= inner.words.size()) return inner;
  if (container) *container = inner.words[at].text;
  inner.words.erase(inner.words.begin(), inner.words.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  return inner;
}

std::vector<Danger> lint_manual(const Manual& manual, const LintWorld& world) {
  return Linter(manual, world).run();
}

}  // namespace daruma::run
