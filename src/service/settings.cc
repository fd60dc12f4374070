#include "service/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/closest.h"
#include "base/size.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma::service {
namespace {

constexpr uint64_t kLargestFile = kMiB;
constexpr uint64_t kLargestSecret = 64 * kKiB;
constexpr std::string_view kFileSuffix = "_file";  // "token.secret_file" names the file of "token.secret"

std::string_view words_of(SettingKind kind) {
  static constexpr std::string_view kWords[] = {"TEXT", "NUMBER", "DURATION", "on|off", "SECRET", "PATH"};
  return kWords[static_cast<size_t>(kind)];
}

// "postgres.host" -> "LASTMINUTESTAY_POSTGRES_HOST"
std::string variable_of(const std::string& prefix, std::string_view name) {
  std::string variable = prefix + "_";
  for (const char c : name)
    variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
  return variable;
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> parse_switch(std::string_view text) {
  for (const std::string_view word : {"on", "true", "yes", "1"})
    if (text == word) return true;
  for (const std::string_view word : {"off", "false", "no", "0"})
    if (text == word) return false;
  return std::nullopt;
}

// What is wrong with a value of this kind; "" when nothing is.
std::string fault_of(SettingKind kind, const std::string& text) {
  switch (kind) {
    case SettingKind::kNumber:
      return parse_number(text) ? "" : fmt::format("'{}' is not a whole number", text);
    case SettingKind::kSwitch:
      return parse_switch(text) ? "" : fmt::format("'{}' is neither on nor off", text);
    case SettingKind::kDuration: {
      const auto parsed = parse_duration(text);
      return parsed.ok() ? "" : fmt::format("{}; {}", parsed.error().what, parsed.error().hint);
    }
    case SettingKind::kText:
    case SettingKind::kSecret:
    case SettingKind::kPath:
      return "";
  }
  return "";
}

// Gathers the values of one load, and everything that is wrong with them, so that one start tells all.
class Loader {
 public:
  struct Given {
    std::string text;
    std::string from;  // "a.yaml:3:7", "LASTMINUTESTAY_PORT", "--port"
  };

  Loader(const std::vector<Setting>& table, const std::string& prefix, FileSystem& fs)
      : table_(table), prefix_(prefix), fs_(fs) {
    for (const Setting& setting : table) {
      DR_CHECK(setting.fallback.empty() || fault_of(setting.kind, setting.fallback).empty());
      DR_CHECK(std::ranges::count(table, setting.name, &Setting::name) == 1);
      names_.push_back(setting.name);
      if (setting.kind == SettingKind::kSecret) names_.push_back(setting.name + std::string(kFileSuffix));
    }
  }

  void read_arguments(const std::vector<std::string>& arguments) {
    for (size_t at = 0; at < arguments.size(); ++at) {
      const std::string& argument = arguments[at];
      if (argument == "--") {
        rest_.insert(rest_.end(), arguments.begin() + static_cast<ptrdiff_t>(at) + 1, arguments.end());
        return;
      }
      if (argument.starts_with("--") && take_option(arguments, at)) continue;
      if (argument.starts_with('-') && argument != "-" && rest_.empty())
        wrong(argument, "unknown option" + suggestion(option_name(argument), option_names()));
      rest_.push_back(argument);
    }
  }

  // The file that --config names; nothing when it names none.
  void read_config_file() {
    if (!config_) return;
    const Path path(*config_);
    const auto bytes = read_file(fs_, path, kLargestFile);
    if (!bytes.ok()) return wrong("--config", bytes.error().what);
    try {
      const YAML::Node root = YAML::Load(std::string(as_text(*bytes)));
      if (!root.IsNull()) read_mapping(root, "", path);
    } catch (const YAML::Exception& exception) {
      wrong(place(path, exception.mark), "not YAML: " + exception.msg);
    }
  }

  void read_environment() {
    for (const std::string& name : names_) {
      const std::string variable = variable_of(prefix_, name);
      const auto value = environment_variable(variable);
      if (value && !value->empty()) environment_[name] = {*value, variable};
    }
  }

  // The value that wins: the command line, then the environment, then the file, then the default.
  std::optional<std::string> value_of(const Setting& setting) {
    const std::optional<std::string> given =
        setting.kind == SettingKind::kSecret ? secret_of(setting.name) : plain_value_of(setting);
    if (given) return given;
    if (setting.required)
      wrong(setting.name,
            fmt::format("must be given: {}", setting.kind == SettingKind::kSecret
                                                 ? ways_to_give_secret(setting.name)
                                                 : "set " + variable_of(prefix_, setting.name)));
    return setting.fallback;
  }

  std::optional<Error> error() const {
    if (problems_.empty()) return std::nullopt;
    return Error{Errc::kInvalid, fmt::format("{}", fmt::join(problems_, "\n")),
                 "--help lists every setting with its default"};
  }
  std::vector<std::string> take_rest() { return std::move(rest_); }

 private:
  void wrong(const std::string& where, const std::string& what) { problems_.push_back(where + ": " + what); }

  static std::string place(const Path& path, const YAML::Mark& mark) {
    if (mark.is_null()) return path.native();
    return fmt::format("{}:{}:{}", path.native(), mark.line + 1, mark.column + 1);
  }

  const Setting* find(std::string_view name) const {
    const auto found = std::ranges::find(table_, name, &Setting::name);
    return found == table_.end() ? nullptr : &*found;
  }
  bool known(std::string_view name) const { return std::ranges::find(names_, name) != names_.end(); }
  bool begins_a_name(const std::string& group) const {
    return std::ranges::any_of(names_,
                               [&](const std::string& name) { return name.starts_with(group + "."); });
  }

  std::string ways_to_give_secret(const std::string& name) const {
    const std::string variable = variable_of(prefix_, name);
    return fmt::format("set {}, or name a file that holds it with {}_FILE or --{}{}", variable, variable,
                       name, kFileSuffix);
  }

  // "--drain-time=5s" -> "drain_time"
  static std::string option_name(std::string_view argument) {
    argument.remove_prefix(std::min(argument.find_first_not_of('-'), argument.size()));
    std::string name(argument.substr(0, argument.find('=')));
    std::ranges::replace(name, '-', '_');
    return name;
  }
  std::vector<std::string> option_names() const {
    std::vector<std::string> names{"config"};
    for (const std::string& name : names_)
      if (const Setting* setting = find(name); !setting || setting->kind != SettingKind::kSecret)
        names.push_back(name);
    return names;
  }

  // False: it is not one of ours.
  bool take_option(const std::vector<std::string>& arguments, size_t& at) {
    const std::string& argument = arguments[at];
    const std::string name = option_name(argument);
    if (name != "config" && !known(name)) return false;
    const Setting* setting = find(name);
    std::optional<std::string> value;
    if (const size_t equals = argument.find('='); equals != std::string::npos)
      value = argument.substr(equals + 1);
    const bool is_switch = setting && setting->kind == SettingKind::kSwitch;
    const bool more = at + 1 < arguments.size();
    if (!value && is_switch && !(more && parse_switch(arguments[at + 1]))) value = "on";
    if (!value && more) value = arguments[++at];
    const std::string shown = "--" + name;
    if (!value) {
      wrong(shown, "a value is missing");
    } else if (setting && setting->kind == SettingKind::kSecret) {
      wrong(shown,
            "a secret does not belong on the command line, where every user of this host can read it; " +
                ways_to_give_secret(name));
    } else if (name == "config") {
      config_ = *value;
    } else {
      options_[name] = {*value, shown};
    }
    return true;
  }

  void read_mapping(const YAML::Node& node, const std::string& group, const Path& file) {
    if (!node.IsMap())
      return wrong(place(file, node.Mark()),
                   (group.empty() ? "the file" : group) + std::string(": want settings, as NAME: VALUE"));
    for (const auto& entry : node) {
      const std::string where = place(file, entry.first.Mark());
      if (!entry.first.IsScalar()) {
        wrong(where, "a key must be text");
        continue;
      }
      const std::string name = group.empty() ? entry.first.Scalar() : group + "." + entry.first.Scalar();
      if (known(name))
        read_entry(name, entry.second, where, file);
      else if (begins_a_name(name))
        read_mapping(entry.second, name, file);
      else
        wrong(where, fmt::format("unknown setting '{}'{}", name, suggestion(name, names_)));
    }
  }

  void read_entry(const std::string& name, const YAML::Node& node, const std::string& where,
                  const Path& file) {
    const Setting* setting = find(name);
    const std::string value_place = place(file, node.Mark());
    if (setting && setting->kind == SettingKind::kSecret)
      return wrong(where, fmt::format("'{}' is a secret and does not belong in this file; {}", name,
                                      ways_to_give_secret(name)));
    if (!node.IsScalar()) return wrong(value_place, fmt::format("{}: want one value", name));
    const bool is_path = !setting || setting->kind == SettingKind::kPath;
    std::string text = node.Scalar();
    if (is_path && !text.empty()) text = (file.parent_path() / text).lexically_normal().native();
    if (!file_.emplace(name, Given{text, value_place}).second)
      wrong(where, fmt::format("'{}' is there twice, first at {}", name, file_[name].from));
  }

  std::optional<std::string> plain_value_of(const Setting& setting) {
    for (const auto* source : {&options_, &environment_, &file_}) {
      const auto found = source->find(setting.name);
      if (found == source->end()) continue;
      const std::string fault = fault_of(setting.kind, found->second.text);
      if (fault.empty()) return found->second.text;
      wrong(found->second.from, found->second.from.starts_with("--") ? fault : setting.name + ": " + fault);
      return setting.fallback;
    }
    return std::nullopt;
  }

  std::optional<std::string> secret_of(const std::string& name) {
    const std::string file_name = name + std::string(kFileSuffix);
    const auto value = environment_.find(name);
    if (value != environment_.end() && (environment_.contains(file_name) || options_.contains(file_name))) {
      wrong(value->second.from, "is set, and so is the file that holds the secret; unset one of them");
      return "";
    }
    for (const auto* source : {&options_, &environment_, &file_}) {
      if (source == &file_ && value != environment_.end()) break;
      if (const auto found = source->find(file_name); found != source->end())
        return read_secret_file(found->second);
    }
    if (value != environment_.end()) return value->second.text;
    return std::nullopt;
  }

  std::string read_secret_file(const Given& given) {
    const auto bytes = read_file(fs_, given.text, kLargestSecret);
    if (!bytes.ok()) {
      wrong(given.from, bytes.error().what);
      return "";
    }
    std::string secret(as_text(*bytes));
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    if (secret.empty()) wrong(given.from, fmt::format("the file '{}' is empty", given.text));
    return secret;
  }

  const std::vector<Setting>& table_;
  const std::string& prefix_;
  FileSystem& fs_;
  std::vector<std::string> names_;
  std::optional<std::string> config_;
  std::map<std::string, Given> options_, environment_, file_;
  std::vector<std::string> rest_;
  std::vector<std::string> problems_;
};

}  // namespace

Result<Settings> Settings::load(const std::vector<Setting>& table, const std::string& prefix,
                                const std::vector<std::string>& arguments, FileSystem& fs) {
  Loader loader(table, prefix, fs);
  loader.read_arguments(arguments);
  loader.read_config_file();
  loader.read_environment();
  Settings settings;
  for (const Setting& setting : table)
    settings.values_[setting.name] = {setting.kind, loader.value_of(setting).value_or("")};
  if (const auto error = loader.error()) return *error;
  settings.rest_ = loader.take_rest();
  return settings;
}

const std::string& Settings::value(std::string_view name, SettingKind kind) const {
  const auto found = values_.find(name);
  DR_CHECK(found != values_.end() && found->second.kind == kind);
  return found->second.text;
}

const std::string& Settings::text(std::string_view name) const { return value(name, SettingKind::kText); }
int64_t Settings::number(std::string_view name) const {
  return parse_number(value(name, SettingKind::kNumber)).value_or(0);
}
Duration Settings::duration(std::string_view name) const {
  const auto parsed = parse_duration(value(name, SettingKind::kDuration));
  return parsed.ok() ? *parsed : Duration{0};
}
bool Settings::on(std::string_view name) const {
  return parse_switch(value(name, SettingKind::kSwitch)).value_or(false);
}
Path Settings::path(std::string_view name) const { return value(name, SettingKind::kPath); }
const std::string& Settings::secret(std::string_view name) const { return value(name, SettingKind::kSecret); }

std::string help_of(const std::vector<Setting>& table, const std::string& prefix) {
  std::vector<std::pair<std::string, std::string>> rows{{"--config FILE", "settings as YAML"}};
  for (const Setting& setting : table) {
    std::string left = fmt::format("--{} {}", setting.name, words_of(setting.kind));
    std::string right = setting.help;
    if (setting.kind == SettingKind::kSecret) {
      left = fmt::format("--{}{} PATH", setting.name, kFileSuffix);
      right += fmt::format(" (a secret: its file; or set {})", variable_of(prefix, setting.name));
    }
    if (setting.required) right += " (required)";
    if (!setting.fallback.empty() && setting.kind != SettingKind::kSecret)
      right += fmt::format(" (default: {})", setting.fallback);
    rows.emplace_back(std::move(left), std::move(right));
  }
  size_t width = 0;
  for (const auto& [left, right] : rows) width = std::max(width, left.size());
  std::string help = "Settings:\n";
  for (const auto& [left, right] : rows) help += fmt::format("  {:<{}}  {}\n", left, width, right);
  if (!table.empty())
    help += fmt::format(
        "Each may also be an environment variable: --{} is {}. The command line wins, then the\n"
        "environment, then the file.\n",
        table.front().name, variable_of(prefix, table.front().name));
  return help;
}

}  // namespace daruma::service
