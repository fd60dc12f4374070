// api/settings.h: the settings of lastminutestay-api, and what its parts read out of them.
//
// Threads: pure functions.
#pragma once

#include <vector>

#include "breaker/breaker.h"
#include "lastminutestay/api/search_cache.h"
#include "lastminutestay/common/date.h"
#include "service/http_client.h"
#include "service/postgres.h"
#include "service/redis.h"
#include "service/settings.h"

namespace lastminutestay {

constexpr const char* kPrefix = "LASTMINUTESTAY";  // of environment variables

std::vector<daruma::service::Setting> settings_table();

daruma::service::PostgresSettings postgres_settings(const daruma::service::Settings& settings);
daruma::service::RedisSettings redis_settings(const daruma::service::Settings& settings);
daruma::service::HttpClientSettings provider_settings(const daruma::service::Settings& settings);
SearchCacheSettings cache_settings(const daruma::service::Settings& settings);
// kInvalid: numbers that make no breaker.
daruma::Result<daruma::BreakerSettings> breaker_settings(const daruma::service::Settings& settings);
// The pinned business date, or nullopt for the day it is in Japan. kInvalid: not a day.
daruma::Result<std::optional<Date>> business_date(const daruma::service::Settings& settings);

}  // namespace lastminutestay
