// config/settings.h: the small kit of which tables of settings are made: of daruma.yaml, and of plans. A
// Type<V> says at once how a value is read and what it looks like to people and editors; a Field<T> is one
// row of a mapping's table.
//
// A value that is wrong is reported to the Reader and left as it was; reading goes on, so that one run tells
// all.
// Threads: tables are constant once made; a Reader belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "base/time.h"
#include "os/file_system.h"

namespace daruma::settings {

// What the values of a setting look like and, as a row of a mapping, its name and meaning.
struct Setting {
  enum class Kind : uint8_t { kText, kInteger, kBoolean, kList, kMapping, kExactlyOne, kNamed, kOpen, kAny };
  Kind kind = Kind::kText;
  std::string words = {};                 // for people: "a duration, as in 90s, 6h or 7d"
  std::vector<std::string> choices = {};  // kText: the only values allowed, if any
  int64_t least = 0, most = 0;            // kInteger
  std::vector<Setting> inner = {};        // mappings: the rows; kList, kNamed: one, the element

  std::string name = {};
  std::string help = {};
  bool required = false;
  std::string standard = {};  // the value taken when it is absent; empty: none
};

// One reading of one file: where we are in it, and what was wrong so far.
class Reader {
 public:
  struct Problem {
    int line = 0, column = 0;
    std::string what;
  };

  explicit Reader(Path folder) : folder_(std::move(folder)) {}
  // Relative paths stand on the file's folder.
  Path resolve(const std::string& path) const { return (folder_ / path).lexically_normal(); }

  void enter(std::string name) { place_.push_back(std::move(name)); }
  void leave() { place_.pop_back(); }
  // "datastores.bookings.capture"; "the file" at the top.
  std::string place() const;

  void problem(const YAML::Mark& at, std::string what);
  // "PLACE: what".
  void wrong(const YAML::Node& node, const std::string& what) { problem(node.Mark(), place() + ": " + what); }
  // In the file's order.
  std::vector<Problem> take_problems();

 private:
  Path folder_;
  std::vector<std::string> place_;
  std::vector<Problem> problems_;
};

template <class V>
struct Type {
  Setting setting;  // without name
  std::function<void(Reader&, const YAML::Node&, V&)> read;
};

template <class T>
struct Field {
  Setting setting;
  std::function<void(Reader&, const YAML::Node&, T&)> read;
};

// The entries of a mapping: each key once, text, and a row of the table unless the shape is open. Calls
// `found(index of the row, value)`.
void read_entries(Reader& reader, const YAML::Node& node, const Setting& shape,
                  const std::function<void(size_t, const YAML::Node&)>& found);
// Each key once and fit to be a name. Calls `found(name, value)`.
void read_names(Reader& reader, const YAML::Node& node,
                const std::function<void(const std::string&, const YAML::Node&)>& found);
// False, and a problem, unless the node is the mapping or list that `shape` asks for.
bool fits(Reader& reader, const YAML::Node& node, const Setting& shape);

// file:///DIR or s3://BUCKET/PREFIX
bool is_copy_url(std::string_view text);

Type<std::string> text(std::string words);
Type<std::string> name();      // of a datastore, copy, ...: lower-case letters, digits, '-', '_'
Type<std::string> slot();      // of PostgreSQL
Type<std::string> copy_url();  // file:///DIR or s3://BUCKET/PREFIX
Type<std::string> variable();  // the name of an environment variable
Type<Path> path();             // resolved
Type<bool> boolean();
Type<uint16_t> port();
Type<uint32_t> count();
Type<Duration> duration();
Type<uint64_t> bytes();  // "512MiB"
// A mapping from names of environment variables to their values.
Type<std::vector<std::pair<std::string, std::string>>> variables();
Type<std::string> word_of(std::vector<std::string> choices);

template <class E>
Type<E> choice(std::vector<std::pair<std::string, E>> values) {
  std::vector<std::string> words;
  for (const auto& [word, value] : values) words.push_back(word);
  Type<std::string> base = word_of(std::move(words));
  const auto read = [base, values](Reader& reader, const YAML::Node& node, E& out) {
    std::string word;
    base.read(reader, node, word);
    for (const auto& [known, value] : values)
      if (known == word) out = value;
  };
  return {base.setting, read};
}

struct Presence {
  bool required = false;
  std::string standard = {};
};
inline Presence required() { return {true}; }
inline Presence optional() { return {}; }
inline Presence standard(std::string value) { return {false, std::move(value)}; }

inline Setting row(Setting setting, std::string name, Presence presence, std::string help) {
  setting.name = std::move(name);
  setting.help = std::move(help);
  setting.required = presence.required;
  setting.standard = std::move(presence.standard);
  return setting;
}

template <class T, class V>
Field<T> field(std::string name, V T::*member, Type<V> type, Presence presence, std::string help) {
  const auto read = [member, read = type.read](Reader& reader, const YAML::Node& node, T& out) {
    read(reader, node, out.*member);
  };
  return {row(std::move(type.setting), std::move(name), std::move(presence), std::move(help)), read};
}
template <class T, class V>
Field<T> field(std::string name, std::optional<V> T::*member, Type<V> type, Presence presence,
               std::string help) {
  const auto read = [member, read = type.read](Reader& reader, const YAML::Node& node, T& out) {
    read(reader, node, (out.*member).emplace());
  };
  return {row(std::move(type.setting), std::move(name), std::move(presence), std::move(help)), read};
}

// A mapping with a table of its own. `check` looks at the whole, after its parts.
template <class T>
Type<T> mapping(std::vector<Field<T>> fields,
                std::function<void(Reader&, const YAML::Node&, const T&)> check = {},
                Setting::Kind kind = Setting::Kind::kMapping) {
  Setting shape{.kind = kind};
  for (const Field<T>& row : fields) shape.inner.push_back(row.setting);
  const auto read = [fields, check, shape](Reader& reader, const YAML::Node& node, T& out) {
    if (!fits(reader, node, shape)) return;
    std::vector<bool> seen(fields.size());
    read_entries(reader, node, shape, [&](size_t row, const YAML::Node& value) {
      seen[row] = true;
      fields[row].read(reader, value, out);
    });
    for (size_t row = 0; row < fields.size(); ++row) {
      const Setting& setting = fields[row].setting;
      if (seen[row]) continue;
      if (setting.required) reader.wrong(node, "'" + setting.name + "' is missing");
      if (!setting.standard.empty()) fields[row].read(reader, YAML::Node(setting.standard), out);
    }
    if (check) check(reader, node, out);
  };
  return {shape, read};
}

// A mapping that may hold more than its table says.
template <class T>
Type<T> open_mapping(std::vector<Field<T>> fields) {
  return mapping<T>(std::move(fields), {}, Setting::Kind::kOpen);
}

// A mapping of which exactly one setting is written.
template <class T>
Type<T> exactly_one(std::vector<Field<T>> fields) {
  return mapping<T>(std::move(fields), {}, Setting::Kind::kExactlyOne);
}

template <class V>
Type<std::vector<V>> list(Type<V> element) {
  Setting shape{.kind = Setting::Kind::kList};
  shape.inner.push_back(element.setting);
  const auto read = [element, shape](Reader& reader, const YAML::Node& node, std::vector<V>& out) {
    if (!fits(reader, node, shape)) return;
    for (const YAML::Node& item : node) {
      reader.enter("[" + std::to_string(out.size()) + "]");
      element.read(reader, item, out.emplace_back());
      reader.leave();
    }
  };
  return {shape, read};
}

// A mapping from names of the user's choice to `element`, whose `name` becomes the key.
template <class V>
Type<std::vector<V>> named(Type<V> element) {
  Setting shape{.kind = Setting::Kind::kNamed};
  shape.inner.push_back(element.setting);
  const auto read = [element, shape](Reader& reader, const YAML::Node& node, std::vector<V>& out) {
    if (!fits(reader, node, shape)) return;
    read_names(reader, node, [&](const std::string& key, const YAML::Node& value) {
      out.emplace_back().name = key;
      element.read(reader, value, out.back());
    });
  };
  return {shape, read};
}

}  // namespace daruma::settings
