#include "run/expression.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.h"
#include "base/time.h"

namespace daruma::run {
namespace {

constexpr size_t kLongestCondition = 4096;
constexpr int kDeepest = 32;
constexpr int kDeepestValue = 64;

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c) || c == '-'; }

// The length of the name that `text` begins with: words joined by dots; 0: it begins with none.
size_t name_length(std::string_view text) {
  if (text.empty() || !starts_name(text[0])) return 0;
  size_t at = 1;
  while (at < text.size()) {
    const bool joint = text[at] == '.' && at + 1 < text.size() && continues_name(text[at + 1]);
    if (!joint && !continues_name(text[at])) break;
    ++at;
  }
  return at;
}

std::string kind_of(const Value& value) {
  if (value.is_null()) return "null";
  if (value.boolean()) return "true or false";
  if (value.text()) return "text";
  if (value.list()) return "a list";
  if (value.map()) return "a mapping";
  return "a number";
}

std::optional<double> number_of(const Value& value) {
  if (value.integer()) return static_cast<double>(*value.integer());
  if (value.floating()) return *value.floating();
  return std::nullopt;
}

bool equal(const Value& a, const Value& b) {
  const auto left = number_of(a), right = number_of(b);
  const bool whole = a.integer() && b.integer();
  return left && right && !whole ? *left == *right : a == b;
}

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Below, equal, above. Texts that are both durations or both times are compared as such: '90s' < '5m'.
Result<int> compare(const Value& a, const Value& b) {
  if (a.integer() && b.integer()) return order(*a.integer(), *b.integer());
  const auto left = number_of(a), right = number_of(b);
  if (left && right) return order(*left, *right);
  if (!a.text() || !b.text())
    return Error{Errc::kInvalid,
                 fmt::format("{} and {} cannot be compared with < or >", kind_of(a), kind_of(b))};
  const auto duration = parse_duration(*a.text()), other_duration = parse_duration(*b.text());
  if (duration.ok() && other_duration.ok()) return order(*duration, *other_duration);
  const auto time = parse_rfc3339(*a.text()), other_time = parse_rfc3339(*b.text());
  if (time.ok() && other_time.ok()) return order(*time, *other_time);
  return order(*a.text(), *b.text());
}

}  // namespace

struct Expression::Node {
  enum class Kind : uint8_t { kLiteral, kName, kNot, kAnd, kOr, kCompare };
  Kind kind = Kind::kLiteral;
  Value literal = {};
  std::string word = {};  // kName: the name; kCompare: the operator
  std::vector<Node> inner = {};
};

// Grammar: or := and {"or" and};  and := not {"and" not};  not := "not" not | comparison;
//          comparison := operand [operator operand];  operand := literal | name | "(" or ")"
class Expression::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> whole() {
    DR_TRY(Node node, either());
    skip_spaces();
    if (at_ < text_.size()) return wrong(fmt::format("'{}' is one thing too many", rest_word()));
    return node;
  }

 private:
  using Kind = Node::Kind;

  Result<Node> either() { return chain("or", Kind::kOr, &Parser::both); }
  Result<Node> both() { return chain("and", Kind::kAnd, &Parser::negation); }

  Result<Node> chain(std::string_view word, Kind kind, Result<Node> (Parser::*part)()) {
    DR_TRY(Node first, (this->*part)());
    if (!next_is_word(word)) return first;
    Node node{.kind = kind};
    node.inner.push_back(std::move(first));
    while (take_word(word)) {
      DR_TRY(Node next, (this->*part)());
      node.inner.push_back(std::move(next));
    }
    return node;
  }

  Result<Node> negation() {
    if (!take_word("not")) return comparison();
    if (++depth_ > kDeepest) return too_deep();
    DR_TRY(Node inner, negation());
    --depth_;
    Node node{.kind = Kind::kNot};
    node.inner.push_back(std::move(inner));
    return node;
  }

  Result<Node> comparison() {
    DR_TRY(Node left, operand());
    skip_spaces();
    for (const std::string_view sign : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!text_.substr(at_).starts_with(sign)) continue;
      at_ += sign.size();
      Node node{.kind = Kind::kCompare, .word = std::string(sign)};
      DR_TRY(Node right, operand());
      node.inner.push_back(std::move(left));
      node.inner.push_back(std::move(right));
      return node;
    }
    if (text_.substr(at_).starts_with('=')) return wrong("'=' does not compare; write '=='");
    return left;
  }

  Result<Node> operand() {
    skip_spaces();
    if (at_ == text_.size()) return wrong("it ends where a value is expected");
    const char c = text_[at_];
    if (c == '(') return parenthesis();
    if (c == '\'' || c == '"') return quoted(c);
    if (is_digit(c) || c == '-') return number();
    if (c == '$') return wrong("in a condition a name stands without '$'");
    const size_t length = name_length(text_.substr(at_));
    if (length == 0) return wrong(fmt::format("'{}' is not a value", rest_word()));
    const std::string name(text_.substr(at_, length));
    if (name == "and" || name == "or" || name == "not")
      return wrong(fmt::format("a value is expected before '{}'", name));
    at_ += length;
    if (name == "true" || name == "false") return Node{.literal = name == "true"};
    if (name == "null") return Node{};
    return Node{.kind = Kind::kName, .word = name};
  }

  Result<Node> parenthesis() {
    const size_t opened = at_++;
    if (++depth_ > kDeepest) return too_deep();
    DR_TRY(Node inner, either());
    --depth_;
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != ')') {
      if (at_ < text_.size()) return wrong(fmt::format("'{}' stands where ')' is expected", rest_word()));
      at_ = opened;
      return wrong("this '(' is never closed");
    }
    ++at_;
    return inner;
  }

  Result<Node> quoted(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return wrong("this quotation mark is never closed");
    Node node{.literal = text_.substr(at_ + 1, end - at_ - 1)};
    at_ = end + 1;
    return node;
  }

  Result<Node> number() {
    size_t end = at_ + 1;
    while (end < text_.size() && (continues_name(text_[end]) || text_[end] == '.')) ++end;
    const char* first = text_.data() + at_;
    const char* last = text_.data() + end;
    Node node;
    int64_t whole = 0;
    double fraction = 0;
    if (const auto [stop, failure] = std::from_chars(first, last, whole);
        failure == std::errc() && stop == last)
      node.literal = whole;
    else if (const auto [rest, bad] = std::from_chars(first, last, fraction, std::chars_format::fixed);
             bad == std::errc() && rest == last)
      node.literal = fraction;
    else
      return wrong(fmt::format("'{}' is not a number; a text stands in quotation marks",
                               text_.substr(at_, end - at_)));
    at_ = end;
    return node;
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool next_is_word(std::string_view word) {
    skip_spaces();
    return text_.substr(at_, name_length(text_.substr(at_))) == word;
  }
  bool take_word(std::string_view word) {
    if (!next_is_word(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view rest_word() const {
    const size_t length = name_length(text_.substr(at_));
    if (length > 0) return text_.substr(at_, length);
    size_t end = at_ + 1;  // a whole character, also where it is Japanese
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    return text_.substr(at_, end - at_);
  }
  Error wrong(const std::string& what) const {
    return {Errc::kInvalid, fmt::format("condition '{}', at character {}: {}", text_, at_ + 1, what)};
  }
  Error too_deep() const { return wrong(fmt::format("nested deeper than {}", kDeepest)); }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

// What a node is worth; nullopt: it depends on a name that stands for nothing.
class Expression::Evaluation {
 public:
  using Answer = Result<std::optional<Value>>;

  explicit Evaluation(const Lookup& lookup) : lookup_(lookup) {}
  // The first name that stood for nothing.
  const std::string& unknown() const { return unknown_; }

  Answer value(const Node& node) {
    switch (node.kind) {
      case Node::Kind::kLiteral:
        return std::optional(node.literal);
      case Node::Kind::kName: {
        std::optional<Value> found = lookup_(node.word);
        if (!found && unknown_.empty()) unknown_ = node.word;
        return found;
      }
      case Node::Kind::kCompare:
        return comparison(node);
      case Node::Kind::kNot: {
        DR_TRY(const std::optional<bool> inner, truth(node.inner[0]));
        return inner ? std::optional<Value>(!*inner) : std::nullopt;
      }
      case Node::Kind::kAnd:
        return chain(node, false);
      case Node::Kind::kOr:
        return chain(node, true);
    }
    return std::optional<Value>();
  }

  Result<std::optional<bool>> truth(const Node& node) {
    DR_TRY(const std::optional<Value> worth, value(node));
    if (!worth) return std::optional<bool>();
    if (worth->is_null()) return std::optional(false);
    if (worth->boolean()) return std::optional(*worth->boolean());
    const std::string thing = node.kind == Node::Kind::kName ? node.word : to_text(*worth);
    return Error{Errc::kInvalid, fmt::format("'{}' is {}, neither true nor false; compare it with something",
                                             thing, kind_of(*worth))};
  }

 private:
  // `decides` settles the whole: false of "and", true of "or".
  Answer chain(const Node& node, bool decides) {
    bool open = false;
    for (const Node& part : node.inner) {
      DR_TRY(const std::optional<bool> holds, truth(part));
      if (holds && *holds == decides) return std::optional<Value>(decides);
      open = open || !holds;
    }
    return open ? std::nullopt : std::optional<Value>(!decides);
  }

  Answer comparison(const Node& node) {
    DR_TRY(const std::optional<Value> left, value(node.inner[0]));
    DR_TRY(const std::optional<Value> right, value(node.inner[1]));
    if (!left || !right) return std::optional<Value>();
    if (node.word == "==") return std::optional<Value>(equal(*left, *right));
    if (node.word == "!=") return std::optional<Value>(!equal(*left, *right));
    if (left->is_null() || right->is_null()) return std::optional<Value>(false);
    DR_TRY(const int sign, compare(*left, *right));
    const bool holds = node.word == "<"    ? sign < 0
                       : node.word == "<=" ? sign <= 0
                       : node.word == ">"  ? sign > 0
                                           : sign >= 0;
    return std::optional<Value>(holds);
  }

  const Lookup& lookup_;
  std::string unknown_;
};

Result<Expression> Expression::parse(std::string_view text) {
  if (text.size() > kLongestCondition)
    return Error{Errc::kInvalid,
                 fmt::format("a condition of {} bytes is longer than {}", text.size(), kLongestCondition)};
  DR_TRY(Node root, Parser(text).whole());
  Expression expression;
  expression.text_ = std::string(text);
  expression.root_ = std::make_shared<const Node>(std::move(root));
  return expression;
}

Result<bool> Expression::holds(const Lookup& lookup) const {
  DR_CHECK(root_);
  Evaluation evaluation(lookup);
  auto answer = evaluation.truth(*root_);
  if (!answer.ok()) return Error(answer.error()).in(fmt::format("condition '{}'", text_));
  if (!*answer || !evaluation.unknown().empty())
    return Error{Errc::kInvalid,
                 fmt::format("condition '{}': nothing is named '{}'", text_, evaluation.unknown())};
  return **answer;
}

std::optional<bool> Expression::settled(const Lookup& known) const {
  DR_CHECK(root_);
  const auto answer = Evaluation(known).truth(*root_);
  return answer.ok() ? *answer : std::nullopt;
}

std::vector<std::string> Expression::names() const {
  DR_CHECK(root_);
  std::vector<std::string> names;
  std::vector<const Node*> open{root_.get()};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node->kind == Node::Kind::kName && std::ranges::find(names, node->word) == names.end())
      names.push_back(node->word);
    for (auto inner = node->inner.rbegin(); inner != node->inner.rend(); ++inner) open.push_back(&*inner);
  }
  return names;
}

namespace {

// One piece of a text: either words as they are, or a name.
struct Piece {
  std::string words = {};
  std::string name = {};
  bool alone = false;  // the whole text is this name, written "$NAME"
};

Error bad_reference(std::string_view text, std::string_view what) {
  return {Errc::kInvalid, fmt::format("text '{}': {}", text, what)};
}

Result<std::vector<Piece>> pieces_of(std::string_view text) {
  if (text.size() > 1 && text[0] == '$' && name_length(text.substr(1)) == text.size() - 1)
    return std::vector<Piece>{{.name = std::string(text.substr(1)), .alone = true}};
  std::vector<Piece> pieces;
  std::string words;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at + 1);
    if (text[at] != '$' || (!rest.starts_with('$') && !rest.starts_with('{') && name_length(rest) == 0)) {
      words += text[at++];
      continue;
    }
    if (rest.starts_with('$')) {
      words += '$';
      at += 2;
      continue;
    }
    if (!rest.starts_with('{')) {
      const std::string_view name = rest.substr(0, name_length(rest));
      return bad_reference(text,
                           fmt::format("inside a text write '${{{}}}', or '$${}' for a dollar", name, name));
    }
    const size_t end = rest.find('}');
    if (end == std::string_view::npos) return bad_reference(text, "a '${' is never closed");
    const std::string_view name = rest.substr(1, end - 1);
    if (name.empty() || name_length(name) != name.size())
      return bad_reference(text, fmt::format("'{}' between '${{' and '}}' is not a name", name));
    pieces.push_back({.words = std::exchange(words, {})});
    pieces.push_back({.name = std::string(name)});
    at += end + 2;
  }
  if (!words.empty() || pieces.empty()) pieces.push_back({.words = std::move(words)});
  return pieces;
}

Result<Value> fill_text(const std::string& text, const Lookup& lookup) {
  if (text.find('$') == std::string::npos) return Value(text);
  DR_TRY(const std::vector<Piece> pieces, pieces_of(text));
  std::string filled;
  for (const Piece& piece : pieces) {
    filled += piece.words;
    if (piece.name.empty()) continue;
    const std::optional<Value> value = lookup(piece.name);
    if (!value) return bad_reference(text, fmt::format("nothing is named '{}'", piece.name));
    if (piece.alone) return *value;
    // Nothing in the place of a name makes "/data" of "${steps.x.folder}/data".
    if (value->is_null()) return bad_reference(text, fmt::format("'{}' has no value", piece.name));
    filled += to_text(*value);
  }
  return Value(std::move(filled));
}

Result<Value> fill_within(const Value& value, const Lookup& lookup, int depth) {
  if (depth > kDeepestValue)
    return Error{Errc::kInvalid, fmt::format("a value is nested deeper than {}", kDeepestValue)};
  if (value.text()) return fill_text(*value.text(), lookup);
  if (const Value::List* list = value.list()) {
    Value::List filled;
    for (const Value& item : *list) {
      DR_TRY(Value inner, fill_within(item, lookup, depth + 1));
      filled.push_back(std::move(inner));
    }
    return Value(std::move(filled));
  }
  if (const Value::Map* map = value.map()) {
    Value::Map filled;
    for (const auto& [key, item] : *map) {
      DR_TRY(Value inner, fill_within(item, lookup, depth + 1));
      filled.emplace(key, std::move(inner));
    }
    return Value(std::move(filled));
  }
  return value;
}

}  // namespace

Result<Value> fill(const Value& value, const Lookup& lookup) { return fill_within(value, lookup, 0); }

Result<std::vector<std::string>> names_in(const Value& value) {
  std::vector<std::string> names;
  const auto note = [&](std::string_view name) -> std::optional<Value> {
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
    return Value("");
  };
  DR_OK(fill(value, note));
  return names;
}

Value literally(const Value& value) {
  if (const std::string* text = value.text()) {
    std::string out;
    for (const char c : *text) out.append(c == '$' ? 2 : 1, c);
    return Value(std::move(out));
  }
  if (const Value::List* list = value.list()) {
    Value::List out;
    for (const Value& item : *list) out.push_back(literally(item));
    return Value(std::move(out));
  }
  if (const Value::Map* map = value.map()) {
    Value::Map out;
    for (const auto& [key, item] : *map) out.emplace(key, literally(item));
    return Value(std::move(out));
  }
  return value;
}

}  // namespace daruma::run
