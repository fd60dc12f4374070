// notify: tells people through channels, in the middle of a plan.
#include "notify/notify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "run/steps/families.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr InputRow kInputs[] = {
    {"channels", Kind::kList, true, {}, "names of channels of daruma.yaml"},
    {"title", Kind::kAny, true, {}, "one line: a text, or {ja: …, en: …}"},
    {"text", Kind::kAny, false, {}, "more lines: a text, or {ja: …, en: …}"},
    {"outcome", Kind::kText, false, "news", "news, needs-person, succeeded, partial or failed"},
};
constexpr std::string_view kOutputs[] = {"told"};

struct OutcomeWord {
  std::string_view word;
  notify::Outcome outcome;
};
constexpr OutcomeWord kOutcomes[] = {{"news", notify::Outcome::kNews},
                                     {"needs-person", notify::Outcome::kNeedsPerson},
                                     {"succeeded", notify::Outcome::kSucceeded},
                                     {"partial", notify::Outcome::kPartial},
                                     {"failed", notify::Outcome::kFailed}};

// A text in one language stands for both.
notify::Words words_of(const Value* value) {
  if (!value) return {};
  if (!value->map()) return {.ja = to_text(*value), .en = to_text(*value)};
  const std::string ja = value->text_at("ja"), en = value->text_at("en");
  return {.ja = ja.empty() ? en : ja, .en = en.empty() ? ja : en};
}

Result<notify::Outcome> outcome_input(const StepContext& context) {
  const std::string word = text_input(context, "outcome");
  if (word.empty()) return notify::Outcome::kNews;
  const auto found = std::find_if(std::begin(kOutcomes), std::end(kOutcomes),
                                  [&](const OutcomeWord& row) { return row.word == word; });
  if (found != std::end(kOutcomes)) return found->outcome;
  return Error{Errc::kInvalid, fmt::format("input 'outcome': '{}' is none of news, needs-person, succeeded, "
                                           "partial, failed",
                                           word)};
}

Result<std::vector<const ChannelConfig*>> channels_input(const StepContext& context) {
  DR_TRY(const auto names, texts_input(context, "channels"));
  std::vector<const ChannelConfig*> channels;
  for (const std::string& name : names) {
    const auto& all = context.config.channels;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const ChannelConfig& channel) { return channel.name == name; });
    if (found == all.end())
      return Error{Errc::kInvalid, fmt::format("input 'channels': no channel is called '{}'", name)};
    channels.push_back(&*found);
  }
  if (channels.empty()) return Error{Errc::kInvalid, "input 'channels': names no channel"};
  return channels;
}

Result<notify::Notice> notice_of(StepContext& context) {
  notify::Notice notice{.key = fmt::format("{}.{}", context.run, context.step),
                        .at = context.clock.now(),
                        .title = words_of(input(context, "title")),
                        .text = words_of(input(context, "text"))};
  std::replace(notice.key.begin(), notice.key.end(), '/', '.');
  DR_TRY(notice.outcome, outcome_input(context));
  notice.run = context.run;
  notice.target = to_string(context.target);
  return notice;
}

Result<Value> tell(StepContext& context) {
  DR_TRY(const auto channels, channels_input(context));
  DR_TRY(const notify::Notice notice, notice_of(context));
  const notify::NotifyWorld world{context.fs, context.clock, context.processes};
  Value::List told;
  std::string failed;
  for (const ChannelConfig* channel : channels) {
    const Status sent = notify::send(*channel, notice, world, context.deadline);
    fmt::print("{}: {}\n", channel->name, sent.ok() ? "told" : sent.error().what);
    if (sent.ok())
      told.emplace_back(channel->name);
    else
      failed += (failed.empty() ? "" : "; ") + sent.error().what;
  }
  if (!failed.empty()) return Error{Errc::kFailed, failed};
  return Value(Value::Map{{"told", Value(std::move(told))}});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const auto names = texts_input(context, "channels");
  const notify::Words title = words_of(input(context, "title"));
  return {fmt::format("# tell {}: {} / {}", fmt::join(names.ok() ? *names : std::vector<std::string>(), ", "),
                      title.ja, title.en)};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const auto channels, channels_input(context));
  Preview preview{.would = {}, .by_hand = by_hand(context)};
  for (const ChannelConfig* channel : channels)
    preview.would.push_back(fmt::format("tell {}: {}", channel->name, words_of(input(context, "title")).en));
  return preview;
}

constexpr StepType kTypes[] = {
    {.name = "notify",
     .summary = "tells people through channels; told again after a crash, with the same key",
     .effect = Effect::kChange,
     .inputs = kInputs,
     .outputs = kOutputs,
     .act = tell,
     .preview = preview,
     .by_hand = by_hand},
};

}  // namespace

std::span<const StepType> notify_steps() { return kTypes; }

}  // namespace daruma::run
