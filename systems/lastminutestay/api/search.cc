#include "lastminutestay/api/search.h"

#include "lastminutestay/api/search_answer.h"
#include "lastminutestay/api/search_rooms.h"

namespace lastminutestay {
namespace {

using daruma::Breaker;
using daruma::Error;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Severity;
using daruma::service::Task;

constexpr const char* kFromCache = "HotelDataAPI does not answer: served from the cache";
constexpr const char* kWithoutFacts = "HotelDataAPI does not answer: without ratings and photos";
constexpr const char* kNoRooms = "PostgreSQL does not answer: served from the cache";

}  // namespace

Search::Search(Parts parts) : parts_(std::move(parts)), flights_(parts_.io) {
  for (size_t source = 0; source < kSources; ++source)
    answers_[source] =
        parts_.metrics.counter("search_answers_total", "Searches answered, by where the answer came from",
                               {{"source", std::string(name_of(static_cast<Source>(source)))}});
}

std::string_view Search::name_of(Source source) {
  constexpr std::string_view kNames[kSources] = {"near", "cache", "made", "stale", "plain", "failed"};
  return kNames[static_cast<size_t>(source)];
}

Response Search::response_of(const Answer& answer) const {
  answers_[static_cast<size_t>(answer.source)].add();
  if (answer.source == Source::kFailed) {
    Response response = daruma::service::problem(503, answer.error);
    response.headers.push_back({"Retry-After", "1"});
    return response;
  }
  Response response;
  response.shared_body = answer.body;
  response.headers.reserve(4);
  response.headers.push_back({"Cache-Control", "no-store"});
  response.headers.push_back(
      {"Age", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(answer.age).count())});
  response.headers.push_back({"X-Source", std::string(name_of(answer.source))});
  if (answer.source == Source::kStale) response.headers.push_back({"Warning", "110 - \"Response is Stale\""});
  if (answer.source == Source::kPlain)
    response.headers.push_back({"Warning", "199 - \"Without HotelDataAPI\""});
  response.degraded = answer.source == Source::kStale || answer.source == Source::kPlain;
  return response;
}

std::optional<Response> Search::try_at_once(Request& request) {
  const auto wanted = parse_search(request, parts_.today());
  if (!wanted.ok()) return daruma::service::problem(400, wanted.error().what);
  const std::string key = wanted->key();
  if (const auto cached = parts_.cache.near(key))
    return response_of({.source = Source::kNear, .body = cached->body, .age = cached->age});
  if (const auto degraded = parts_.cache.near_degraded(key))
    return response_of({.source = Source::kStale, .body = degraded->body, .age = degraded->age});
  return std::nullopt;
}

Task<Response> Search::handle(Request& request) {
  const auto wanted = parse_search(request, parts_.today());
  if (!wanted.ok()) co_return daruma::service::problem(400, wanted.error().what);
  const std::string key = wanted->key();
  const std::function<Task<Answer>()> make = [this, wanted = *wanted, key, id = request.id] {
    return answer(wanted, key, id);
  };
  const Answer found = co_await flights_.get(key, make);
  co_return response_of(found);
}

Task<Search::Answer> Search::answer(SearchRequest wanted, std::string key, std::string request_id) {
  const std::optional<Cached> cached = co_await parts_.cache.find(key);
  if (cached && cached->fresh) co_return Answer{Source::kCache, cached->body, cached->age};
  const std::optional<Breaker::Permit> permit = parts_.hotel_data.admit();
  if (permit && !permit->trial) co_return co_await fetch(wanted, key, request_id, *permit, cached);
  if (permit) boost::asio::co_spawn(parts_.io, trial(wanted, key, *permit), boost::asio::detached);
  if (cached) co_return stale_answer(key, *cached, kFromCache);
  co_return co_await without_facts(wanted, key, request_id);
}

Task<Search::Answer> Search::fetch(SearchRequest wanted, std::string key, std::string request_id,
                                   Breaker::Permit permit, std::optional<Cached> stale) {
  const auto rooms =
      co_await find_free_rooms(parts_.postgres, wanted, parts_.clock.after(parts_.query_time_max));
  if (!rooms.ok()) {
    parts_.hotel_data.drop(permit);
    if (!stale) co_return failed(rooms.error(), request_id);
    healed(request_id, "PostgreSQL", rooms.error().what, Source::kStale);
    co_return stale_answer(key, *stale, kNoRooms);
  }
  if (rooms->empty()) {  // nothing to ask about, and a question about nothing is no sign of health or trouble
    parts_.hotel_data.drop(permit);
    co_return nothing_free(wanted, key);
  }
  const auto facts = co_await parts_.hotel_data.ask(permit, hotels_of(*rooms));
  if (facts.ok()) {
    Body body = std::make_shared<const std::string>(search_body(wanted, *rooms, *facts));
    keep(key, body);
    co_return Answer{Source::kMade, std::move(body)};
  }
  healed(request_id, kHotelData, facts.error().what, stale ? Source::kStale : Source::kPlain);
  if (stale) co_return stale_answer(key, *stale, kFromCache);
  co_return Answer{Source::kPlain, std::make_shared<const std::string>(
                                       degraded_body(search_body(wanted, *rooms, {}), {}, kWithoutFacts))};
}

Task<Search::Answer> Search::without_facts(SearchRequest wanted, std::string key, std::string request_id) {
  const auto rooms =
      co_await find_free_rooms(parts_.postgres, wanted, parts_.clock.after(parts_.query_time_max));
  if (!rooms.ok()) co_return failed(rooms.error(), request_id);
  if (rooms->empty()) co_return nothing_free(wanted, key);
  co_return Answer{Source::kPlain, std::make_shared<const std::string>(
                                       degraded_body(search_body(wanted, *rooms, {}), {}, kWithoutFacts))};
}

// Whole as it is: there is no hotel that HotelDataAPI could say something about.
Search::Answer Search::nothing_free(const SearchRequest& wanted, const std::string& key) {
  Body body = std::make_shared<const std::string>(search_body(wanted, {}, {}));
  keep(key, body);
  return {Source::kMade, std::move(body)};
}

Task<void> Search::trial(SearchRequest wanted, std::string key, Breaker::Permit permit) {
  const Answer found = co_await fetch(wanted, key, "", permit, std::nullopt);
  static_cast<void>(found);  // a good one is in the cache now, a bad one is in the breaker and the log
}

Search::Answer Search::stale_answer(const std::string& key, const Cached& stale, std::string_view reason) {
  Body body = std::make_shared<const std::string>(degraded_body(*stale.body, stale.age, reason));
  parts_.cache.put_degraded(key, {body, stale.age});
  return {Source::kStale, std::move(body), stale.age};
}

Search::Answer Search::failed(const Error& error, std::string_view request_id) {
  parts_.log.error({.severity = Severity::kError,
                    .request_id = request_id,
                    .dependency = "PostgreSQL",
                    .message = "search: " + error.what,
                    .recovered = ""});
  return {
      .source = Source::kFailed, .body = {}, .error = "rooms cannot be looked up at the moment: try again"};
}

void Search::keep(const std::string& key, Body body) {
  boost::asio::co_spawn(parts_.io, parts_.cache.put(key, std::move(body)), boost::asio::detached);
}

void Search::healed(std::string_view request_id, std::string_view dependency, const std::string& message,
                    Source by) {
  parts_.log.error({.severity = Severity::kWarning,
                    .request_id = request_id,
                    .dependency = dependency,
                    .message = "search: " + message,
                    .recovered = by == Source::kStale ? "by stale cache" : "by an answer without its facts"});
}

}  // namespace lastminutestay
