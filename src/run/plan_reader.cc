#include "run/plan_reader.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "run/parameter.h"
#include "run/plan_links.h"

namespace daruma::run {
namespace {

using namespace settings;  // the words of which tables are made

constexpr auto kExactDigits = 15;  // a fraction of more may come back from JSON as its neighbour

// Whole numbers and fractions as a person writes them; anything else, 0755 and 1e5 too, is text.
Value plain_value(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return Value();
  if (text == "true" || text == "false") return Value(text == "true");
  const std::string_view digits = std::string_view(text).substr(text[0] == '-' ? 1 : 0);
  const bool number = !digits.empty() && digits[0] >= '0' && digits[0] <= '9' &&
                      (digits[0] != '0' || digits.size() == 1 || digits[1] == '.') && digits.back() != '.' &&
                      digits.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!number) return Value(text);
  const char* end = text.data() + text.size();
  int64_t whole = 0;
  if (const auto [rest, bad] = std::from_chars(text.data(), end, whole); bad == std::errc() && rest == end)
    return Value(whole);
  if (std::ranges::count_if(digits, [](char c) { return c != '.'; }) > kExactDigits) return Value(text);
  double fraction = 0;
  if (const auto [rest, bad] = std::from_chars(text.data(), end, fraction); bad == std::errc() && rest == end)
    return Value(fraction);
  return Value(text);
}

Value value_of(const YAML::Node& node) {
  if (node.IsScalar()) return node.Tag() == "!" ? Value(node.Scalar()) : plain_value(node.Scalar());
  if (node.IsSequence()) {
    Value::List list;
    for (const YAML::Node& item : node) list.push_back(value_of(item));
    return Value(std::move(list));
  }
  if (node.IsMap()) {
    Value::Map map;
    for (const auto& entry : node)
      if (entry.first.IsScalar()) map.insert_or_assign(entry.first.Scalar(), value_of(entry.second));
    return Value(std::move(map));
  }
  return Value();
}

// A mapping from the names of inputs to any values.
Type<Value::Map> inputs() {
  Setting shape{.kind = Setting::Kind::kNamed};
  shape.inner.push_back({.kind = Setting::Kind::kAny, .words = "a value of the step's own kind"});
  const auto read = [shape](Reader& reader, const YAML::Node& node, Value::Map& out) {
    if (!fits(reader, node, shape)) return;
    read_names(reader, node,
               [&](const std::string& key, const YAML::Node& value) { out.emplace(key, value_of(value)); });
  };
  return {shape, read};
}

Type<Text> words() {
  return mapping<Text>(
      {
          field("ja", &Text::ja, text("a text"), optional(), "in Japanese"),
          field("en", &Text::en, text("a text"), optional(), "in English"),
      },
      [](Reader& reader, const YAML::Node& node, const Text& value) {
        if (value.empty()) reader.wrong(node, "it is empty; write {ja: …, en: …}");
      });
}

Type<std::string> date() {
  const Type<std::string> base = text("a date");
  const auto read = [base](Reader& reader, const YAML::Node& node, std::string& out) {
    std::string value;
    base.read(reader, node, value);
    if (value.empty()) return;
    if (!parse_rfc3339(value + "T00:00:00Z").ok() || value.size() != 10)
      return reader.wrong(node, fmt::format("'{}' is not a date; write it as in 2026-11-22", value));
    out = value;
  };
  return {{.words = "a date, as in 2026-11-22"}, read};
}

Type<Head> head() {
  return mapping<Head>({
      field("version", &Head::version, text("a version"), optional(), "as in 1.0"),
      field("updated", &Head::updated, date(), optional(), "when it was last changed"),
      field("review_due", &Head::review_due, date(), optional(), "when it must be read again at the latest"),
      field("status", &Head::status, word_of({"final", "draft"}), optional(),
            "final: to be relied upon; draft: not yet"),
  });
}

Type<Detection> detection() {
  const Type<Text> text_type = words();
  const Type<std::string> name_type = text("the name of an alert");
  const Type<std::string> probe_type = name();
  const auto read = [=](Reader& reader, const YAML::Node& node, Detection& out) {
    if (node.IsScalar()) return name_type.read(reader, node, out.alert);
    const bool probe = node.IsMap() && node.size() == 1 && node.begin()->first.IsScalar() &&
                       node.begin()->first.Scalar() == "probe";
    if (probe) return probe_type.read(reader, node.begin()->second, out.probe);
    if (node.IsMap()) return text_type.read(reader, node, out.words);
    reader.wrong(node, "write the name of an alert, {probe: NAME}, or words {ja: …, en: …}");
  };
  return {{.kind = Setting::Kind::kAny,
           .words = "the name of an alert, `{probe: NAME}`, or words `{ja: …, en: …}`"},
          read};
}

Type<Value> any_scalar(std::string wanted) {
  const auto read = [wanted](Reader& reader, const YAML::Node& node, Value& out) {
    if (!node.IsScalar()) return reader.wrong(node, "want " + wanted);
    out = value_of(node);
  };
  return {{.kind = Setting::Kind::kAny, .words = std::move(wanted)}, read};
}

void check_parameter(Reader& reader, const YAML::Node& node, const Parameter& parameter) {
  const bool choice = parameter.type == ParameterType::kChoice;
  if (choice && parameter.choices.empty()) reader.wrong(node, "'choices' is missing: the values allowed");
  if (!choice && !parameter.choices.empty()) reader.wrong(node, "only type choice has 'choices'");
  if (!is_free_name(parameter.name))
    reader.wrong(node, fmt::format("a parameter cannot be named '{}': it begins with a letter, and "
                                   "steps, run, group, and, or, not, true, false, null mean something else",
                                   parameter.name));
  if (!parameter.standard || (choice && parameter.choices.empty())) return;
  if (const auto value = parameter_value(parameter, *parameter.standard); !value.ok())
    reader.wrong(node["default"], value.error().what);
}

Type<Parameter> parameter() {
  std::vector<std::pair<std::string, ParameterType>> types;
  for (const ParameterTypeRow& row : parameter_types()) types.emplace_back(row.word, row.type);
  return mapping<Parameter>(
      {
          field("type", &Parameter::type, choice<ParameterType>(std::move(types)), standard("text"),
                "what its values are"),
          field("default", &Parameter::standard, any_scalar("a value of that type"), optional(),
                "the value taken when none is given; without it, one must be given"),
          field("choices", &Parameter::choices, list(text("a word")), optional(),
                "type choice: the values allowed"),
          field("help", &Parameter::help, words(), optional(), "what it is, for whoever starts the plan"),
      },
      check_parameter);
}

Type<Retry> retry() {
  return mapping<Retry>(
      {
          field("for", &Retry::within, duration(), optional(),
                "until when, from the first attempt's start, a further one may begin"),
          field("times", &Retry::times, count(), optional(), "how many further attempts there are at most"),
          field("every", &Retry::pause, duration(), standard("1s"),
                "the pause before the second attempt; it grows by half each time"),
          field("most", &Retry::pause_most, duration(), standard("15s"), "the longest pause"),
      },
      [](Reader& reader, const YAML::Node& node, const Retry& value) {
        if (value.times == 0 && value.within == Duration{})
          reader.wrong(node, "it would never end; set 'for' (how long) or 'times' (how often)");
      });
}

Type<Approval> approval() {
  return mapping<Approval>(
      {
          field("question", &Approval::question, words(), required(),
                "what is agreed to; parameters and outputs of earlier steps are filled in"),
          field("count", &Approval::count, count(), standard("1"), "how many different people must agree"),
          field("groups", &Approval::groups, list(text("a group")), optional(),
                "groups of the operating system they must be in; without it, as the target asks"),
      },
      [](Reader& reader, const YAML::Node& node, const Approval& value) {
        if (value.count == 0) reader.wrong(node, "count: nobody would have to agree; write 1 or more");
      });
}

Type<Action> action() {
  return mapping<Action>({
      field("do", &Action::type, text("a type of step"), required(),
            "the type of step; `daruma help steps` lists them"),
      field("with", &Action::with, inputs(), optional(), "its inputs"),
  });
}

// A row of steps, which keep `do` and `with` in an Action of their own.
template <class V>
Field<Step> action_field(std::string label, V Action::*member, Type<V> type, Presence presence,
                         std::string help) {
  const auto read = [member, read = type.read](Reader& reader, const YAML::Node& node, Step& out) {
    read(reader, node, out.action.*member);
  };
  return {row(std::move(type.setting), std::move(label), std::move(presence), std::move(help)), read};
}

Type<Expression> condition() {
  const auto read = [](Reader& reader, const YAML::Node& node, Expression& out) {
    if (!node.IsScalar()) return reader.wrong(node, "want a condition, as in steps.healthy.failed");
    auto parsed = Expression::parse(node.Scalar());
    if (!parsed.ok()) return reader.wrong(node, parsed.error().what);
    out = *std::move(parsed);
  };
  return {{.words = "a condition, as in steps.healthy.failed"}, read};
}

Field<Step> condition_field() {
  const Type<Expression> type = condition();
  const auto read = [type](Reader& reader, const YAML::Node& node, Step& out) {
    Expression expression;
    type.read(reader, node, expression);
    if (!expression.text().empty()) out.when = std::move(expression);
  };
  return {row(type.setting, "when", optional(), "runs only if this holds; without it, always"), read};
}

Type<Step> step() {
  return mapping<Step>({
      action_field("do", &Action::type, text("a type of step"), required(),
                   "the type of step; `daruma help steps` lists them"),
      action_field("with", &Action::with, inputs(), optional(), "its inputs; they may hold references"),
      field("title", &Step::title, words(), optional(), "what it is, for people"),
      field("needs", &Step::needs, list(name()), optional(),
            "steps that must have ended before it; without it, and without a reference to a step, it starts "
            "at once"),
      condition_field(),
      field("retry", &Step::retry, retry(), optional(), "further attempts when one has failed"),
      field("timeout", &Step::timeout, duration(), optional(),
            "the longest that one attempt may take; without it, the type's own"),
      field("on_failure", &Step::on_failure,
            choice<OnFailure>(
                {{"fail", OnFailure::kFail}, {"continue", OnFailure::kContinue}, {"undo", OnFailure::kUndo}}),
            standard("fail"),
            "fail: nothing after it runs; continue: what needs it goes on; undo: nothing after it runs, and "
            "what was done is undone, newest first"),
      field("raise", &Step::raise, name(), optional(), "the plan to propose when it has failed"),
      field("undo", &Step::undo, action(), optional(), "how it is undone; without it, as its type knows"),
      field("approve", &Step::approve, approval(), optional(), "who must agree before it"),
  });
}

Type<std::vector<Step>> steps() {
  const Type<Step> element = step();
  Setting shape{.kind = Setting::Kind::kNamed};
  shape.inner.push_back(element.setting);
  const auto read = [element, shape](Reader& reader, const YAML::Node& node, std::vector<Step>& out) {
    if (!fits(reader, node, shape)) return;
    std::map<std::string, int> lines;
    for (const auto& entry : node)
      if (entry.first.IsScalar()) lines.emplace(entry.first.Scalar(), entry.first.Mark().line + 1);
    read_names(reader, node, [&](const std::string& key, const YAML::Node& value) {
      out.emplace_back().id = key;
      out.back().line = lines[key];
      element.read(reader, value, out.back());
    });
    if (out.empty()) reader.wrong(node, "there is no step");
  };
  return {shape, read};
}

Type<Finish> finish() {
  return mapping<Finish>({
      field("notify", &Finish::notify, list(name()), optional(),
            "channels that are told once, when the outermost plan has ended"),
      field("report", &Finish::report, choice<bool>({{"true", true}, {"incident", true}, {"false", false}}),
            standard("true"), "write the incident report from the journal"),
  });
}

Type<Plan> make_plan_table() {
  return mapping<Plan>({
      field("plan", &Plan::name, name(), required(), "what commands and other plans call it"),
      field("title", &Plan::title, words(), required(), "what people call it"),
      field("head", &Plan::head, head(), optional(), "the head of the document"),
      field("scheme", &Plan::scheme, name(), optional(), "the scheme that the level belongs to"),
      field("level", &Plan::level, count(), optional(), "how severe the case is; 1 is the mildest"),
      field("impact", &Plan::impact, words(), optional(), "the scope of impact"),
      field("detect", &Plan::detect, list(detection()), optional(), "how the case is noticed"),
      field("prevent", &Plan::prevent, list(words()), optional(), "what keeps it from happening"),
      field("preconditions", &Plan::preconditions, list(action()), optional(),
            "steps that only observe; all must succeed before the first step"),
      field("contacts", &Plan::contacts, list(name()), optional(),
            "roles and channels that must be reachable"),
      field("params", &Plan::parameters, named(parameter()), optional(),
            "values given when the plan starts, by name"),
      field("steps", &Plan::steps, steps(), required(), "what is done, by name, in the order of reading"),
      field("finish", &Plan::finish, finish(), optional(), "what is done after the last step"),
  });
}

}  // namespace

const Type<Plan>& plan_table() {
  static const Type<Plan> table = make_plan_table();
  return table;
}

}  // namespace daruma::run
