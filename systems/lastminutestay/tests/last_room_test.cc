// Goal: a night is sold once, whatever happens: of 64 clients fighting for the last room exactly one wins,
//       and what was acknowledged exists exactly once.
// Method: every client asks for the same nights with a key of its own until it has an answer (201 or 409),
//         while workers are killed by SIGKILL and PostgreSQL's connections are cut. Round after round, each
//         for another night.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <set>
#include <thread>

#include "fmt/format.h"
#include "lastminutestay/tests/backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;

constexpr int kClients = 64;
constexpr int kRounds = 5;

struct Outcome {
  int status = 0;
  std::string booking;  // its id, where it was acknowledged
  int tries = 0;
};

class LastRoom : public testing::Test {
 protected:
  // Asks until there is an answer: a connection that broke, 502 and 503 are none.
  Outcome fight(const std::string& body, const std::string& key) {
    Outcome outcome;
    for (outcome.tries = 1; outcome.tries < 500; ++outcome.tries) {
      const Reply reply = backend_.book(body, key);
      outcome.status = reply.status;
      if (reply.status == 201) outcome.booking = std::string(reply.json().at("id").as_string());
      if (reply.status == 201 || reply.status == 409) break;
      backend_.clock().pause(std::chrono::milliseconds(20));
    }
    return outcome;
  }

  std::vector<Outcome> all_fight_for(const std::string& night, const std::string& next) {
    const std::string body =
        fmt::format(R"({{"roomId":"test-room-id","checkIn":"{}","checkOut":"{}","guests":2}})", night, next);
    std::vector<Outcome> outcomes(kClients);
    std::vector<std::jthread> clients;
    for (int client = 0; client < kClients; ++client)
      clients.emplace_back([&, client] {
        outcomes[static_cast<size_t>(client)] = fight(body, fmt::format("{}-client-{}", night, client));
      });
    clients.clear();
    return outcomes;
  }

  void kill_a_worker() {
    const auto workers = backend_.workers();
    if (!workers.empty()) ::kill(workers[static_cast<size_t>(kills_++) % workers.size()], SIGKILL);
  }
  void cut_connections() {
    const auto cut = backend_.postgres().try_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = 'lastminutestay' AND pid <> pg_backend_pid()");
    EXPECT_TRUE(cut.ok());
  }

  // The booking of the night that the database has; "" for none, and there are never two.
  std::vector<std::string> sold(const std::string& night) {
    std::vector<std::string> ids;
    for (const auto& row : backend_.postgres().sql("SELECT id FROM bookings WHERE room_id = 'test-room-id' "
                                                   "AND status <> 'cancelled' AND check_in = '" +
                                                       night + "'",
                                                   "lastminutestay"))
      ids.push_back(*row[0]);
    return ids;
  }

  Backend backend_;
  int kills_ = 0;
};

TEST_F(LastRoom, ExactlyOneWinsWhileWorkersAndConnectionsDie) {
  int tries = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string night = fmt::format("2024-07-{:02}", 1 + round);
    std::atomic<bool> over = false;
    std::jthread trouble([&] {
      while (!over) {
        cut_connections();
        backend_.clock().pause(std::chrono::milliseconds(10));
        cut_connections();
        backend_.clock().pause(std::chrono::milliseconds(10));
        if (kills_ <= round) kill_a_worker();  // one a round: who dies often is made to wait
      }
    });
    // Trouble goes on for a while, not for ever: at the end everybody gets an answer.
    std::jthread peace([&] {
      backend_.clock().pause(std::chrono::milliseconds(400));
      over = true;
    });
    const auto outcomes = all_fight_for(night, fmt::format("2024-07-{:02}", 2 + round));
    peace.join();
    trouble.join();
    std::set<std::string> acknowledged;
    for (const Outcome& outcome : outcomes) {
      tries += outcome.tries;
      EXPECT_TRUE(outcome.status == 201 || outcome.status == 409) << night << ": " << outcome.status;
      if (!outcome.booking.empty()) acknowledged.insert(outcome.booking);
    }
    const auto winners = std::count_if(outcomes.begin(), outcomes.end(),
                                       [](const Outcome& outcome) { return outcome.status == 201; });
    EXPECT_EQ(winners, 1) << night;
    EXPECT_THAT(sold(night), testing::UnorderedElementsAreArray(acknowledged)) << night;
  }
  fmt::print("{} rounds of {} clients, {} requests, {} workers killed\n", kRounds, kClients, tries, kills_);
  EXPECT_GT(tries, kRounds * kClients) << "nobody was disturbed: the test tests nothing";
  const auto checked = backend_.check_integrity();
  EXPECT_EQ(checked.code, 0) << checked.output;
}

// A client that got no answer repeats itself with the same key: its booking is there once, and it is told so, not that
// somebody has taken the room. Every client has a room of its own, so nobody else can.
TEST_F(LastRoom, EveryAcknowledgedBookingExistsExactlyOnce) {
  constexpr int kGuests = 16;
  constexpr int kNights = 25;
  const auto rooms = backend_.postgres().sql(
      "SELECT id FROM rooms ORDER BY id LIMIT " + std::to_string(kGuests), "lastminutestay");
  std::vector<std::vector<Outcome>> outcomes(kGuests, std::vector<Outcome>(kNights));
  std::atomic<bool> over = false;
  std::jthread trouble([&] {
    for (int round = 0; !over; ++round) {
      backend_.clock().pause(std::chrono::milliseconds(50));
      if (round % 3 == 0) kill_a_worker();
      if (round % 3 == 1) cut_connections();
    }
  });
  {
    std::vector<std::jthread> guests;
    for (size_t guest = 0; guest < kGuests; ++guest)
      guests.emplace_back([&, guest] {
        for (int night = 0; night < kNights; ++night)
          outcomes[guest][static_cast<size_t>(night)] = fight(
              fmt::format(
                  R"({{"roomId":"{}","checkIn":"2024-09-{:02}","checkOut":"2024-09-{:02}","guests":1}})",
                  *rooms[guest][0], 1 + night, 2 + night),
              fmt::format("guest-{}-night-{}", guest, night));
      });
    backend_.clock().pause(std::chrono::milliseconds(1500));
    over = true;
  }
  trouble.join();
  for (size_t guest = 0; guest < kGuests; ++guest) {
    const auto found =
        backend_.postgres().sql("SELECT id FROM bookings WHERE check_in >= '2024-09-01' AND room_id = '" +
                                    *rooms[guest][0] + "' ORDER BY check_in",
                                "lastminutestay");
    ASSERT_EQ(found.size(), static_cast<size_t>(kNights)) << *rooms[guest][0];
    for (size_t night = 0; night < kNights; ++night) {
      EXPECT_EQ(outcomes[guest][night].status, 201) << *rooms[guest][0];
      EXPECT_EQ(*found[night][0], outcomes[guest][night].booking);
    }
  }
  fmt::print("{} bookings, {} workers killed\n", kGuests * kNights, kills_);
  const auto checked = backend_.check_integrity();
  EXPECT_EQ(checked.code, 0) << checked.output;
}

}  // namespace
}  // namespace lastminutestay
