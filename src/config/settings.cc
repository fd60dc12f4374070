#include "config/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/closest.h"
#include "base/size.h"

namespace daruma::settings {
namespace {

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "text";
  return "nothing";
}

std::vector<std::string> names_of(const std::vector<Setting>& rows) {
  std::vector<std::string> names;
  for (const Setting& row : rows) names.push_back(row.name);
  return names;
}

// The scalar's text; nullptr, and a problem, when it is none.
const std::string* scalar(Reader& reader, const YAML::Node& node, const std::string& wanted) {
  if (node.IsScalar()) return &node.Scalar();
  reader.wrong(node, fmt::format("want {}, not {}", wanted, kind_of(node)));
  return nullptr;
}

// The entries whose key is text and stands there for the first time.
void read_keys(Reader& reader, const YAML::Node& node,
               const std::function<void(const YAML::Node& key, const YAML::Node& value)>& found) {
  std::map<std::string, int> lines;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      reader.wrong(entry.first, fmt::format("a key must be text, not {}", kind_of(entry.first)));
      continue;
    }
    const std::string& key = entry.first.Scalar();
    const int line = entry.first.Mark().line + 1;
    if (const auto [first, added] = lines.emplace(key, line); !added)
      reader.wrong(entry.first, fmt::format("'{}' is there twice, first in line {}", key, first->second));
    else
      found(entry.first, entry.second);
  }
}

bool is_one_of(char c, std::string_view more) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_one_of(text[0], "") &&
         std::ranges::all_of(text, [](char c) { return is_one_of(c, "-_"); });
}
bool is_slot(std::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         std::ranges::all_of(text, [](char c) { return is_one_of(c, "_"); });
}
bool is_variable(std::string_view text) {
  const auto letter = [](char c) { return is_one_of(c, "_") || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') && std::ranges::all_of(text, letter);
}

// Text that passes `test`. `words` is what it is, `advice` how to write it.
Type<std::string> tested(std::string words, bool (*test)(std::string_view), std::string advice) {
  const auto read = [words, test, advice](Reader& reader, const YAML::Node& node, std::string& out) {
    const std::string* value = scalar(reader, node, words);
    if (!value) return;
    if (!test(*value)) return reader.wrong(node, fmt::format("'{}' is not {}; {}", *value, words, advice));
    out = *value;
  };
  return {{.words = words}, read};
}

template <class Integer>
Type<Integer> integer(std::string words, int64_t least, int64_t most) {
  const auto read = [words, least, most](Reader& reader, const YAML::Node& node, Integer& out) {
    const std::string* value = scalar(reader, node, words);
    if (!value) return;
    int64_t number = 0;
    const char* end = value->data() + value->size();
    const auto [rest, failure] = std::from_chars(value->data(), end, number);
    if (failure != std::errc() || rest != end || number < least || number > most)
      return reader.wrong(
          node, fmt::format("'{}' is not {}; write a number from {} to {}", *value, words, least, most));
    out = static_cast<Integer>(number);
  };
  return {{.kind = Setting::Kind::kInteger, .words = words, .least = least, .most = most}, read};
}

}  // namespace

std::string Reader::place() const {
  std::string out;
  for (const std::string& step : place_) {
    if (!out.empty() && step[0] != '[') out += '.';
    out += step;
  }
  return out.empty() ? "the file" : out;
}

void Reader::problem(const YAML::Mark& at, std::string what) {
  problems_.push_back({std::max(1, at.line + 1), std::max(1, at.column + 1), std::move(what)});
}

std::vector<Reader::Problem> Reader::take_problems() {
  std::ranges::stable_sort(problems_, [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(problems_);
}

bool is_copy_url(std::string_view text) {
  return (text.starts_with("file:///") && text.size() > 8) || (text.starts_with("s3://") && text.size() > 5);
}

bool fits(Reader& reader, const YAML::Node& node, const Setting& shape) {
  if (shape.kind == Setting::Kind::kList) {
    if (node.IsSequence()) return true;
    reader.wrong(node, "want a list, not " + kind_of(node));
    return false;
  }
  const bool one = shape.kind == Setting::Kind::kExactlyOne;
  const std::string names = fmt::format("{}", fmt::join(names_of(shape.inner), ", "));
  if (!node.IsMap()) {
    const std::string wanted = one ? "a mapping with exactly one of: " + names + ";" : "a mapping,";
    reader.wrong(node, fmt::format("want {} not {}", wanted, kind_of(node)));
    return false;
  }
  if (one && node.size() != 1) reader.wrong(node, "write exactly one of: " + names);
  return true;
}

void read_entries(Reader& reader, const YAML::Node& node, const Setting& shape,
                  const std::function<void(size_t, const YAML::Node&)>& found) {
  read_keys(reader, node, [&](const YAML::Node& key, const YAML::Node& value) {
    const auto row = std::ranges::find(shape.inner, key.Scalar(), &Setting::name);
    if (row == shape.inner.end()) {
      if (shape.kind == Setting::Kind::kOpen) return;
      return reader.problem(key.Mark(),
                            fmt::format("unknown setting '{}' in {}{}", key.Scalar(), reader.place(),
                                        suggestion(key.Scalar(), names_of(shape.inner))));
    }
    reader.enter(row->name);
    found(static_cast<size_t>(row - shape.inner.begin()), value);
    reader.leave();
  });
}

void read_names(Reader& reader, const YAML::Node& node,
                const std::function<void(const std::string&, const YAML::Node&)>& found) {
  const Type<std::string> rule = name();
  read_keys(reader, node, [&](const YAML::Node& key, const YAML::Node& value) {
    std::string checked;
    rule.read(reader, key, checked);
    if (checked.empty()) return;
    reader.enter(checked);
    found(checked, value);
    reader.leave();
  });
}

Type<std::string> text(std::string words) {
  const auto not_empty = [](std::string_view value) { return !value.empty(); };
  return tested(std::move(words), not_empty, "it is empty");
}
Type<std::string> name() {
  return tested("a name", is_name,
                "use 1 to 63 lower-case letters, digits, '-' and '_', a letter or digit first");
}
Type<std::string> slot() {
  return tested("the name of a slot", is_slot, "PostgreSQL takes 1 to 63 lower-case letters, digits and '_'");
}
Type<std::string> copy_url() {
  return tested("the URL of a copy", is_copy_url, "write file:///DIRECTORY or s3://BUCKET/PREFIX");
}
Type<std::string> variable() {
  return tested("the name of an environment variable", is_variable, "use letters, digits and '_'");
}

Type<Path> path() {
  const Type<std::string> base = text("a path");
  const auto read = [base](Reader& reader, const YAML::Node& node, Path& out) {
    std::string value;
    base.read(reader, node, value);
    if (!value.empty()) out = reader.resolve(value);
  };
  return {base.setting, read};
}

Type<bool> boolean() {
  const auto read = [](Reader& reader, const YAML::Node& node, bool& out) {
    const std::string* value = scalar(reader, node, "true or false");
    if (!value) return;
    if (*value != "true" && *value != "false")
      return reader.wrong(node, fmt::format("'{}' is neither true nor false", *value));
    out = *value == "true";
  };
  return {{.kind = Setting::Kind::kBoolean, .words = "true or false"}, read};
}

Type<uint16_t> port() { return integer<uint16_t>("a port", 1, 65535); }
Type<uint32_t> count() { return integer<uint32_t>("a count", 0, 100000); }

Type<Duration> duration() {
  const auto read = [](Reader& reader, const YAML::Node& node, Duration& out) {
    const std::string* value = scalar(reader, node, "a duration");
    if (!value) return;
    const Result<Duration> parsed = parse_duration(*value);
    if (!parsed.ok()) return reader.wrong(node, parsed.error().what + "; " + parsed.error().hint);
    out = *parsed;
  };
  return {{.words = "a duration, as in 90s, 6h or 7d"}, read};
}

Type<uint64_t> bytes() {
  const auto read = [](Reader& reader, const YAML::Node& node, uint64_t& out) {
    const std::string* value = scalar(reader, node, "a size");
    if (!value) return;
    const Result<uint64_t> parsed = parse_bytes(*value);
    if (!parsed.ok()) return reader.wrong(node, parsed.error().what + "; " + parsed.error().hint);
    out = *parsed;
  };
  return {{.words = "a size, as in 512MiB or 2GiB"}, read};
}

Type<std::vector<std::pair<std::string, std::string>>> variables() {
  Setting shape{.kind = Setting::Kind::kNamed};
  shape.inner.push_back({.words = "its value"});
  const auto read = [shape](Reader& reader, const YAML::Node& node,
                            std::vector<std::pair<std::string, std::string>>& out) {
    if (!fits(reader, node, shape)) return;
    read_keys(reader, node, [&](const YAML::Node& key, const YAML::Node& value) {
      if (!is_variable(key.Scalar()))
        return reader.wrong(key, fmt::format("'{}' is not the name of a variable", key.Scalar()));
      if (const std::string* text = scalar(reader, value, "text")) out.emplace_back(key.Scalar(), *text);
    });
  };
  return {shape, read};
}

Type<std::string> word_of(std::vector<std::string> choices) {
  std::string words = fmt::format("one of: {}", fmt::join(choices, ", "));
  const auto read = [choices, words](Reader& reader, const YAML::Node& node, std::string& out) {
    const std::string* value = scalar(reader, node, words);
    if (!value) return;
    if (std::ranges::find(choices, *value) == choices.end()) {
      const auto near = closest(*value, choices);
      return reader.wrong(node, fmt::format("'{}' is not {}{}", *value, words,
                                            near ? fmt::format("; did you mean '{}'?", *near) : ""));
    }
    out = *value;
  };
  return {{.words = words, .choices = choices}, read};
}

}  // namespace daruma::settings
