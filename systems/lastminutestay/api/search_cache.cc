#include "lastminutestay/api/search_cache.h"

#include <charconv>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Duration;
using daruma::Instant;
using daruma::MonoInstant;
using daruma::service::RedisReply;
using daruma::service::Task;

constexpr size_t kDegradedEntries = 256;
constexpr Duration kClocksDiffer = 5s;

std::string redis_key(const std::string& key) { return "lastminutestay:search:1:" + key; }

}  // namespace

SearchCache::SearchCache(SearchCacheSettings settings, daruma::service::Redis& redis,
                         const daruma::Clock& clock)
    : settings_(settings),
      redis_(redis),
      clock_(clock),
      near_({.entries = settings.near_entries,
             .fresh_for = settings.fresh_for,
             .max_stale = settings.stale_for}),
      degraded_(
          {.entries = kDegradedEntries, .fresh_for = settings.near_for, .max_stale = settings.near_for}) {}

std::optional<Cached> SearchCache::near(const std::string& key) {
  const MonoInstant now = clock_.mono();
  const auto found = near_.find(key, now);
  if (!found || !found->fresh || now - found->value->confirmed >= settings_.near_for) return std::nullopt;
  return Cached{found->value->body, found->age, true};
}

std::optional<Cached> SearchCache::near_at_any_age(const std::string& key) {
  const auto found = near_.find(key, clock_.mono());
  if (!found) return std::nullopt;
  return Cached{found->value->body, found->age, found->fresh};
}

std::optional<SearchCache::Entry> SearchCache::parse(std::string_view text) {
  int64_t micros = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), micros);
  if (wrong != std::errc{} || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  if (!text.starts_with("{\"degraded\":false,")) return std::nullopt;
  return Entry{Instant{micros}, text};
}

// What this worker holds already has its age by the monotonic clock. What somebody else made has it by the
// civil one, which may have jumped: an answer from the future is of unknown age, so no longer fresh.
std::optional<Cached> SearchCache::take(const std::string& key, const Entry& entry) {
  const MonoInstant now = clock_.mono();
  if (const auto held = near_.find(key, now); held && *held->value->body == entry.body) {
    near_.put(key, {held->value->body, now}, MonoInstant{now.since_start - held->age});
    return near_at_any_age(key);
  }
  Duration age = clock_.now() - entry.made;
  if (age < -kClocksDiffer) age = settings_.fresh_for + 1s;
  age = std::max(age, Duration{0});
  if (age > settings_.stale_for) return std::nullopt;
  Body body = std::make_shared<const std::string>(entry.body);
  near_.put(key, {body, now}, MonoInstant{now.since_start - age});
  return Cached{std::move(body), age, age <= settings_.fresh_for};
}

Task<std::optional<Cached>> SearchCache::find(const std::string& key) {
  if (!redis_.connected()) co_return near_at_any_age(key);
  std::vector<std::string> get = {"GET", redis_key(key)};
  const auto reply = co_await redis_.command(std::move(get), clock_.after(settings_.redis_time_max));
  if (!reply.ok()) co_return near_at_any_age(key);
  if (reply->kind == RedisReply::Kind::kText)
    if (const auto entry = parse(reply->text))
      if (auto cached = take(key, *entry)) co_return cached;
  auto cached = near_at_any_age(key);  // it was flushed, or has left there: good as a fallback only
  if (cached) cached->fresh = false;
  co_return cached;
}

Task<void> SearchCache::put(std::string key, Body body) {
  const MonoInstant now = clock_.mono();
  near_.put(key, {body, now}, now);
  if (!redis_.connected()) co_return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(settings_.stale_for).count();
  std::vector<std::string> set = {"SET", redis_key(key), std::to_string(clock_.now().micros) + " " + *body,
                                  "EX", std::to_string(seconds)};
  // A cache that did not take it has nothing to be told again: the answer is made once more when it is
  // asked for.
  static_cast<void>(co_await redis_.command(std::move(set), clock_.after(settings_.redis_time_max)));
}

std::optional<SearchCache::Degraded> SearchCache::near_degraded(const std::string& key) {
  const auto found = degraded_.find(key, clock_.mono());
  if (!found) return std::nullopt;
  return *found->value;
}

void SearchCache::put_degraded(const std::string& key, Degraded degraded) {
  degraded_.put(key, std::move(degraded), clock_.mono());
}

}  // namespace lastminutestay
