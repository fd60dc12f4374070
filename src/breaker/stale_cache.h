// breaker/stale_cache.h: answers kept for the time when nobody gives new ones: stale-while-error.
//
// A value is fresh up to `fresh_for` after it was made, then stale: good as a fallback, and to be marked as
// such with its age, up to `max_stale`; then it is as if it had never been there. Bounded by entries: the one
// not used for longest goes first.
// Threads: one: each worker has a cache of its own.
// Owns:    its values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/time.h"

namespace daruma {

struct StaleCacheSettings {
  size_t entries = 10'000;  // at most; at least 1
  Duration fresh_for = 30s;
  Duration max_stale = 1h;  // age, counted from when it was made: at least `fresh_for`
};

template <class Value>
class StaleCache {
 public:
  // The value stays where it is until the next put(), erase() or clear().
  struct Found {
    const Value* value = nullptr;
    Duration age{};
    bool fresh = false;
  };

  explicit StaleCache(StaleCacheSettings settings) : settings_(settings) {
    DR_CHECK(settings.entries > 0 && settings.fresh_for <= settings.max_stale);
  }

  // nullopt: absent, or too old even for a fallback. Counts as a use.
  std::optional<Found> find(std::string_view key, MonoInstant now) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    const Duration age = std::max(Duration{0}, now - found->second->made);
    if (age > settings_.max_stale) {
      forget(found);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return Found{&found->second->value, age, age <= settings_.fresh_for};
  }

  // `made`: when the value was true: now, or earlier where it comes from another cache. False, and nothing is
  // changed, when the value that is there was made later: answers overtake each other.
  bool put(std::string_view key, Value value, MonoInstant made) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      if (found->second->made > made) return false;
      found->second->value = std::move(value);
      found->second->made = made;
      entries_.splice(entries_.begin(), entries_, found->second);
      return true;
    }
    if (entries_.size() == settings_.entries) forget(by_key_.find(entries_.back().key));
    entries_.push_front({std::string(key), std::move(value), made});
    by_key_.emplace(entries_.front().key, entries_.begin());
    return true;
  }

  void erase(std::string_view key) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found);
  }
  void clear() {
    by_key_.clear();
    entries_.clear();
  }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Value value;
    MonoInstant made;
  };
  using Entries = std::list<Entry>;
  using ByKey =
      std::unordered_map<std::string_view, typename Entries::iterator>;  // views of the entries' keys

  void forget(typename ByKey::iterator place) {
    const auto entry = place->second;
    by_key_.erase(place);
    entries_.erase(entry);
  }

  const StaleCacheSettings settings_;
  Entries entries_;  // the last used first
  ByKey by_key_;
};

}  // namespace daruma
