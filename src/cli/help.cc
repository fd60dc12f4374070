#include "cli/help.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/closest.h"
#include "cli/json.h"
#include "run/plan_schema.h"
#include "run/step_type.h"

namespace daruma {
namespace {

constexpr std::string_view kSentence =
    "daruma brings a PostgreSQL back to any moment: it stores the log while it is written,\n"
    "and proves that what it stored can be recovered.";
constexpr std::string_view kExits =
    "0 the thing named was done; 1 failed; 2 wrong usage; 3 refused, and nothing touched;\n"
    "4 waits for a person";

struct GroupTitle {
  Group group;
  std::string_view title;
};
constexpr std::array<GroupTitle, 4> kGroups{{{Group::kSetUp, "Set up"},
                                             {Group::kEveryDay, "Every day"},
                                             {Group::kWhenItBurns, "When it burns"},
                                             {Group::kPlumbing, "Plumbing"}}};

// Two columns, the second one aligned; a further line of the second stands below it.
using Lines = std::vector<std::pair<std::string, std::string>>;
std::string two_columns(const Lines& lines) {
  size_t width = 0;
  for (const auto& [left, right] : lines) width = std::max(width, left.size());
  std::string out;
  for (const auto& [left, right] : lines) out += fmt::format("  {:<{}}  {}\n", left, width, right);
  return out;
}

std::string shown(const OptionRow& option) {
  return option.form == OptionRow::Form::kFlag ? std::string(option.name)
                                               : fmt::format("{} {}", option.name, option.value);
}

std::string shown(const ArgumentRow& argument) {
  const std::string name = fmt::format("{}{}", argument.name, argument.repeats ? "..." : "");
  return argument.required ? name : "[" + name + "]";
}

// "daruma restore DATASTORE --to DIR [--at POINT] ...".
std::string usage(const CommandRow& command) {
  std::string out = fmt::format("daruma {}", command.name);
  for (const ArgumentRow& argument : command.arguments) out += " " + shown(argument);
  for (const OptionRow& option : command.options) {
    if (option.hidden) continue;
    out += option.required ? " " + shown(option)
                           : fmt::format(" [{}]{}", shown(option), option.repeats ? "..." : "");
  }
  return out;
}

Lines option_lines(std::span<const OptionRow> options) {
  Lines lines;
  for (const OptionRow& option : options)
    if (!option.hidden) lines.emplace_back(shown(option), option.help);
  return lines;
}

Lines argument_lines(const CommandRow& command) {
  Lines lines;
  for (const ArgumentRow& argument : command.arguments) lines.emplace_back(argument.name, argument.help);
  return lines;
}

// `usage` in lines of at most 88 columns.
std::string wrapped_usage(const CommandRow& command) {
  std::string out;
  std::string line;
  std::string rest = usage(command) + " [";  // every break is before "[" or at the end
  for (size_t at; (at = rest.find(" [")) != std::string::npos;) {
    std::string piece = rest.substr(0, at);
    rest.erase(0, at + 1);
    if (!line.empty() && line.size() + piece.size() + 1 > 88) {
      out += line + "\n";
      line = "           " + piece;
    } else {
      line += (line.empty() ? "" : " ") + piece;
    }
  }
  return out + line;
}

std::string indented(std::string_view text) {
  std::string out = "  ";
  for (const char c : text) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out + "\n";
}

// What is to be said of one command alone, without what all have in common.
std::string own_help(const CommandRow& command, const Output& output) {
  std::string out =
      fmt::format("daruma {}: {}\n\nusage: {}\n", command.name, command.summary, wrapped_usage(command));
  if (!command.details.empty()) out += fmt::format("\n{}\n", command.details);
  const auto section = [&](std::string_view title, const std::string& text) {
    if (!text.empty()) out += "\n" + paint(output, Colour::kBold, title) + "\n" + text;
  };
  std::string examples;
  for (const std::string_view example : command.examples) examples += fmt::format("  {}\n", example);
  section("Arguments", two_columns(argument_lines(command)));
  section("Options", two_columns(option_lines(command.options)));
  section("Examples", examples);
  if (!command.exits.empty()) section("Exit codes", indented(command.exits));
  return out;
}

}  // namespace

std::string overview(const Output& output) {
  std::string out = fmt::format("{}\n\nusage: daruma COMMAND [OPTIONS]\n", kSentence);
  size_t width = 0;
  for (const CommandRow& row : all_commands())
    if (row.group != Group::kHidden) width = std::max(width, row.name.size());
  for (const GroupTitle& group : kGroups) {
    out += "\n" + paint(output, Colour::kBold, group.title) + "\n";
    for (const CommandRow& row : all_commands())
      if (row.group == group.group) out += fmt::format("  {:<{}}  {}\n", row.name, width, row.summary);
  }
  out += "\n" + paint(output, Colour::kBold, "Options of every command") + "\n";
  out += two_columns(option_lines(common_options()));
  return out + "\nWhen it burns: daruma look\n";
}

std::string command_help(const CommandRow& command, const Output& output) {
  std::string out = own_help(command, output);
  out += "\n" + paint(output, Colour::kBold, "Options of every command") + "\n";
  out += two_columns(option_lines(common_options()));
  if (command.exits.empty())
    out += "\n" + paint(output, Colour::kBold, "Exit codes") + "\n" + indented(kExits);
  return out;
}

std::string commands_markdown() {
  const StringOutput plain;
  std::string out = fmt::format(
      "# Commands\n\n"
      "Made by `daruma help --markdown` from the table in `src/cli/commands.cc`; a test keeps them equal.\n\n"
      "```\n{}```\n\nExit codes:\n{}.\n",
      overview(plain), kExits);
  for (const CommandRow& row : all_commands())
    if (row.group != Group::kHidden)
      out += fmt::format("\n## daruma {}\n\n```\n{}```\n", row.name, own_help(row, plain));
  return out;
}

int run_help(App& app, const Invocation& invocation) {
  if (invocation.has("--markdown")) return app.out.write(commands_markdown()), kDone;
  if (invocation.has("--schema")) return app.out.write(settings_schema()), kDone;
  if (invocation.arguments.empty()) return app.out.write(overview(app.out)), kDone;
  const std::string& topic = invocation.arguments[0];
  if (topic == "settings") return app.out.write(settings_markdown()), kDone;
  if (topic == "plans") return app.out.write(run::plan_reference()), kDone;
  if (topic == "steps") return app.out.write(run::steps_reference()), kDone;
  if (const CommandRow* command = find_command(topic))
    return app.out.write(command_help(*command, app.out)), kDone;
  std::vector<std::string> topics{"settings", "plans", "steps"};
  for (const CommandRow& row : all_commands())
    if (row.group != Group::kHidden) topics.emplace_back(row.name);
  return report_error(app,
                      {Errc::kInvalid, fmt::format("no help on '{}'{}", topic, suggestion(topic, topics))});
}

int run_version(App& app, const Invocation&) {
  if (app.json)
    app.out.write(Json::object().set("version", DARUMA_VERSION).compact() + "\n");
  else
    app.out.write("daruma " DARUMA_VERSION "\n");
  return kDone;
}

}  // namespace daruma
