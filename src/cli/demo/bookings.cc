#include "cli/demo/bookings.h"

#include <fmt/format.h>

#include "base/size.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr const char* kSchema[] = {
    "CREATE TABLE hotels (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL)",
    "CREATE TABLE rooms (id text PRIMARY KEY, hotel_id int NOT NULL REFERENCES hotels, sleeps int NOT NULL)",
    "CREATE TABLE bookings (id bigserial PRIMARY KEY, reference text NOT NULL UNIQUE, room_id text NOT NULL "
    "REFERENCES rooms,"
    " check_in date NOT NULL, guests int NOT NULL, price int NOT NULL, note text, booked_at timestamptz NOT "
    "NULL DEFAULT clock_timestamp())",
    "INSERT INTO hotels SELECT i, (ARRAY['桜旅館','Hotel Fuji','海風ホテル','Kyoto Garden "
    "Inn','駅前ホテル','Harbour View'])[1 + i % 6] || ' ' || i,"
    " (ARRAY['東京','京都','大阪','札幌','福岡','那覇'])[1 + i % 6] FROM generate_series(1, 400) i",
    "INSERT INTO rooms SELECT 'room-' || h || '-' || r, h, 1 + r % 4 FROM generate_series(1, 400) h, "
    "generate_series(1, 10) r",
    "INSERT INTO bookings (reference, room_id, check_in, guests, price, note, booked_at)"
    " SELECT 'old-' || i, 'room-' || (1 + i % 400) || '-' || (1 + i % 10), date '2024-06-20' + i % 60, 1 + i "
    "% 4, 6000 + (i * 7919) % 30000,"
    " md5(i::text) || md5((i * 3)::text) || md5((i * 5)::text), now() - (i % 42) * interval '1 day' FROM "
    "generate_series(1, 150000) i",
    "ANALYZE",
};

// reference, room, check-in, guests, price: no field holds a tab.
std::string line_of(const std::string& reference, const Booking& booking) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\n", reference, booking.room, booking.check_in, booking.guests,
                     booking.price);
}

std::string take_field(std::string_view& line) {
  const size_t tab = line.find('\t');
  std::string field(line.substr(0, tab));
  line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  return field;
}

}  // namespace

Status make_hotels(LocalPostgres& server) {
  DR_OK(server.run("CREATE DATABASE lastminutestay", "postgres"));
  DR_TRY(const auto connection, server.connect());
  for (const char* statement : kSchema) DR_OK(connection->query(statement));
  return {};
}

Result<std::unique_ptr<Witness>> Witness::create(FileSystem& fs, const Path& file) {
  std::unique_ptr<Witness> witness(new Witness(fs, file));
  DR_TRY(auto opened, fs.create(file));
  witness->open_.lock()->file = std::move(opened);
  return witness;
}

Status Witness::record(const std::string& reference, const Booking& booking) {
  const std::string line = line_of(reference, booking);
  auto open = open_.lock();
  DR_OK(open->file->write_at(open->end, as_bytes(line)));
  open->end += line.size();
  return {};
}

Result<Bookings> Witness::all() {
  DR_TRY(const Bytes text, read_file(fs_, path_, 1 * kGiB));
  Bookings bookings;
  std::string_view rest = as_text(text);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    const std::string reference = take_field(line);
    Booking& booking = bookings[reference];
    booking.room = take_field(line);
    booking.check_in = take_field(line);
    booking.guests = take_field(line);
    booking.price = take_field(line);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return bookings;
}

Load::Load(LocalPostgres& server, Witness& witness, int clients, const std::string& name)
    : server_(server), witness_(witness), name_(name) {
  for (int i = 0; i < clients; ++i)
    clients_.emplace_back([this, i](std::stop_token stop) { client(std::move(stop), i); });
}

void Load::end() {
  for (std::jthread& client : clients_) client.request_stop();
  clients_.clear();
}

void Load::client(std::stop_token stop, int number) {
  const auto connection = server_.connect();
  if (!connection.ok()) return;
  for (int i = 0; !stop.stop_requested(); ++i) {
    const std::string reference = fmt::format("{}-{}-{:06}", name_, number, i);
    const Booking booking{fmt::format("room-{}-{}", 1 + (i * 17 + number * 53) % 400, 1 + i % 10),
                          fmt::format("2024-07-{:02}", 1 + i % 28), std::to_string(1 + i % 4),
                          std::to_string(6000 + (i * 389 + number) % 30000)};
    const auto booked = (*connection)
                            ->query(
                                "INSERT INTO bookings (reference, room_id, check_in, guests, price) VALUES "
                                "($1, $2, $3, $4, $5)",
                                {reference, booking.room, booking.check_in, booking.guests, booking.price});
    // The server is gone, COMMIT returned with a warning (its wait for the repository was cut short), or
    // the witness could not write: nobody was told, so nothing is promised.
    if (!booked.ok() || !(*connection)->last_warning().empty() || !witness_.record(reference, booking).ok())
      return;
    ++acknowledged_;
  }
}

Result<Comparison> compare(LocalPostgres& server, Witness& witness) {
  DR_TRY(Bookings expected, witness.all());
  DR_TRY(const auto connection, server.connect());
  DR_TRY(const auto rows, connection->query("SELECT reference, room_id, check_in, guests, price FROM "
                                            "bookings WHERE reference NOT LIKE 'old-%'"));
  Comparison out;
  out.acknowledged = expected.size();
  for (const postgres::SqlRow& row : rows) {
    const auto found = expected.find(row[0].value_or(""));
    if (found == expected.end()) {
      ++out.unannounced;
      continue;
    }
    const Booking stored{row[1].value_or(""), row[2].value_or(""), row[3].value_or(""), row[4].value_or("")};
    ++(stored == found->second ? out.found : out.different);
    expected.erase(found);
  }
  out.missing = expected.size();
  return out;
}

}  // namespace daruma
