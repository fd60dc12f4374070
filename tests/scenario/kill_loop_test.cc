// Goal: nothing acknowledged is lost, whatever is killed.
// Method: eight clients book against a server that commits synchronously into the repository; at a random
// moment the server, `daruma serve` or both die by SIGKILL; the newest point is restored and every booking
// that was acknowledged is looked up in it, one by one. The next round goes on with the restored server, so
// timelines pile up. DARUMA_SEED repeats the choices of a run, DARUMA_KILL_ROUNDS says how many rounds.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "os/environment.h"
#include "os/files.h"
#include "support/booking_load.h"
#include "support/daruma_program.h"

namespace daruma {
namespace {

constexpr int kClients = 8;
constexpr int kRounds = 4;

enum class Victim : uint8_t { kServer, kDaruma, kBoth };
constexpr std::array kVictims = {Victim::kServer, Victim::kDaruma, Victim::kBoth};

const char* name_of(Victim victim) {
  return victim == Victim::kServer ? "server" : victim == Victim::kDaruma ? "daruma serve" : "both";
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const auto text = environment_variable(name);
  return text ? std::stoull(*text) : otherwise;
}

uint64_t fresh_seed() {
  std::array<std::byte, 4> bytes{};
  real_random()->fill(bytes);
  uint64_t seed = 0;
  for (const std::byte byte : bytes) seed = seed << 8 | std::to_integer<uint64_t>(byte);
  return seed;
}

class KillLoop : public testing::Test {
 protected:
  KillLoop() {
    fmt::print("DARUMA_SEED={}\n", seed_);
    server_.start();
    create_booking_tables(server_);
    daruma_.must({"init"});
    daruma_.start_serving();
    daruma_.wait_for_green();
  }

  uint64_t any(uint64_t least, uint64_t most) {
    std::array<std::byte, 8> bytes{};
    chance_->fill(bytes);
    uint64_t number = 0;
    for (const std::byte byte : bytes) number = number << 8 | std::to_integer<uint64_t>(byte);
    return least + number % (most - least + 1);
  }
  // Every kind first, in any order; then any.
  Victim next_victim() {
    if (victims_.empty())
      for (const Victim victim : kVictims)
        victims_.insert(victims_.begin() + static_cast<std::ptrdiff_t>(any(0, victims_.size())), victim);
    const Victim victim = victims_.back();
    victims_.pop_back();
    return victim;
  }

  void book_until_some_are_acknowledged(int round) {
    load_.emplace(server_.settings(), witness_, kClients, fmt::format("round-{}", round), any(1, 1 << 30));
    wait_for_more(any(30, 1500));
    fmt::print("round {}: {} of this round acknowledged", round, load_->acknowledged());
  }
  void wait_for_more(uint64_t bookings) {
    const uint64_t until = load_->acknowledged() + bookings;
    daruma_.wait_until("the load", [&] { return load_->acknowledged() >= until; });
  }

  void kill(Victim victim) {
    fmt::print(", kill -9 of {}\n", name_of(victim));
    const bool server_first = any(0, 1) == 1;
    if (victim != Victim::kDaruma && server_first) server_.kill9();
    if (victim != Victim::kServer) daruma_.kill_serving();
    if (victim != Victim::kDaruma && !server_first) server_.kill9();
  }

  // What `daruma serve` left behind is taken up by the next one, and no client notices but by waiting.
  void go_on_after_the_death_of_daruma() {
    daruma_.start_serving();
    wait_for_more(50);
    EXPECT_EQ(load_->failed(), 0);
    load_->end();
    const Path copy = server_.directory() / fmt::format("copy-{}", ++copies_);
    daruma_.must({"restore", "bookings", "--to", copy});
    PostgresServer restored(copy);
    restored.start();
    restored.wait_for_writes();
    expect_everything(restored);
    restored.stop();
    ASSERT_TRUE(remove_tree(daruma_.fs(), copy).ok());
    expect_everything(server_);
  }

  void recover_after_the_death_of_the_server(Victim victim) {
    load_->end();
    daruma_.recover("latest");
    if (victim == Victim::kBoth) daruma_.start_serving();
    expect_everything(server_);
  }

  void expect_everything(PostgresServer& server) {
    const BookingComparison found = compare_bookings(server, witness_);
    fmt::print("  acknowledged {}, found {}, missing {}, different {}, not yet announced {}\n",
               found.acknowledged, found.found, found.missing, found.different, found.unannounced);
    EXPECT_EQ(found.missing, 0u);
    EXPECT_EQ(found.different, 0u);
    EXPECT_EQ(found.holes, 0u);
    EXPECT_EQ(found.torn, 0u);
  }

  const uint64_t seed_ = from_environment("DARUMA_SEED", fresh_seed());
  std::unique_ptr<Random> chance_ = seeded_random(seed_);
  std::vector<Victim> victims_;
  int copies_ = 0;
  // Small segments: the kills meet their ends too.
  PostgresServer server_{{.wal_segment_mib = 1, .configuration = {"max_wal_size = 64MB"}}};
  DarumaProgram daruma_{server_};
  BookingWitness witness_{daruma_.fs(), server_.directory() / "witness.txt"};
  std::optional<BookingLoad> load_;
};

TEST_F(KillLoop, NothingAcknowledgedIsLost) {
  const auto rounds = static_cast<int>(from_environment("DARUMA_KILL_ROUNDS", kRounds));
  for (int round = 1; round <= rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(fmt::format("round {}, DARUMA_SEED={}", round, seed_));
    daruma_.make_synchronous();
    book_until_some_are_acknowledged(round);
    const Victim victim = next_victim();
    kill(victim);
    if (victim == Victim::kDaruma)
      go_on_after_the_death_of_daruma();
    else
      recover_after_the_death_of_the_server(victim);
  }
  daruma_.make_synchronous();
  EXPECT_EQ(daruma_.stop_serving().code, 0);
  daruma_.must({"verify", "--read-data"});
}

TEST_F(KillLoop, WithoutSynchronousCommitTheLossIsTheEndOfWhatEachClientDid) {
  book_until_some_are_acknowledged(1);
  kill(Victim::kServer);
  load_->end();
  daruma_.recover("latest");

  const BookingComparison found = compare_bookings(server_, witness_);
  fmt::print("  not synchronous: acknowledged {}, found {}, lost {}\n", found.acknowledged, found.found,
             found.missing);
  EXPECT_GT(found.found, 0u);
  EXPECT_EQ(found.found + found.missing, found.acknowledged);
  EXPECT_EQ(found.different, 0u);
  EXPECT_EQ(found.holes, 0u);
  EXPECT_EQ(found.torn, 0u);
}

}  // namespace
}  // namespace daruma
