// api/search_cache.h: answers of searches: near, in the worker's own memory, and in Redis, for all workers.
//
// An answer is fresh for `fresh_for` after it was made, wherever it lies; after that it is good as a
// fallback for `stale_for`. Near ones are believed without asking Redis for `near_for` only, so that
// FLUSHALL on Redis is felt after that time. Without Redis the near ones go on by themselves (requirement
// L12).
// Format:  in Redis: "lastminutestay:search:1:KEY" -> "MICROSECONDS BODY", when it was made and the whole
//          answer.
// Threads: the worker's one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "breaker/stale_cache.h"
#include "os/clock.h"
#include "service/redis.h"

namespace lastminutestay {

struct SearchCacheSettings {
  daruma::Duration fresh_for = daruma::Duration(30'000'000'000);
  daruma::Duration near_for = daruma::Duration(1'000'000'000);
  daruma::Duration stale_for = daruma::Duration(3'600'000'000'000);
  size_t near_entries = 1000;
  daruma::Duration redis_time_max = daruma::Duration(250'000'000);
};

using Body = std::shared_ptr<const std::string>;

struct Cached {
  Body body;
  daruma::Duration age{};
  bool fresh = false;
};

class SearchCache {
 public:
  SearchCache(SearchCacheSettings settings, daruma::service::Redis& redis, const daruma::Clock& clock);

  // What may be answered at once; nullopt: ask find().
  std::optional<Cached> near(const std::string& key);
  // The best there is, in Redis or near; nullopt: nothing that is fit even as a fallback.
  daruma::service::Task<std::optional<Cached>> find(const std::string& key);
  // Keeps an answer made now. Redis hears of it in its own time; that it does not is no failure.
  daruma::service::Task<void> put(std::string key, Body body);

  // A degraded answer, ready to be given again for a moment: composing it once a second is enough.
  struct Degraded {
    Body body;
    daruma::Duration age{};
  };
  std::optional<Degraded> near_degraded(const std::string& key);
  void put_degraded(const std::string& key, Degraded degraded);

 private:
  struct Near {
    Body body;
    daruma::MonoInstant confirmed;  // when Redis had the same, or when it was made here
  };
  struct Entry {
    daruma::Instant made;
    std::string_view body;
  };
  static std::optional<Entry> parse(std::string_view text);
  std::optional<Cached> near_at_any_age(const std::string& key);
  std::optional<Cached> take(const std::string& key, const Entry& entry);

  const SearchCacheSettings settings_;
  daruma::service::Redis& redis_;
  const daruma::Clock& clock_;
  daruma::StaleCache<Near> near_;
  daruma::StaleCache<Degraded> degraded_;
};

}  // namespace lastminutestay
