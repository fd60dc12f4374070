// api/search.h: GET /api/hotels/search: free rooms from PostgreSQL, enriched by HotelDataAPI, cached, and
// answered whatever fails (requirements L2, L9, L12).
//
// In this order: the cache, while it is fresh; else rooms and facts are fetched and cached. Where
// HotelDataAPI fails or its breaker is open: the stale answer, marked as degraded with its age; where there
// is none, the rooms without HotelDataAPI's facts, marked too. PostgreSQL failing too leaves the stale
// answer, or 503. A trial of a half-open breaker runs in the background: nobody waits for it.
// Threads: the worker's one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lastminutestay/api/hotel_data.h"
#include "lastminutestay/api/search_cache.h"
#include "lastminutestay/api/search_request.h"
#include "lastminutestay/api/single_flight.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/postgres.h"

namespace lastminutestay {

class Search {
 public:
  // What it is made of; all of it outlives the search.
  struct Parts {
    boost::asio::io_context& io;
    daruma::service::PostgresPool& postgres;
    HotelData& hotel_data;
    SearchCache& cache;
    const daruma::Clock& clock;
    daruma::service::Log& log;
    daruma::service::Metrics& metrics;
    std::function<Date()> today;
    daruma::Duration query_time_max;
  };
  explicit Search(Parts parts);

  // From memory, when it is there; nullopt: handle() has to be asked.
  std::optional<daruma::service::Response> try_at_once(daruma::service::Request& request);
  daruma::service::Task<daruma::service::Response> handle(daruma::service::Request& request);

 private:
  enum class Source : uint8_t { kNear, kCache, kMade, kStale, kPlain, kFailed };
  static constexpr size_t kSources = 6;
  struct Answer {
    Source source = Source::kFailed;
    Body body;
    daruma::Duration age{};
    std::string error = {};  // kFailed: for the client
  };

  static std::string_view name_of(Source source);
  daruma::service::Response response_of(const Answer& answer) const;
  daruma::service::Task<Answer> answer(SearchRequest wanted, std::string key, std::string request_id);
  daruma::service::Task<Answer> fetch(SearchRequest wanted, std::string key, std::string request_id,
                                      daruma::Breaker::Permit permit, std::optional<Cached> stale);
  daruma::service::Task<Answer> without_facts(SearchRequest wanted, std::string key, std::string request_id);
  Answer nothing_free(const SearchRequest& wanted, const std::string& key);
  daruma::service::Task<void> trial(SearchRequest wanted, std::string key, daruma::Breaker::Permit permit);
  Answer stale_answer(const std::string& key, const Cached& stale, std::string_view reason);
  Answer failed(const daruma::Error& error, std::string_view request_id);
  void keep(const std::string& key, Body body);
  void healed(std::string_view request_id, std::string_view dependency, const std::string& message,
              Source by);

  const Parts parts_;
  SingleFlight<Answer> flights_;
  daruma::service::Counter answers_[kSources];
};

}  // namespace lastminutestay
