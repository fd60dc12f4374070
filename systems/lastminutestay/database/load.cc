#include "lastminutestay/database/load.h"

namespace lastminutestay {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::Status;
using daruma::service::PostgresSession;

constexpr const char* kEmptyAll =
    "TRUNCATE hotels, rooms, last_minute_prices, customers, bookings, booking_nights, booking_totals,"
    " idempotency_keys RESTART IDENTITY";

// What is checked row by row while rows come in. Put back after the last row it is checked all at once, which
// takes a third of the time.
constexpr const char* kCheckedPerRow =
    "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE contype IN ('f', 'x') AND connamespace = 'public'::regnamespace ORDER BY contype DESC, conname";

Status fill(PostgresSession& session, const std::vector<TableRows>& tables, bool replace) {
  DR_TRY(const auto hotels, session.run("SELECT EXISTS (SELECT FROM hotels)"));
  if (hotels[0][0] == "t" && !replace)
    return Error{Errc::kRefused, "the database has hotels already",
                 "generate --replace removes all hotels, rooms and bookings that are there"};
  DR_OK(session.run(kEmptyAll));
  DR_TRY(const auto constraints, session.run(kCheckedPerRow));
  for (const auto& constraint : constraints)
    DR_OK(session.run("ALTER TABLE " + *constraint[0] + " DROP CONSTRAINT " + *constraint[1]));
  for (const TableRows& table : tables) {
    auto copied = session.copy_in(table.copy, table.text);
    if (!copied.ok()) return std::move(copied).error().in(table.copy);
  }
  DR_OK(session.run("SELECT setval(pg_get_serial_sequence('rooms', 'number'), max(number)) FROM rooms"));
  for (const auto& constraint : constraints)
    DR_OK(session.run("ALTER TABLE " + *constraint[0] + " ADD CONSTRAINT " + *constraint[1] + " " +
                      *constraint[2]));
  return {};
}

}  // namespace

Result<Loaded> load_dataset(PostgresSession& session, const DatasetPlan& plan, bool replace) {
  const std::vector<TableRows> tables = make_dataset(plan);
  DR_OK(session.run("BEGIN"));
  if (auto filled = fill(session, tables, replace); !filled.ok()) {
    static_cast<void>(session.run("ROLLBACK"));  // the first error is the one to tell
    return std::move(filled).error();
  }
  DR_OK(session.run("COMMIT"));
  // Ours by name: of all others PostgreSQL would say that their owner alone may do that.
  DR_OK(
      session.run("VACUUM (ANALYZE) hotels, rooms, last_minute_prices, customers, bookings, booking_nights,"
                  " booking_totals"));
  const auto rows = [&](std::string_view table) {
    for (const TableRows& made : tables)
      if (std::string_view(made.copy).starts_with(table)) return made.rows;
    return uint64_t{0};
  };
  return Loaded{rows("hotels"), rows("rooms"), rows("customers"), rows("bookings")};
}

}  // namespace lastminutestay
