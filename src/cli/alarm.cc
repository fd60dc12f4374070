#include "cli/alarm.h"

#include <algorithm>

#include <fmt/format.h>

#include "notify/notify.h"

namespace daruma {
namespace {

using namespace run;

constexpr Duration kTellWithin = 5s;  // the engine waits meanwhile

std::vector<ChannelConfig> channels_among(const Config& config, const std::vector<std::string>& names) {
  std::vector<ChannelConfig> found;
  for (const ChannelConfig& channel : config.channels)
    if (std::ranges::find(names, channel.name) != names.end()) found.push_back(channel);
  return found;
}

std::vector<ChannelConfig> channels_to_tell(const Config& config, const Plan& plan) {
  for (const auto& names : {plan.finish.notify, plan.contacts})
    if (auto channels = channels_among(config, names); !channels.empty()) return channels;
  return config.channels;
}

notify::Notice notice_of(const RunState& state, const ApprovalGiven& given, Instant at) {
  const RunCreated& created = state.created();
  notify::Notice notice;
  notice.key = fmt::format("{}.{}.broken-glass", state.id(), given.step);
  std::ranges::replace(notice.key, '/', '.');
  notice.at = at;
  notice.title = {fmt::format("‼ 緊急承認：{} がひとりで {} を承認しました", given.by.name, given.step),
                  fmt::format("‼ {} broke the glass: approved {} alone", given.by.name, given.step)};
  notice.text = {fmt::format("理由：{}。確認してください：daruma runs {}", given.reason, state.id()),
                 fmt::format("Reason: {}. Review it: daruma runs {}", given.reason, state.id())};
  notice.outcome = notify::Outcome::kNeedsPerson;
  notice.run = state.id();
  notice.plan = created.plan.plan.name;
  notice.target = to_string(created.target);
  return notice;
}

}  // namespace

void tell_of_broken_glass(App& app, const Config& config, const RunState& state, const JournalEvent& event) {
  const auto body = event_of(event);
  const auto* given = body.ok() ? std::get_if<ApprovalGiven>(&*body) : nullptr;
  if (!given || !given->break_glass) return;
  const auto channels = channels_to_tell(config, state.created().plan.plan);
  if (channels.empty()) app.err.write("the glass is broken, and daruma.yaml has no channel to tell it\n");
  const notify::Notice notice = notice_of(state, *given, event.at);
  const Deadline deadline = app.clock.after(kTellWithin);
  for (const ChannelConfig& channel : channels) {
    const Status told = notify::send(channel, notice, {app.fs, app.clock, app.processes}, deadline);
    app.err.write(told.ok() ? fmt::format("{} is told that the glass is broken\n", channel.name)
                            : fmt::format("{} is not told that the glass is broken: {}\n", channel.name,
                                          told.error().what));
  }
}

}  // namespace daruma
