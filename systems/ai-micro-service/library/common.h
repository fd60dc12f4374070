// library/common.h: what each of the five services does alike: monitoring routes, dependencies' health, who
// may call.
//
// Threads: the worker's one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/postgres.h"
#include "service/program.h"
#include "service/token.h"

namespace aimicro {

inline constexpr const char* kVersion = "1.0.0";
inline constexpr daruma::Duration kStatementTime = std::chrono::seconds(3);

// GET /health (200 or 503), /health/detailed, /metrics.
void add_monitoring(daruma::service::Router& router, daruma::service::Worker& worker);
// "SELECT 1", every second; without it the service is not ready.
void watch_postgres(daruma::service::Worker& worker, daruma::service::PostgresPool& pool);

// Answers 401 unless the request bears an access token of this system, else what `answer` says. `key`
// outlives it.
using SignedInHandler = std::function<daruma::service::Task<daruma::service::Response>(
    daruma::service::Request&, const daruma::service::Claims&)>;
daruma::service::Handler signed_in(const daruma::service::TokenKey& key, const daruma::Clock& clock,
                                   SignedInHandler answer);

// 503 that names what is away, with Retry-After; the cause goes to the error log, not to the client.
daruma::service::Response unavailable(daruma::service::Worker& worker,
                                      const daruma::service::Request& request, const char* dependency,
                                      const daruma::Error& error);
// 503 when it may work later, 400 when a constraint refused the input, else 500; all but 400 are logged.
daruma::service::Response database_problem(daruma::service::Worker& worker,
                                           const daruma::service::Request& request,
                                           const daruma::Error& error);

// "8-4-4-4-12" in hex digits.
bool is_uuid(std::string_view text);
// A random one (version 4).
std::string new_uuid(daruma::Random& random);
// The one whose first bytes are the hash of `name`: the same on every machine, for example data.
std::string uuid_of(std::string_view name);
// Characters in UTF-8; nullopt when it is not UTF-8.
std::optional<size_t> characters_in(std::string_view text);

}  // namespace aimicro
