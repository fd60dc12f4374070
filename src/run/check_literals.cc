// What can be seen to be wrong with an input that is written out: an address that is none, a negative number,
// a program that is not named.

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/check_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr std::string_view kAlternatives[] = {"service", "services", "url", "address", "file"};
constexpr std::string_view kAtLeastOne[] = {"lines", "count", "requests", "at_once", "rows", "fewest"};
constexpr std::string_view kLookingMethods[] = {"GET", "HEAD"};
constexpr std::string_view kSendingMethods[] = {"POST", "PUT", "PATCH", "DELETE"};
constexpr std::string_view kDestroyers[] = {"rm",     "rmdir",    "dd",    "mkfs",
                                            "dropdb", "truncate", "shred", "wipefs"};
constexpr std::string_view kShells[] = {"sh", "bash", "dash", "zsh", "ksh"};
constexpr std::string_view kWrappers[] = {"sudo", "env", "nice", "nohup", "timeout"};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

bool is_port(std::string_view text) {
  int port = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failure == std::errc() && rest == text.data() + text.size() && port > 0 && port < 65536;
}

std::string url_problem(const std::string& url) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (url.starts_with(scheme) && url.size() > scheme.size() && url[scheme.size()] != '/') return "";
  return fmt::format("'{}' is no address to ask; write it as in http://127.0.0.1:8001/health", url);
}

std::string address_problem(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && colon > 0 && is_port(std::string_view(address).substr(colon + 1)))
    return "";
  return fmt::format("'{}' is not HOST:PORT, as in 127.0.0.1:8001", address);
}

std::string number_problem(const InputRow& row, int64_t number) {
  const int64_t least = is_one_of(row.name, kAtLeastOne) ? 1 : 0;
  return number >= least ? "" : fmt::format("{} is too few; at least {}", number, least);
}

std::string method_problem(const StepType& type, const std::string& method) {
  std::span<const std::string_view> allowed = kLookingMethods;
  if (type.name == "http.request") allowed = kSendingMethods;
  if (!type.name.starts_with("http.") || is_one_of(method, allowed)) return "";
  return fmt::format("'{}' is not for {}; one of {}", method, type.name, fmt::join(allowed, ", "));
}

std::string command_problem(const Value& command) {
  const Value::List words = command.list() ? *command.list() : Value::List{command};
  if (words.empty() || words[0] == Value("")) return "it names no program";
  for (const Value& word : words)
    if (word.map() || word.list())
      return fmt::format(
          "{} is not a word; everybody on the host sees a command's words, so a secret goes "
          "into 'environment'",
          to_json(word));
  return "";
}

std::string datastore_problem(const StepType& type, const std::string& name, const Config& config) {
  const auto found = std::ranges::find(config.datastores, name, &DatastoreConfig::name);
  if (found == config.datastores.end()) return "";
  const bool postgres = found->kind == DatastoreKind::kPostgres;
  if (postgres ? !type.name.starts_with("redis.") : !type.name.starts_with("postgres.")) return "";
  return fmt::format("datastore '{}' is a {}, and {} is for the other kind", name,
                     postgres ? "PostgreSQL" : "Redis", type.name);
}

std::string program_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "mkfs.ext4" is an mkfs.
bool destroys(const std::string& path) {
  const std::string program = program_of(path);
  return is_one_of(program.substr(0, program.find('.')), kDestroyers);
}

// In a line for a shell: any word that stands where a program may.
std::optional<std::string> destroyer_in(const std::string& line) {
  constexpr std::string_view kBetween = " \t\n;|&()";
  std::string word;
  bool first = true;
  for (const char c : line + ";") {
    if (kBetween.find(c) == std::string_view::npos) {
      word += c;
      continue;
    }
    if (!word.empty() && first && destroys(word)) return program_of(word);
    if (!word.empty()) first = is_one_of(program_of(word), kWrappers) || word == "then" || word == "do";
    if (c != ' ' && c != '\t') first = true;
    word.clear();
  }
  return std::nullopt;
}

}  // namespace

std::string literal_problem(const StepType& type, const InputRow& row, const Value& value,
                            const Config* config) {
  if (row.name == "command" && type.name.starts_with("exec")) return command_problem(value);
  if (value.integer()) return row.kind == Kind::kInteger ? number_problem(row, *value.integer()) : "";
  const std::string* text = value.text();
  if (!text || text->empty()) return "";
  if (row.name == "url" || row.name == "provider") return url_problem(*text);
  if (row.name == "address") return address_problem(*text);
  if (row.name == "method") return method_problem(type, *text);
  return row.kind == Kind::kDatastore && config ? datastore_problem(type, *text, *config) : "";
}

std::string missing_alternative(const StepType& type, const Value::Map& with) {
  std::vector<std::string> names;
  for (const InputRow& row : type.inputs)
    if (!row.required && row.standard.empty() && is_one_of(row.name, kAlternatives))
      names.push_back(fmt::format("'{}'", row.name));
  if (names.size() < 2 || type.name == "wait_until") return "";
  for (const auto& [name, value] : with)
    if (is_one_of(name, kAlternatives)) return "";
  return fmt::format("{} wants {}", type.name, fmt::join(names, " or "));
}

std::optional<std::string> destroyer_of(const Action& action) {
  const auto command = action.with.find("command");
  if (command == action.with.end()) return std::nullopt;
  const Value::List* list = command->second.list();
  std::vector<std::string> words;
  for (const Value& word : list ? *list : Value::List{command->second})
    if (word.text()) words.push_back(*word.text());
  size_t at = 0;
  while (at < words.size() && (is_one_of(program_of(words[at]), kWrappers) || words[at].starts_with('-') ||
                               words[at].find('=') != std::string::npos))
    ++at;
  if (at == words.size()) return std::nullopt;
  if (destroys(words[at])) return program_of(words[at]);
  if (!is_one_of(program_of(words[at]), kShells)) return std::nullopt;
  for (size_t i = at + 1; i + 1 < words.size(); ++i)
    if (words[i].starts_with('-') && words[i].ends_with('c')) return destroyer_in(words[i + 1]);
  return std::nullopt;
}

}  // namespace daruma::run
