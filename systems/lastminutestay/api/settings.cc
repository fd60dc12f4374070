#include "lastminutestay/api/settings.h"

#include <algorithm>

namespace lastminutestay {
namespace {

using daruma::BreakerSettings;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::service::Setting;
using daruma::service::SettingKind;
using daruma::service::Settings;

}  // namespace

std::vector<Setting> settings_table() {
  using enum SettingKind;
  return {
      {"postgres.host", kText, "127.0.0.1",
       "where PostgreSQL is: a name, an address, or the folder of its socket"},
      {"postgres.port", kNumber, "5432", "its port"},
      {"postgres.user", kText, "lastminutestay", "the role to connect as"},
      {"postgres.database", kText, "lastminutestay", "the database"},
      {"postgres.password", kSecret, "", "the role's password, where one is needed"},
      {"postgres.connections", kNumber, "8", "connections per worker"},
      {"postgres.waiting", kNumber, "256",
       "requests per worker that wait for one; more are told to come back"},
      {"redis.host", kText, "127.0.0.1", "where Redis is"},
      {"redis.port", kNumber, "6379", "its port"},
      {"redis.password", kSecret, "", "its password, where one is needed"},
      {"provider.host", kText, "127.0.0.1", "where HotelDataAPI is"},
      {"provider.port", kNumber, "3100", "its port"},
      {"provider.deadline", kDuration, "800ms", "how long a call to it may take"},
      {"breaker.window_calls", kNumber, "50", "calls to HotelDataAPI that its breaker looks back on"},
      {"breaker.minimum_calls", kNumber, "10", "fewer calls than this never open it"},
      {"breaker.failure_percent", kNumber, "50", "failed calls that open it"},
      {"breaker.slow_percent", kNumber, "80", "slow calls that open it"},
      {"breaker.slow_after", kDuration, "500ms", "how long a slow call takes"},
      {"breaker.open_for", kDuration, "5s", "how long it stays open before it lets trials through"},
      {"breaker.trials", kNumber, "3", "trials that must all end well to close it"},
      {"cache.fresh_for", kDuration, "30s", "how long a search's answer is given again as it is"},
      {"cache.near_for", kDuration, "1s", "how long a worker believes its own memory before it asks Redis"},
      {"cache.stale_for", kDuration, "1h",
       "how old an answer may be that is given while HotelDataAPI is away"},
      {"cache.entries", kNumber, "1000", "answers that a worker keeps in its own memory"},
      {"search.deadline", kDuration, "2s", "how long a search waits for PostgreSQL"},
      {"booking.deadline", kDuration, "5s", "how long a booking waits for PostgreSQL"},
      {"business_date", kText, "",
       "the day that counts as today (YYYY-MM-DD); without it, the day it is in Japan"},
      {"reset_from_this_host", kSwitch, "on", "circuit breakers may be reset from this host without a token"},
      {"token.secret", kSecret, "", "what bearer tokens are signed with, 32 bytes or more (HS256)"},
      {"token.issuer", kText, "lastminutestay", "who must have issued them"},
      {"migrations", kPath, LASTMINUTESTAY_MIGRATIONS, "the folder of the schema's migrations"},
  };
}

daruma::service::PostgresSettings postgres_settings(const Settings& settings) {
  daruma::service::PostgresSettings of;
  of.host = settings.text("postgres.host");
  of.port = static_cast<int>(settings.number("postgres.port"));
  of.user = settings.text("postgres.user");
  of.database = settings.text("postgres.database");
  of.password = settings.secret("postgres.password");
  of.connections = static_cast<size_t>(std::max<int64_t>(1, settings.number("postgres.connections")));
  of.waiting_max = static_cast<size_t>(std::max<int64_t>(0, settings.number("postgres.waiting")));
  return of;
}

daruma::service::RedisSettings redis_settings(const Settings& settings) {
  daruma::service::RedisSettings of;
  of.host = settings.text("redis.host");
  of.port = static_cast<int>(settings.number("redis.port"));
  of.password = settings.secret("redis.password");
  return of;
}

daruma::service::HttpClientSettings provider_settings(const Settings& settings) {
  daruma::service::HttpClientSettings of;
  of.host = settings.text("provider.host");
  of.port = static_cast<int>(settings.number("provider.port"));
  of.connections_max = 128;
  return of;
}

SearchCacheSettings cache_settings(const Settings& settings) {
  SearchCacheSettings of;
  of.fresh_for = settings.duration("cache.fresh_for");
  of.near_for = settings.duration("cache.near_for");
  of.stale_for = std::max(of.fresh_for, settings.duration("cache.stale_for"));
  of.near_entries = static_cast<size_t>(std::max<int64_t>(1, settings.number("cache.entries")));
  return of;
}

Result<BreakerSettings> breaker_settings(const Settings& settings) {
  BreakerSettings of;
  of.window_calls = static_cast<uint32_t>(settings.number("breaker.window_calls"));
  of.minimum_calls = static_cast<uint32_t>(settings.number("breaker.minimum_calls"));
  of.failure_rate = static_cast<double>(settings.number("breaker.failure_percent")) / 100;
  of.slow_rate = static_cast<double>(settings.number("breaker.slow_percent")) / 100;
  of.slow_after = settings.duration("breaker.slow_after");
  of.open_for = settings.duration("breaker.open_for");
  of.trials = static_cast<uint32_t>(settings.number("breaker.trials"));
  // A trial waits for PostgreSQL first, then for the provider.
  of.trial_time_max = settings.duration("search.deadline") + 2 * settings.duration("provider.deadline");
  if (auto wrong = of.check(); !wrong.ok()) return std::move(wrong).error().in("breaker");
  return of;
}

Result<std::optional<Date>> business_date(const Settings& settings) {
  const std::string& text = settings.text("business_date");
  if (text.empty()) return std::optional<Date>();
  if (const auto date = parse_date(text)) return date;
  return Error{Errc::kInvalid, "business_date '" + text + "': want a day that exists, as YYYY-MM-DD"};
}

}  // namespace lastminutestay
