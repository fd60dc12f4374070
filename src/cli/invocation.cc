#include "cli/invocation.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/closest.h"
#include "cli/commands.h"

namespace daruma {
namespace {

using Form = OptionRow::Form;

// Takes the words of one line, first to last. The command may come after options of its own, so what belongs
// together is known only at the end: options are gathered first and checked against the command's row then.
class LineParser {
 public:
  explicit LineParser(const std::vector<std::string>& words)
      : words_(words), options_end_(std::ranges::find(words, "--")) {}

  ParsedLine parse() {
    ParsedLine out;
    find_command_word();
    out.json = is_given("--json");
    out.command = command_;
    out.invocation = invocation();
    return out;
  }

 private:
  bool is_given(std::string_view option) const {
    return std::find(words_.begin(), options_end_, option) != options_end_;
  }

  // The first word that is neither an option nor the value of one. Also found when the line is wrong.
  void find_command_word() {
    for (size_t at = 0; at < words_.size(); ++at) {
      const std::string& word = words_[at];
      if (!word.starts_with("-")) {
        command_at_ = at;
        command_ = find_command(word);
        return;
      }
      const OptionRow* option = find_anywhere(word);
      if (option && option->form != Form::kFlag) ++at;
    }
  }

  Result<Invocation> invocation() {
    if (is_given("--version")) return Invocation{find_command("version"), {}, {}};
    if (is_given("--help") || is_given("-h")) {
      Invocation help{find_command("help"), {}, {}};
      if (command_) help.arguments.emplace_back(command_->name);
      return help;
    }
    if (command_at_ == words_.size()) return usage_error("no command is named");
    if (!command_) return unknown_command();
    out_.command = command_;
    for (size_t at = 0; at < words_.size(); ++at)
      if (at != command_at_) DR_OK(take(at));
    DR_OK(check_arguments());
    DR_OK(check_required_options());
    return std::move(out_);
  }

  Error unknown_command() const {
    const std::string& word = words_[command_at_];
    std::vector<std::string> names;
    for (const CommandRow& row : all_commands())
      if (row.group != Group::kHidden) names.emplace_back(row.name);
    const auto near = closest(word, names);
    return usage_error(
        fmt::format("unknown command '{}'{}", word, near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }

  // One word, and the value that belongs to it: moves `at` to the last word taken.
  Status take(size_t& at) {
    const std::string& word = words_[at];
    if (!only_arguments_ && word == "--") {
      only_arguments_ = true;
      return {};
    }
    if (only_arguments_ || !word.starts_with("-") || word == "-") {
      out_.arguments.push_back(word);
      return {};
    }
    const std::string name = name_part(word);
    const OptionRow* option = find_option(name, command_->options);
    if (!option) option = find_option(name, common_options());
    if (!option) return unknown_option(name);
    const bool has_value = name.size() < word.size();
    if (option->form == Form::kFlag) {
      if (has_value) return usage_error(fmt::format("{} takes no value", name));
      out_.options[name];
      return {};
    }
    if (!has_value && at + 1 == words_.size())
      return usage_error(fmt::format("{} needs a value: {} {}", name, name, option->value));
    return add(*option, has_value ? word.substr(name.size() + 1) : words_[++at]);
  }

  Status add(const OptionRow& option, const std::string& value) {
    std::vector<std::string>& values = out_.options[std::string(option.name)];
    if (!values.empty() && !option.repeats) return usage_error(fmt::format("{} is given twice", option.name));
    if (value.empty())
      return usage_error(fmt::format("{} needs a value: {} {}", option.name, option.name, option.value));
    DR_OK(check_value(option, value));
    values.push_back(value);
    return {};
  }

  Status check_value(const OptionRow& option, const std::string& value) const {
    if (option.form == Form::kNumber) {
      uint32_t number = 0;
      const char* end = value.data() + value.size();
      const auto [rest, failure] = std::from_chars(value.data(), end, number);
      if (failure != std::errc() || rest != end)
        return usage_error(fmt::format("{}: '{}' is not a number", option.name, value));
    }
    if (option.form == Form::kChoice) {
      const std::vector<std::string> choices = split_choices(option.value);
      if (std::ranges::find(choices, value) == choices.end())
        return usage_error(
            fmt::format("{}: unknown value '{}'{}", option.name, value, suggestion(value, choices)));
    }
    if (option.form == Form::kPair) {
      const size_t equals = value.find('=');
      if (equals == 0 || equals == std::string::npos || equals + 1 == value.size())
        return usage_error(fmt::format("{}: '{}' is not of the form {}", option.name, value, option.value));
    }
    return {};
  }

  Status check_arguments() const {
    const auto& rows = command_->arguments;
    const auto missing = std::ranges::count_if(rows, &ArgumentRow::required);
    if (std::cmp_less(out_.arguments.size(), missing))
      return usage_error(fmt::format("{} is missing: {}", rows[out_.arguments.size()].name,
                                     rows[out_.arguments.size()].help));
    const bool open_end = !rows.empty() && rows.back().repeats;
    if (!open_end && out_.arguments.size() > rows.size())
      return usage_error(fmt::format("'{}' is one argument too many", out_.arguments[rows.size()]));
    return {};
  }

  Status check_required_options() const {
    for (const OptionRow& option : command_->options)
      if (option.required && !out_.options.contains(option.name))
        return usage_error(fmt::format("{} {} is missing", option.name, option.value));
    return {};
  }

  Status unknown_option(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& rows : {command_->options, common_options()})
      for (const OptionRow& row : rows)
        if (!row.hidden) names.emplace_back(row.name);
    return usage_error(fmt::format("unknown option '{}'{}", name, suggestion(name, names)));
  }

  Error usage_error(const std::string& what) const {
    const std::string context = command_ ? fmt::format("{}: ", command_->name) : "";
    const std::string topic = command_ ? fmt::format("`daruma help {}` explains it", command_->name)
                                       : std::string("`daruma help` lists the commands");
    return {Errc::kInvalid, context + what, topic};
  }

  static std::string name_part(const std::string& word) {
    return word.starts_with("--") ? word.substr(0, word.find('=')) : word;
  }
  static const OptionRow* find_option(std::string_view name, std::span<const OptionRow> rows) {
    const auto row = std::ranges::find(rows, name, &OptionRow::name);
    return row == rows.end() ? nullptr : &*row;
  }
  // Of whatever command: before the command is known, only this tells which word is an option's value.
  static const OptionRow* find_anywhere(std::string_view name) {
    if (const OptionRow* common = find_option(name, common_options())) return common;
    for (const CommandRow& row : all_commands())
      if (const OptionRow* own = find_option(name, row.options)) return own;
    return nullptr;
  }
  static std::vector<std::string> split_choices(std::string_view choices) {
    std::vector<std::string> out;
    while (!choices.empty()) {
      const size_t end = std::min(choices.find('|'), choices.size());
      out.emplace_back(choices.substr(0, end));
      choices.remove_prefix(std::min(end + 1, choices.size()));
    }
    return out;
  }

  const std::vector<std::string>& words_;
  const std::vector<std::string>::const_iterator options_end_;
  size_t command_at_ = words_.size();
  const CommandRow* command_ = nullptr;
  bool only_arguments_ = false;
  Invocation out_;
};

}  // namespace

bool Invocation::has(std::string_view option) const { return options.contains(option); }

std::vector<std::string> Invocation::values(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::vector<std::string>{} : found->second;
}

std::optional<std::string> Invocation::value(std::string_view option) const {
  const auto found = options.find(option);
  if (found == options.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::optional<Path> Invocation::path(std::string_view option) const {
  if (const auto text = value(option)) return Path(*text);
  return std::nullopt;
}

std::optional<uint32_t> Invocation::number(std::string_view option) const {
  const auto text = value(option);
  if (!text) return std::nullopt;
  uint32_t number = 0;
  const auto [rest, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
  DR_CHECK(failure == std::errc() && rest == text->data() + text->size());
  return number;
}

std::vector<std::pair<std::string, std::string>> Invocation::pairs(std::string_view option) const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& text : values(option)) {
    const size_t equals = text.find('=');
    DR_CHECK(equals != std::string::npos);
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

ParsedLine parse_line(const std::vector<std::string>& arguments) { return LineParser(arguments).parse(); }

}  // namespace daruma
