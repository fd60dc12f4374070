#include "run/import.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "run/import_steps.h"
#include "run/plan_yaml.h"

namespace daruma::run {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_japanese(const std::string& text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}
Text in_its_language(const std::string& text) {
  return is_japanese(text) ? Text{.ja = text, .en = ""} : Text{.ja = "", .en = text};
}

// Lower-case letters and digits of `text`, joined by '-'; at most 40 of them.
std::string slug(const std::string& text) {
  std::string out;
  for (const char raw : text) {
    const char c = raw >= 'A' && raw <= 'Z' ? static_cast<char>(raw - 'A' + 'a') : raw;
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (good)
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  if (out.size() > 40) out.resize(40);
  while (out.ends_with('-')) out.pop_back();
  return out;
}

// `wanted`, or with a number behind it where it is taken.
std::string unique(std::string wanted, std::set<std::string>& taken) {
  if (wanted.empty()) wanted = "step";
  std::string name = wanted;
  for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}-{}", wanted, number);
  return name;
}

std::string after_colon(const std::string& heading) {
  for (const std::string_view colon : {": ", "："})
    if (const size_t at = heading.find(colon); at != std::string::npos)
      return heading.substr(at + colon.size());
  return heading;
}

// "3. " and "1. " before a comment's words.
std::string without_number(const std::string& text) {
  size_t at = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at > 0 && text.compare(at, 2, ". ") == 0 ? text.substr(at + 2) : text;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

// The command as the loop's body runs it for one item.
ShellCommand for_item(ShellCommand command, const std::string& item) {
  const auto put = [&](std::string& text) {
    replace_all(text, "${" + command.loop_variable + "}", item);
    replace_all(text, "$" + command.loop_variable, item);
  };
  put(command.text);
  put(command.folder);
  for (SimpleCommand& part : command.pipe)
    for (ShellWord& word : part.words) put(word.text);
  return command;
}

const Text kPrecondition{"前提条件は、調べるだけのステップで書きます", "a precondition is a step that looks"};
const Text kDescribed{"説明だけで、コマンドがありません", "it is only described"};
const Text kVariable{"シェルの変数を含みます", "it holds a variable of the shell"};
const Text kProvider{"`provider` に、遮断の先にある外部サービスの URL を書いてください",
                     "write the URL of what the breaker stands before as `provider`"};

// The name of the script that a block is, from its first comment, without ".sh"; "" if it is none.
std::string script_name(const CodeBlock& block) {
  const ShellScript script = read_script(block.lines);
  if (script.comments.empty() || !script.comments[0].text.ends_with(".sh")) return "";
  const std::string& text = script.comments[0].text;
  return text.substr(0, text.size() - 3);
}

class DraftMaker {
 public:
  DraftMaker(const Manual& manual, const ManualSection& section, const std::vector<std::string>& scripts)
      : section_(section), scripts_(scripts) {
    Plan& plan = draft_.plan;
    plan.head = manual.head;
    plan.head.status = "draft";
    const bool alone = !slug(section.heading).empty() || section.above.empty();
    plan.title = in_its_language(alone ? section.heading : section.above.back() + " — " + section.heading);
    for (const std::string& above : section.above) note_level(above);
    note_level(section.heading);
    for (const LabelledList& list : section.lists) note_list(list);
  }

  Draft make() {
    for (const CodeBlock& block : section_.blocks) {
      before_ = block.before;
      if (is_shell(block)) add_script(block);
      if (block.language == "sql") add_sql(block);
    }
    return std::move(draft_);
  }

 private:
  void note_level(const std::string& heading) {
    const size_t at = heading.find("Level ");
    if (at != std::string::npos && heading[at + 6] >= '1' && heading[at + 6] <= '9')
      draft_.plan.level = static_cast<uint32_t>(heading[at + 6] - '0');
  }

  void note_list(const LabelledList& list) {
    Plan& plan = draft_.plan;
    const auto is = [&](std::string_view ja, std::string_view en) {
      return contains(list.label, ja) || contains(list.label, en);
    };
    std::string all;
    for (const ManualLine& item : list.items)
      all += (all.empty() ? "" : is_japanese(item.text) ? "、" : "; ") + item.text;
    if (is("影響", "mpact")) plan.impact = in_its_language(all);
    if (is("予防", "revention"))
      for (const ManualLine& item : list.items) plan.prevent.push_back(in_its_language(item.text));
    if (is("検知", "etection"))
      for (const ManualLine& item : list.items) plan.detect.push_back(detection(item.text));
    if (is("前提", "recondition"))
      for (const ManualLine& item : list.items) add_task(item.line, item.text, item.text, kPrecondition);
  }

  // `AuthServiceDown` in a manual is the name of an alert.
  static Detection detection(const std::string& text) {
    Detection out;
    const size_t open = text.find('`'), close = text.rfind('`');
    if (open != std::string::npos && close > open + 1)
      out.alert = text.substr(open + 1, close - open - 1);
    else
      out.words = in_its_language(text);
    return out;
  }

  void add_script(const CodeBlock& block) {
    const ShellScript script = read_script(block.lines);
    std::vector<ManualLine> tasks = comments_alone(script, block);
    auto task = tasks.begin();
    for (const ShellCommand& command : script.commands) {
      for (; task != tasks.end() && task->line < command.line; ++task)
        add_task(task->line, task->text, task->text, kDescribed);
      add_command(command);
    }
    for (; task != tasks.end(); ++task) add_task(task->line, task->text, task->text, kDescribed);
  }

  // Comments that say what to do, where no command does it. Lines that stand together are one.
  static std::vector<ManualLine> comments_alone(const ShellScript& script, const CodeBlock& block) {
    std::set<int> used, comment_lines;
    for (const ShellCommand& command : script.commands) used.insert(command.comment_line);
    for (const ManualLine& comment : script.comments) comment_lines.insert(comment.line);
    std::vector<ManualLine> out;
    int last = 0;
    for (const ManualLine& comment : script.comments) {
      const bool heads = comment_lines.contains(comment.line + 1) && used.contains(comment.line + 1);
      const bool name = comment.text.ends_with(".sh") && comment.line <= block.lines.front().line + 1;
      if (used.contains(comment.line) || heads || name || comment.text.empty()) continue;
      if (!out.empty() && last + 1 == comment.line)
        out.back().text += "\n" + comment.text;
      else
        out.push_back({comment.line, without_number(comment.text)});
      last = comment.line;
    }
    return out;
  }

  void add_command(const ShellCommand& command) {
    if (command.loop_items.empty()) return add_one(command, command.line);
    for (const std::string& item : command.loop_items) add_one(for_item(command, item), command.line);
  }

  void add_one(const ShellCommand& command, int line) {
    Typed typed = typed_command(command, scripts_);
    const std::string title = command.comment.empty() ? before_ : without_number(command.comment);
    if (typed.nothing) return;
    if (!typed.gate.empty())
      return add_step(line, title, {"approve", {{"question", literally(Value(typed.gate))}}});
    if (command.first().word(0) == "sleep" && !started_.empty())
      return add_step(line, title, {"wait_until", {{"service", started_}}});
    if (command.first().word(0) == "sleep") return draft_.untyped.push_back({line, command.text, typed.why});
    if (typed.action && !is_free_of_variables(typed.action->with)) {
      typed.action.reset();
      typed.why = kVariable;
    }
    if (!typed.action) return add_task(line, title, command.text, typed.why);
    if (joins_last(*typed.action, command, line)) return;
    if (typed.action->type == "breaker.reset") draft_.untyped.push_back({line, command.text, kProvider});
    add_step(line, title, std::move(*typed.action));
    if (contains(command.comment, "解決しない場合") || contains(command.comment, "if it does not help"))
      only_after_failure();
  }

  static bool is_free_of_variables(const Value::Map& with) {
    const auto names = names_in(Value(with));
    return names.ok() && names->empty();
  }

  // What is one step with the last: another service of the same loop, an alternative, down and up again.
  bool joins_last(const Action& action, const ShellCommand& command, int line) {
    if (draft_.plan.steps.empty()) return false;
    Step& last = draft_.plan.steps.back();
    Action& before = last.action;
    if (before == action) return true;
    const auto service = action.with.find("service");
    if (service == action.with.end()) return false;
    if (before.type == action.type && last.line == line && !command.loop_items.empty()) {
      Value::List services = before.with.contains("services") ? *before.with.at("services").list()
                                                              : Value::List{before.with.at("service")};
      services.push_back(service->second);
      before.with = {{"services", std::move(services)}};
      return true;
    }
    if (before.type == "service.stop" && action.type == "service.start" && before.with == action.with) {
      before.type = "service.recreate";
      ids_.erase(last.id);
      last.id = unique(slug("service.recreate-" + to_text(service->second)), ids_);
      return true;
    }
    return false;
  }

  // "If that does not help": only after the last check has failed.
  void only_after_failure() {
    std::vector<Step>& steps = draft_.plan.steps;
    for (size_t i = steps.size() - 1; i-- > 0;) {
      if (steps[i].action.type != "http.check") continue;
      steps[i].on_failure = OnFailure::kContinue;
      steps[i].retry = Retry{.times = 0, .within = std::chrono::seconds(30)};
      auto condition = Expression::parse("steps." + steps[i].id + ".failed");
      if (condition.ok()) steps.back().when = *std::move(condition);
      return;
    }
  }

  void add_sql(const CodeBlock& block) {
    std::string statement, comment;
    int line = 0;
    for (const ManualLine& each : block.lines) {
      const std::string text = each.text.substr(std::min(each.text.find_first_not_of(' '), each.text.size()));
      if (text.starts_with("--")) {
        comment = text.substr(std::min(text.find_first_not_of("- "), text.size()));
        continue;
      }
      if (text.empty()) continue;
      if (statement.empty()) line = each.line;
      statement += (statement.empty() ? "" : " ") + text;
      if (statement.find_last_not_of(' ') == std::string::npos ||
          statement[statement.find_last_not_of(' ')] != ';')
        continue;
      statement.erase(statement.rfind(';'));
      const Typed typed = typed_sql(statement);
      if (typed.action)
        add_step(line, comment, *typed.action);
      else
        add_task(line, comment, statement, typed.why);
      statement.clear();
    }
  }

  void add_task(int line, const std::string& title, const std::string& text, const Text& why) {
    draft_.untyped.push_back({line, text, why});
    add_step(line, title.substr(0, title.find('\n')), {"manual", {{"task", literally(Value(text))}}});
  }

  void add_step(int line, const std::string& title, Action action) {
    Step step;
    const Value* target = nullptr;
    for (const char* name : {"service", "datastore", "database"})
      if (const auto found = action.with.find(name); found != action.with.end() && !target)
        target = &found->second;
    step.id = unique(slug(action.type + (target && target->text() ? "-" + *target->text() : "")), ids_);
    if (const std::string words = title.empty() ? section_.heading : title; !words.empty())
      step.title = in_its_language(words);
    step.line = line;
    const bool destroys = action.type == "exec.destroy" || action.type == "redis.flush";
    if (destroys) step.approve.emplace().question = step.title.empty() ? Text{"", step.id} : step.title;
    if (action.type == "manual") step.timeout = std::chrono::hours(1);
    const bool starts = action.type == "service.start" || action.type == "service.restart";
    if (starts && action.with.contains("service")) started_ = to_text(action.with.at("service"));
    if (!draft_.plan.steps.empty()) step.needs = {draft_.plan.steps.back().id};
    step.action = std::move(action);
    draft_.plan.steps.push_back(std::move(step));
  }

  const ManualSection& section_;
  const std::vector<std::string>& scripts_;
  Draft draft_;
  std::set<std::string> ids_;
  std::string before_;   // the text above the block
  std::string started_;  // the service started last
};

std::string name_of(const ManualSection& section) {
  for (const CodeBlock& block : section.blocks)
    if (const std::string script = slug(script_name(block)); !script.empty()) return script;
  const auto is_number = [](const std::string& text) {
    return text.find_first_not_of("0123456789-") == std::string::npos;
  };
  std::string name = slug(after_colon(section.heading));
  if (is_number(name) && !section.above.empty()) {
    const std::string above = slug(section.above.back());
    if (!is_number(above))
      name = above.substr(above.find_first_not_of("0123456789-")) + (name.empty() ? "" : "-" + name);
    else if (name.empty())
      name = above;
  }
  if (is_number(name)) name = name.empty() ? "section" : "section-" + name;
  return name;
}

}  // namespace

Import import_manual(const std::string& text, const Path& file, const LintWorld& world) {
  const Manual manual = read_manual(text);
  Import out;
  out.dangers = lint_manual(manual, world);
  out.unread = manual.unread;
  std::vector<std::string> scripts;
  for (const ManualSection& section : manual.sections)
    for (const CodeBlock& block : section.blocks)
      if (const std::string script = script_name(block); is_shell(block) && !script.empty())
        scripts.push_back(script);
  std::set<std::string> names;
  for (const ManualSection& section : manual.sections) {
    Draft draft = DraftMaker(manual, section, scripts).make();
    const bool has_commands = std::ranges::any_of(
        section.blocks, [](const CodeBlock& block) { return is_shell(block) || block.language == "sql"; });
    if (draft.plan.steps.empty() || !has_commands) continue;
    draft.plan.name = unique(name_of(section), names);
    if (draft.plan.title.empty()) draft.plan.title.en = draft.plan.name;
    draft.plan.file = file;
    out.drafts.push_back(std::move(draft));
  }
  return out;
}

std::string draft_text(const Draft& draft, const std::vector<Danger>& dangers) {
  const bool japanese = !draft.plan.title.ja.empty();
  std::string out = fmt::format("# {} {}\n", japanese ? "下書き。元の手順書：" : "A draft, made of",
                                draft.plan.file.filename().string());
  const auto remark = [&](const Step& step) {
    std::string lines = fmt::format("{} {}", japanese ? "行" : "line", step.line);
    for (const Untyped& untyped : draft.untyped)
      if (untyped.line == step.line)
        lines += fmt::format(
            "\n{} {}", japanese ? "型なし：" : "not typed:", japanese ? untyped.why.ja : untyped.why.en);
    for (const Danger& danger : dangers)
      if (danger.line == step.line)
        lines += fmt::format("\n{} {}", japanese ? "危険：" : "danger:", text_of(danger, japanese));
    return lines;
  };
  return out + to_yaml(draft.plan, remark);
}

}  // namespace daruma::run
