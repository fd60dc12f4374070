// service/rate_limit.h: a token bucket for each key: so many at once, then one each so often. For log-ins, by
// address and by account.
//
// A bucket holds `burst` tokens and gets one back every `refill`. At most `keys_max` buckets are kept; then
// the one unused for longest is forgotten, which is as good as full: whoever wants to make us forget a key
// must use keys_max others. Each worker counts for itself, so N workers let up to N times as many pass.
// Owns:    the keys' texts, cut to 256 bytes.
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/check.h"
#include "base/time.h"

namespace daruma::service {

class RateLimit {
 public:
  RateLimit(uint32_t burst, Duration refill, size_t keys_max)
      : spare_(refill * (burst - 1)), refill_(refill), keys_max_(keys_max) {
    DR_CHECK(burst > 0 && refill > Duration{0} && keys_max > 0);
  }

  // Takes a token; nullopt when there was one. Otherwise how long it takes until there is one again (for
  // Retry-After); what is refused costs nothing.
  std::optional<Duration> take(std::string_view key, MonoInstant now) {
    MonoInstant& full_at = bucket(key).full_at;
    full_at = std::max(full_at, now);
    const Duration missing = full_at - now;  // what it takes until the bucket is full again
    if (missing > spare_) return missing - spare_;
    full_at = full_at + refill_;
    return std::nullopt;
  }

  // Fills the key's bucket: after a log-in that was right, say.
  void forget(std::string_view key) {
    const auto found = index_.find(cut(key));
    if (found == index_.end()) return;
    const auto bucket = found->second;
    index_.erase(found);
    buckets_.erase(bucket);
  }

  size_t keys() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::string key;
    MonoInstant full_at{Duration::min()};
  };
  using Buckets = std::list<Bucket>;  // the last used first

  static std::string_view cut(std::string_view key) { return key.substr(0, 256); }

  Bucket& bucket(std::string_view key) {
    const auto found = index_.find(cut(key));
    if (found != index_.end()) {
      buckets_.splice(buckets_.begin(), buckets_, found->second);
      return buckets_.front();
    }
    if (buckets_.size() == keys_max_) {
      index_.erase(buckets_.back().key);
      buckets_.pop_back();
    }
    buckets_.push_front({std::string(cut(key))});
    index_.emplace(buckets_.front().key, buckets_.begin());
    return buckets_.front();
  }

  const Duration spare_;  // a bucket lacks at most so much and still holds a token
  const Duration refill_;
  const size_t keys_max_;
  Buckets buckets_;
  std::unordered_map<std::string_view, Buckets::iterator> index_;  // by the bucket's own key
};

}  // namespace daruma::service
