#include "run/import_steps.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "run/check_parts.h"
#include "run/manual_lint.h"

namespace daruma::run {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Typed step(std::string type, Value::Map with) {
  Typed typed;
  typed.action = Action{std::move(type), std::move(with)};
  return typed;
}
Typed person(std::string ja, std::string en) {
  Typed typed;
  typed.why = {std::move(ja), std::move(en)};
  return typed;
}

Typed gate(std::string question) {
  Typed typed;
  typed.gate = std::move(question);
  return typed;
}
Typed nothing() {
  Typed typed;
  typed.nothing = true;
  return typed;
}

std::string last_part(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

int64_t number_or(const std::string& text, int64_t otherwise) {
  int64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && number > 0 ? number : otherwise;
}

std::string url_of(const SimpleCommand& part) {
  for (const ShellWord& word : part.words)
    if (word.text.starts_with("http://") || word.text.starts_with("https://")) return word.text;
  return "";
}

// The last word that is no option: of `systemctl restart NAME` the name.
std::string last_word(const SimpleCommand& part) {
  return part.words.empty() || part.words.back().text.starts_with('-') ? "" : part.words.back().text;
}

Typed service_step(std::string_view act, const std::string& service, Value::Map more = {}) {
  if (service.empty()) return person("サービス名がありません", "it names no service");
  more.emplace("service", service);
  return step(fmt::format("service.{}", act), std::move(more));
}

// --- by program

Typed docker_compose(const SimpleCommand& part, const std::string& folder) {
  const std::string service =
      last_part(!part.after("-f").empty() && part.after("-f").rfind('/') != std::string::npos
                    ? part.after("-f").substr(0, part.after("-f").rfind('/'))
                    : folder);
  if (part.has("restart")) return service_step("restart", service);
  if (part.has("down") || part.has("stop")) return service_step("stop", service);
  if (part.has("up") || part.has("start")) return service_step("start", service);
  if (part.has("logs")) return service_step("logs", service, {{"lines", 100}});
  return person("この docker compose コマンドに当たるステップがありません",
                "this docker compose command is no step type");
}

Typed docker(const ShellCommand& command, const SimpleCommand& part) {
  if (part.word(1) == "compose") return docker_compose(part, command.folder);
  const std::string act = part.word(1);
  const bool kept = !part.outputs.empty();  // into a file: evidence
  if (act == "logs" && kept) return step("evidence.capture", {{"services", Value::List{part.word(2)}}});
  if (act == "inspect" && kept) return step("evidence.capture", {{"services", Value::List{part.word(2)}}});
  if (act == "logs") {
    const std::string lines = part.after("--tail").empty() ? part.after("-n") : part.after("--tail");
    return service_step("logs", part.word(2), {{"lines", number_or(lines, 100)}});
  }
  if (act == "ps") {
    const std::string service = command.pipe.size() > 1 ? last_word(command.pipe[1]) : "";
    return service_step("status", service);
  }
  if (act == "stop" || act == "start" || act == "restart") return service_step(act, last_word(part));
  Value::List words;
  for (const ShellWord& word : part.words) words.push_back(word.text);
  const bool prunes = part.word(2) == "prune" && (act == "volume" || act == "system");
  if (prunes || (act == "volume" && part.word(2) == "rm")) return step("exec.destroy", {{"command", words}});
  if (act == "volume" && part.word(2) == "inspect") return step("exec.observe", {{"command", words}});
  return {};
}

Typed systemctl(const SimpleCommand& part) {
  for (const std::string_view act : {"status", "restart", "start", "stop", "reload"})
    if (part.word(1) == act) return service_step(act, part.word(2));
  return person("この systemctl コマンドに当たるステップがありません",
                "this systemctl command is no step type");
}

Typed pm2(const SimpleCommand& part) {
  const std::string act = part.word(1);
  if (act == "logs")
    return service_step("logs", part.word(2), {{"lines", number_or(part.after("--lines"), 100)}});
  if (act == "scale") return service_step("scale", part.word(2), {{"instances", number_or(part.word(3), 1)}});
  for (const std::string_view known : {"restart", "reload", "start", "stop"})
    if (act == known) return service_step(act, part.word(2));
  return person(
      "終わらず、サービス名もありません。service.resources ならメモリと CPU を一度だけ読みます",
      "it never ends, and names no service; service.resources reads memory and processor time once");
}

Typed redis_cli(const SimpleCommand& part, const std::string& container) {
  const std::string datastore = container.empty() ? "redis" : container;
  if (part.has("ping") || part.has("PING")) return step("redis.ping", {{"datastore", datastore}});
  if (part.has("info") || part.has("INFO")) return step("redis.info", {{"datastore", datastore}});
  if (part.has("FLUSHALL") || part.has("flushall")) return step("redis.flush", {{"datastore", datastore}});
  return person("この Redis コマンドに当たるステップがありません", "this command of Redis is no step type");
}

Typed psql(const ShellCommand& command, const SimpleCommand& part, const std::string& container) {
  const std::string datastore = container.empty() ? "postgres" : container;
  const std::string database = part.after("-d");
  if (const std::string script = part.after("-f"); !script.empty()) {
    Value::Map with{{"datastore", datastore}, {"script", script}};
    if (!database.empty()) with.emplace("database", database);
    return step("postgres.integrity", std::move(with));
  }
  std::string sql = part.after("-c");
  if (sql == "\\l") return step("postgres.databases", {{"datastore", datastore}});
  if (contains(sql, "pg_stat_activity") && contains(sql, "count("))
    return step("postgres.connections", {{"datastore", datastore}});
  if (!sql.empty()) {
    while (sql.ends_with(';')) sql.pop_back();
    Value::Map with{{"datastore", datastore}, {"sql", sql}};
    if (!database.empty()) with.emplace("database", database);
    return step("postgres.query", std::move(with));
  }
  const SimpleCommand& source = command.pipe.front();
  const std::string file = last_word(source);
  if (command.pipe.size() < 2 || file.empty())
    return person("人の入力を読みます", "it reads what somebody types");
  if (contains(file, "$") || contains(file, "*"))
    return person(fmt::format("'{}' がどのファイルか決める必要があります。postgres.find_backup で選び、"
                              "postgres.restore で復元します",
                              file),
                  fmt::format("which file '{}' is must be decided: postgres.find_backup chooses one, then "
                              "postgres.restore",
                              file));
  return step("postgres.restore", {{"datastore", datastore}, {"file", file}});
}

Typed pg_restore(const SimpleCommand& part) {
  return step("postgres.restore_beside",
              {{"datastore", "postgres"}, {"database", part.after("-d")}, {"file", last_word(part)}});
}

// -H "NAME: VALUE"; a variable at its end is a secret from the environment.
Value::Map headers_of(const SimpleCommand& part) {
  Value::Map headers;
  for (size_t i = 0; i + 1 < part.words.size(); ++i) {
    if (part.words[i].text != "-H") continue;
    const std::string& text = part.words[i + 1].text;
    const size_t colon = text.find(": ");
    if (colon == std::string::npos) continue;
    const std::string value = text.substr(colon + 2);
    const size_t dollar = value.find('$');
    std::string variable = dollar == std::string::npos ? "" : value.substr(dollar + 1);
    std::erase_if(variable, [](char c) { return c == '{' || c == '}'; });
    if (dollar == std::string::npos)
      headers.emplace(text.substr(0, colon), value);
    else
      headers.emplace(text.substr(0, colon),
                      Value::Map{{"env", variable}, {"prefix", value.substr(0, dollar)}});
  }
  return headers;
}

Typed curl(const SimpleCommand& part, const std::string& text) {
  const std::string url = url_of(part);
  if (contains(text, "SLACK_WEBHOOK") || contains(url, "hooks.slack.com"))
    return step("notify", {{"channels", Value::List{"ops"}}, {"title", "told as in the manual"}});
  if (url.empty()) return person("宛先が書かれていません", "it asks an address that is not written out");
  if (!part.after("-o").empty() || part.has("-fsSL"))
    return person("プログラムを入手します。パッケージから導入してください",
                  "it fetches a program; install it from a package");
  const bool breakers = contains(url, "circuit-breakers");
  const size_t reset = url.find("/reset");
  if (breakers && reset != std::string::npos) {
    const std::string of_one = url.substr(0, reset);
    return step("breaker.reset", {{"url", of_one.substr(0, of_one.rfind('/'))},
                                  {"name", last_part(of_one)},
                                  {"provider", "http://provider.invalid/health"}});
  }
  if (breakers) return step("breaker.show", {{"url", url}});
  if (part.after("-X") != "" && part.after("-X") != "GET") {
    Value::Map with{{"url", url}, {"method", part.after("-X")}};
    if (!part.after("-d").empty()) with.emplace("body", literally(Value(part.after("-d"))));
    if (Value::Map headers = headers_of(part); !headers.empty()) with.emplace("headers", std::move(headers));
    return step("http.request", std::move(with));
  }
  Value::Map with{{"url", url}};
  if (part.has("-I")) with.emplace("method", "HEAD");
  return step("http.check", std::move(with));
}

Typed ab(const SimpleCommand& part) {
  return step("http.measure", {{"url", url_of(part)},
                               {"requests", number_or(part.after("-n"), 100)},
                               {"at_once", number_or(part.after("-c"), 10)}});
}

Typed log_reading(const SimpleCommand& part, const std::string& text) {
  const std::string file = last_word(part);
  if (contains(text, "statusCode")) return step("logs.status_codes", {{"file", file}});
  if (contains(file, "error")) return step("logs.errors", {{"file", file}});
  return person("ログを終わりなく読みます", "it reads a log without an end");
}

// Programs of which one command is as good as a step; what they do is not known, so they may change things.
Typed plain_program(const ShellCommand& command, const SimpleCommand& part) {
  if (command.pipe.size() > 1 || !part.outputs.empty())
    return person("シェルが要ります（パイプまたはリダイレクト）", "it needs a shell: pipes or redirections");
  Value::List words;
  for (const ShellWord& word : part.words) {
    const bool pattern = !word.quoted && word.text.find_first_of("*?[") != std::string::npos;
    if (pattern)
      return person("シェルが要ります（複数のファイルに一致し得るパターン）",
                    "it needs a shell: a pattern that may match several files");
    if (contains(word.text, "$")) return person("シェルが要ります（変数）", "it needs a shell: a variable");
    words.push_back(word.text);
  }
  const bool looks = part.word(0) == "ls" || part.word(0) == "df" || part.word(0) == "ps";
  Value::Map with{{"command", std::move(words)}};
  if (!command.folder.empty() && !contains(command.folder, "$")) with.emplace("directory", command.folder);
  const bool destroys = !looks && destroyer_of({"exec", with});
  return step(looks ? "exec.observe" : destroys ? "exec.destroy" : "exec", std::move(with));
}

bool says_only(const SimpleCommand& part) {
  const std::string program = part.word(0);
  for (const std::string_view known : {"echo", "exit", "set", "[", "true", "export", "source"})
    if (program == known) return true;
  const size_t equals = program.find('=');  // an assignment
  return equals != std::string::npos && equals > 0 && part.words.size() == 1;
}

}  // namespace

Typed typed_command(const ShellCommand& command, const std::vector<std::string>& scripts) {
  std::string container;
  SimpleCommand part = unwrapped(command.pipe.back(), &container);
  if (container.empty()) part = unwrapped(command.first(), &container);
  const std::string program = part.word(0);
  if (program.ends_with(".sh")) {
    const std::string name = last_part(program.substr(0, program.size() - 3));
    if (std::ranges::find(scripts, name) != scripts.end()) return step("plan", {{"plan", name}});
  }
  for (const std::string& output : command.first().outputs)
    if (contains(output, "report")) return step("report", {});
  if (program == "read") return gate(part.after("-p").empty() ? "?" : part.after("-p"));
  if (says_only(part)) {
    if (contains(command.text, "ls -t"))
      return person("どのバックアップを使うか決める必要があります（postgres.find_backup）",
                    "which backup is taken must be decided: postgres.find_backup");
    return nothing();
  }
  if (program == "sleep")
    return person("秒数を待っても準備完了とは限りません。wait_until はサービス・URL・ポートを待ちます",
                  "seconds are no readiness: wait_until waits for a service, a URL or a port");
  if (program == "docker") {
    Typed typed = docker(command, part);
    if (typed.action || !typed.why.empty()) return typed;
  }
  if (program == "docker-compose") return docker_compose(part, command.folder);
  if (program == "systemctl") return systemctl(part);
  if (program == "pm2") return pm2(part);
  if (program == "redis-cli") return redis_cli(part, container);
  if (program == "psql") return psql(command, part, container);
  if (program == "pg_restore") return pg_restore(part);
  if (program == "curl") return curl(part, command.text);
  if (program == "ab") return ab(part);
  if (program == "tail" || (program == "cat" && command.pipe.size() > 1))
    return log_reading(part, command.text);
  return plain_program(command, part);
}

Typed typed_sql(const std::string& statement) {
  if (contains(statement, "pg_terminate_backend"))
    return person(
        "どのセッションを終わらせるかは人が決めます。postgres.activity で調べ、"
        "postgres.terminate で終わらせます",
        "a person decides which session is ended: postgres.activity shows them, "
        "postgres.terminate ends one");
  if (contains(statement, "pg_locks")) return step("postgres.locks", {{"datastore", "postgres"}});
  if (contains(statement, "pg_stat_activity")) return step("postgres.activity", {{"datastore", "postgres"}});
  return step("postgres.query", {{"datastore", "postgres"}, {"sql", literally(Value(statement))}});
}

}  // namespace daruma::run
