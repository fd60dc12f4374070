// Goal: every endpoint of the manual answers as requirements L2 to L8 say.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "lastminutestay/tests/backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Manual : public testing::Test {
 protected:
  // One for all: it is only asked here.
  static void SetUpTestSuite() { backend_ = std::make_unique<Backend>(); }
  static void TearDownTestSuite() { backend_.reset(); }
  static Backend& backend() { return *backend_; }
  Headers as(const std::string& token) const { return {{"Authorization", "Bearer " + token}}; }

  static std::unique_ptr<Backend> backend_;
};
std::unique_ptr<Backend> Manual::backend_;

TEST_F(Manual, TheSearchFindsRoomsForTheNightThatTheManualNames) {
  const Reply reply = backend().get(Backend::kSearch);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto answer = reply.json();
  EXPECT_EQ(answer.at("degraded"), false);
  ASSERT_FALSE(answer.at("hotels").as_array().empty());
  const auto& hotel = answer.at("hotels").at(0);
  EXPECT_TRUE(hotel.as_object().contains("rating")) << "enriched by HotelDataAPI";
  EXPECT_GE(hotel.at("rooms").at(0).at("sleeps").as_int64(), 2);
  EXPECT_EQ(answer.at("rooms").as_int64(), 20);
}

TEST_F(Manual, AnAnswerComesFromTheCacheTheSecondTime) {
  const std::string search = "/api/hotels/search?checkIn=2024-06-23&checkOut=2024-06-25&guests=3";
  const Reply first = backend().get(search);
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(first.header("X-Source"), "made");
  const Reply second = backend().get(search);
  EXPECT_THAT(second.header("X-Source"), testing::AnyOf("near", "cache"));
  EXPECT_EQ(second.body, first.body);
}

TEST_F(Manual, ASearchMayNameACityInEitherLanguage) {
  const std::string of = "/api/hotels/search?checkIn=2024-06-21&checkOut=2024-06-22&guests=1&city=";
  const auto english = backend().get(of + "tokyo").json();
  const auto japanese = backend().get(of + "%E6%9D%B1%E4%BA%AC").json();
  ASSERT_FALSE(english.at("hotels").as_array().empty());
  EXPECT_EQ(english.at("hotels"), japanese.at("hotels"));
  for (const auto& hotel : english.at("hotels").as_array()) EXPECT_EQ(hotel.at("city").at("en"), "Tokyo");
  EXPECT_TRUE(backend().get(of + "Atlantis").json().at("hotels").as_array().empty());
}

TEST_F(Manual, ASearchThatMakesNoSenseIsToldWhy) {
  const Reply cut_off = backend().get("/api/hotels/search?checkIn=2024-06-21");
  EXPECT_EQ(cut_off.status, 400);
  EXPECT_EQ(cut_off.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(std::string(cut_off.json().at("detail").as_string()), StartsWith("checkOut is missing"));
  EXPECT_EQ(backend().get("/api/hotels/search?checkIn=2024-06-19&checkOut=2024-06-22&guests=2").status, 400);
  EXPECT_EQ(backend().get("/api/hotels/search?checkIn=2024-06-22&checkOut=2024-06-21&guests=2").status, 400);
}

TEST_F(Manual, ABookingIsMadeReadFoundTakenAndCancelled) {
  const Reply made = backend().book(Backend::kBooking);
  ASSERT_EQ(made.status, 201) << made.body;
  const auto booking = made.json();
  EXPECT_EQ(booking.at("roomId"), "test-room-id");
  EXPECT_EQ(booking.at("total"), 12000);
  EXPECT_EQ(booking.at("status"), "confirmed");
  const std::string place = made.header("Location");

  EXPECT_EQ(backend().book(Backend::kBooking).status, 409);
  const Reply read = backend().get(place, as(backend().test_token()));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.json(), booking);

  const Reply cancelled = backend().send("DELETE", place, "", as(backend().test_token()));
  EXPECT_EQ(cancelled.status, 200);
  EXPECT_EQ(cancelled.json().at("status"), "cancelled");
  EXPECT_EQ(backend().send("DELETE", place, "", as(backend().test_token())).status, 200)
      << "again is no harm";
  const Reply again = backend().book(Backend::kBooking);
  EXPECT_EQ(again.status, 201) << "the room is free again";
  EXPECT_EQ(backend().send("DELETE", again.header("Location"), "", as(backend().test_token())).status, 200);
}

TEST_F(Manual, ABookingNeedsATokenThatHolds) {
  EXPECT_EQ(backend().send("POST", "/api/bookings", Backend::kBooking).status, 401);
  EXPECT_THAT(backend().send("POST", "/api/bookings", Backend::kBooking).header("WWW-Authenticate"),
              StartsWith("Bearer"));
  std::string forged = backend().test_token();
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(backend().send("POST", "/api/bookings", Backend::kBooking, as(forged)).status, 401);
  EXPECT_EQ(backend().send("POST", "/api/bookings", Backend::kBooking, as("")).status, 401);
}

TEST_F(Manual, ABookingThatBreaksARuleIsToldWhich) {
  const auto status = [&](const std::string& body) { return backend().book(body).status; };
  EXPECT_EQ(status("{"), 400);
  EXPECT_EQ(status(R"({"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22"})"), 422);
  EXPECT_EQ(status(R"({"roomId":"test-room-id","checkIn":"2024-06-19","checkOut":"2024-06-22","guests":2})"),
            422);
  const Reply crowd = backend().book(
      R"({"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":5})");
  EXPECT_EQ(crowd.status, 422);
  EXPECT_EQ(crowd.json().at("detail"), "guests: room 'test-room-id' sleeps 4, not 5");
  EXPECT_EQ(status(R"({"roomId":"nowhere","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":1})"), 422);
  EXPECT_EQ(status(std::string(5000, ' ')), 413);
}

TEST_F(Manual, TheSameKeyGivesTheSameBookingAndNoSecondOne) {
  const std::string body =
      R"({"roomId":"test-room-id","checkIn":"2024-07-01","checkOut":"2024-07-02","guests":2})";
  const Reply first = backend().book(body, "key-of-this-test");
  ASSERT_EQ(first.status, 201);
  const Reply second = backend().book(body, "key-of-this-test");
  EXPECT_EQ(second.status, 201);
  EXPECT_EQ(second.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(second.body, first.body);
  const std::string other =
      R"({"roomId":"test-room-id","checkIn":"2024-07-03","checkOut":"2024-07-04","guests":2})";
  EXPECT_EQ(backend().book(other, "key-of-this-test").status, 422);
  EXPECT_EQ(backend().book(other, "a b").status, 422);
}

TEST_F(Manual, ABookingIsItsOwnersAndTheOperatorsToSee) {
  const std::string body =
      R"({"roomId":"test-room-id","checkIn":"2024-07-10","checkOut":"2024-07-11","guests":2})";
  const Reply made = backend().book(body);
  ASSERT_EQ(made.status, 201);
  const std::string place = made.header("Location");
  const std::string other = backend().token({"--subject", "somebody-else"});
  EXPECT_EQ(backend().get(place).status, 401);
  EXPECT_EQ(backend().get(place, as(other)).status, 404);
  EXPECT_EQ(backend().send("DELETE", place, "", as(other)).status, 404);
  EXPECT_EQ(backend().get(place, as(backend().token({"--role", "operator"}))).status, 200);
  EXPECT_EQ(backend().get("/api/bookings/not-an-id", as(other)).status, 404);
}

TEST_F(Manual, HealthIsShortAndInDetail) {
  const Reply brief = backend().get("/monitoring/health");
  EXPECT_EQ(brief.status, 200);
  EXPECT_NE(brief.json().at("status"), "fail");  // this machine may be short of disk
  const Reply detailed = backend().get("/monitoring/health/detailed");
  EXPECT_EQ(detailed.status, 200);
  for (const char* of : {"PostgreSQL", "Redis", "HotelDataAPI", "disk", "memory", "eventLoop"})
    EXPECT_THAT(detailed.body, HasSubstr(of));
}

TEST_F(Manual, TheBreakerIsShownAndReset) {
  EXPECT_EQ(backend().breaker_state(), "CLOSED");
  const std::string reset = "/monitoring/circuit-breakers/HotelDataAPI/reset";
  EXPECT_EQ(backend().send("POST", reset).status, 200);
  EXPECT_EQ(backend().send("POST", "/monitoring/circuit-breakers/Nobody/reset").status, 404);
  EXPECT_EQ(backend().send("POST", reset, "", {{"Origin", "http://elsewhere.example"}}).status, 401)
      << "a page's";
  EXPECT_EQ(backend().send("POST", reset, "", as(backend().test_token())).status, 403);
  EXPECT_EQ(backend().send("POST", reset, "", as(backend().token({"--role", "operator"}))).status, 200);
  backend().wait_until("both resets are in the audit log", [&] {
    return backend().postgres().value("SELECT count(*) FROM audit_log", "lastminutestay") == "2";
  });
  const auto lines = backend().error_lines();
  EXPECT_EQ(std::count_if(
                lines.begin(), lines.end(),
                [](const std::string& line) { return line.find("circuit breaker reset by") != line.npos; }),
            2);
}

TEST_F(Manual, MetricsAreThereForTheWholeService) {
  backend().get(Backend::kSearch);
  const std::string text = backend().get("/monitoring/metrics").body;
  for (const char* family :
       {"http_requests_total", "http_request_duration_seconds_bucket", "circuit_breaker_state",
        "search_answers_total", "bookings_total", "postgres_pool_connections"})
    EXPECT_THAT(text, HasSubstr(family));
}

TEST_F(Manual, TheLogsAreLinesOfJsonWithTheStatusCode) {
  backend().get("/nowhere", {{"X-Request-Id", "seen-in-the-log"}});
  backend().wait_until("the line is in http.log", [&] {
    for (const std::string& line : backend().access_lines())
      if (line.find("seen-in-the-log") != line.npos)
        return boost::json::parse(line).at("statusCode").as_int64() == 404;
    return false;
  });
}

TEST_F(Manual, TheIntegrityScriptFindsNothingWrong) {
  const auto checked = backend().check_integrity();
  EXPECT_EQ(checked.code, 0) << checked.output;
  EXPECT_THAT(checked.output, HasSubstr("All rules hold."));
}

}  // namespace
}  // namespace lastminutestay
