// Goal: the integrity script says yes to what the generator makes and names the rule that is broken, for
//       each rule.
// Method: constraints are taken away as damage would, a row is broken, and the script must end with an
//         error that names the rule; then the next one on a fresh copy of the database.
#include <gmock/gmock.h>

#include "lastminutestay/database/load.h"
#include "os/file_system.h"
#include "service/migrations.h"
#include "support/postgres_server.h"

namespace lastminutestay {
namespace {

using daruma::service::PostgresSession;
using testing::HasSubstr;

struct Damage {
  const char* name;
  const char* sql;
  const char* rule;
};

constexpr Damage kDamages[] = {
    {"TwoInARoom",
     "ALTER TABLE bookings DROP CONSTRAINT bookings_no_overlap;"
     "INSERT INTO bookings (id, room_id, room_number, customer_id, check_in, check_out, guests)"
     " SELECT gen_random_uuid(), room_id, room_number, customer_id, check_in, check_out, 1 FROM bookings"
     " WHERE status = 'confirmed' LIMIT 1",
     "no two bookings of a room share a night"},
    {"NoRoom",
     "ALTER TABLE bookings DISABLE TRIGGER ALL; UPDATE bookings SET room_id = 'gone' WHERE id ="
     " (SELECT id FROM bookings LIMIT 1); ALTER TABLE bookings ENABLE TRIGGER ALL",
     "every booking has its room and its customer"},
    {"NoHotel",
     "ALTER TABLE rooms DISABLE TRIGGER ALL; UPDATE rooms SET hotel_id = 0 WHERE id = 'test-room-id';"
     " ALTER TABLE rooms ENABLE TRIGGER ALL",
     "every room has its hotel"},
    {"NightWithoutBooking",
     "ALTER TABLE booking_nights DISABLE TRIGGER ALL;"
     "INSERT INTO booking_nights VALUES (gen_random_uuid(), '2024-06-21', 1); "
     "ALTER TABLE booking_nights ENABLE TRIGGER ALL",
     "every night and every total has its booking"},
    {"NightMissing", "DELETE FROM booking_nights WHERE ctid = (SELECT ctid FROM booking_nights LIMIT 1)",
     "every booking has a price for each of its nights"},
    {"WrongTotal",
     "UPDATE booking_totals SET total_yen = total_yen + 1 WHERE ctid ="
     " (SELECT ctid FROM booking_totals LIMIT 1)",
     "every total is the sum of its nights"},
    {"TooManyGuests", "UPDATE bookings SET guests = 11 WHERE ctid = (SELECT ctid FROM bookings LIMIT 1)",
     "no room sleeps more guests than it can"},
    {"HalfCancelled",
     "ALTER TABLE bookings DROP CONSTRAINT bookings_check1; UPDATE bookings SET cancelled_at = now() WHERE "
     "ctid ="
     " (SELECT ctid FROM bookings WHERE status = 'confirmed' LIMIT 1)",
     "a booking is cancelled exactly when"},
    {"KeyOfAnother",
     "INSERT INTO idempotency_keys SELECT (SELECT max(id) FROM customers WHERE id <> b.customer_id), 'k',"
     " sha256('x'), b.id FROM bookings b LIMIT 1",
     "every idempotency key leads to a booking of its customer"},
    {"Twice",
     "ALTER TABLE hotels DROP CONSTRAINT hotels_pkey CASCADE; INSERT INTO hotels SELECT * FROM hotels LIMIT "
     "1",
     "nothing is there twice"},
    {"ConstraintGone", "ALTER TABLE bookings DROP CONSTRAINT bookings_no_overlap",
     "constraints, indexes and triggers are there"},
    {"TriggerOff", "ALTER TABLE bookings DISABLE TRIGGER ALL", "constraints, indexes and triggers are there"},
    {"HistoryWithHole", "DELETE FROM schema_migrations WHERE number = 1", "history has no hole"},
};

class Integrity : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<daruma::PostgresServer>();
    server_->start();
    server_->sql("CREATE DATABASE sound");
    daruma::service::PostgresSettings to;
    const auto at = server_->settings();
    to.host = at.host;
    to.port = at.port;
    to.user = "postgres";
    to.database = "sound";
    auto session = PostgresSession::connect(to);
    ASSERT_TRUE(session.ok()) << session.error().what;
    const auto fs = daruma::real_file_system();
    const auto ran = daruma::service::migrate(*session, *fs, LASTMINUTESTAY_MIGRATIONS);
    ASSERT_TRUE(ran.ok()) << ran.error().what;
    const auto loaded =
        load_dataset(*session, {.seed = 7, .hotels = 20, .business_date = *parse_date("2024-06-20")}, false);
    ASSERT_TRUE(loaded.ok()) << loaded.error().what;
    const auto again =
        load_dataset(*session, {.seed = 7, .hotels = 20, .business_date = *parse_date("2024-06-20")}, false);
    EXPECT_TRUE(again.is(daruma::Errc::kRefused)) << "what is there is not overwritten";
  }
  static void TearDownTestSuite() { server_.reset(); }

  static daruma::ProcessExit check(const std::string& database) {
    return server_->tool("psql", {"-U", "postgres", "-d", database, "-f", LASTMINUTESTAY_INTEGRITY});
  }

  static std::unique_ptr<daruma::PostgresServer> server_;
};
std::unique_ptr<daruma::PostgresServer> Integrity::server_;

TEST_F(Integrity, OfWhatTheGeneratorMakesIsWhole) {
  const auto checked = check("sound");
  EXPECT_EQ(checked.code, 0) << checked.output;
  EXPECT_THAT(checked.output, HasSubstr("All rules hold."));
}

TEST_F(Integrity, EveryBrokenRuleIsFoundAndNamed) {
  for (const Damage& damage : kDamages) {
    server_->sql("CREATE DATABASE broken TEMPLATE sound");
    const auto done =
        server_->tool("psql", {"-q", "-d", "broken", "-v", "ON_ERROR_STOP=1", "-c", damage.sql});
    ASSERT_EQ(done.code, 0) << damage.name << "\n" << done.output;
    const auto checked = check("broken");
    EXPECT_EQ(checked.code, 3) << damage.name << "\n" << checked.output;
    EXPECT_THAT(checked.output, HasSubstr("BROKEN")) << damage.name;
    EXPECT_THAT(checked.output, testing::ContainsRegex(std::string("integrity is broken: .*") + damage.rule))
        << damage.name;
    server_->sql("DROP DATABASE broken WITH (FORCE)");
  }
}

}  // namespace
}  // namespace lastminutestay
