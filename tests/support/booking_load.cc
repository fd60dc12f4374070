#include "support/booking_load.h"

#include <charconv>

#include "fmt/format.h"
#include "os/files.h"

namespace daruma {

namespace {

// One transaction that changes two tables.
constexpr const char* kBook =
    "WITH booking AS (INSERT INTO bookings (client, number, payload) VALUES ($1, $2, $3))"
    " INSERT INTO clients AS c (client, bookings) VALUES ($1, 1)"
    " ON CONFLICT (client) DO UPDATE SET bookings = c.bookings + 1";
constexpr uint64_t kPayloadMax = 600;

uint64_t next(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

std::string make_payload(uint64_t& state) {
  std::string out;
  for (uint64_t left = next(state) % kPayloadMax; left > 0; --left)
    out += static_cast<char>('a' + next(state) % 26);
  return out;
}

std::string take_field(std::string_view& line) {
  const size_t tab = line.find('\t');
  std::string field(line.substr(0, tab));
  line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  return field;
}

uint64_t to_number(std::string_view digits) {
  uint64_t number = 0;
  DR_CHECK(std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc());
  return number;
}

}  // namespace

BookingWitness::BookingWitness(FileSystem& fs, Path file) : fs_(fs), path_(std::move(file)) {
  auto created = fs.create(path_);
  DR_CHECK(created.ok());
  open_.lock()->file = *std::move(created);
}

void BookingWitness::record(const std::string& client, uint64_t number, const std::string& payload) {
  const std::string line = fmt::format("{}\t{}\t{}\n", client, number, payload);
  auto open = open_.lock();
  DR_CHECK(open->file->write_at(open->end, as_bytes(line)).ok());
  open->end += line.size();
}

std::map<std::pair<std::string, uint64_t>, std::string> BookingWitness::all() {
  const auto text = read_file(fs_, path_, 1 << 30);
  DR_CHECK(text.ok());
  std::map<std::pair<std::string, uint64_t>, std::string> out;
  std::string_view rest = as_text(*text);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    const std::string client = take_field(line);
    const uint64_t number = to_number(take_field(line));
    out[{client, number}] = std::string(line);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return out;
}

void create_booking_tables(PostgresServer& server) {
  server.sql(
      "CREATE TABLE bookings (client text, number int, payload text NOT NULL, PRIMARY KEY (client, number))");
  server.sql("CREATE TABLE clients (client text PRIMARY KEY, bookings int NOT NULL)");
}

BookingLoad::BookingLoad(const postgres::ConnectionSettings& to, BookingWitness& witness, int clients,
                         const std::string& name, uint64_t seed)
    : to_(to), witness_(witness) {
  for (int i = 0; i < clients; ++i)
    clients_.emplace_back([this, client_name = fmt::format("{}-{}", name, i), own = (seed + 1) * 8191 + i](
                              std::stop_token stop) { client(std::move(stop), client_name, own); });
}

void BookingLoad::end() {
  for (std::jthread& client : clients_) client.request_stop();
  clients_.clear();
}

void BookingLoad::client(std::stop_token stop, const std::string& client, uint64_t seed) {
  const auto connection = postgres::connect_sql(to_, *clock_, clock_->after(60s));
  for (uint64_t number = 1; connection.ok() && !stop.stop_requested(); ++number) {
    const std::string payload = make_payload(seed);
    const auto booked = (*connection)->query(kBook, {client, std::to_string(number), payload});
    if (!booked.ok() || !(*connection)->last_warning().empty()) break;
    witness_.record(client, number, payload);
    ++acknowledged_;
  }
  if (!stop.stop_requested()) ++failed_;
}

BookingComparison compare_bookings(PostgresServer& server, BookingWitness& witness) {
  auto expected = witness.all();
  BookingComparison out;
  out.acknowledged = expected.size();
  struct Client {
    uint64_t bookings = 0;
    uint64_t highest = 0;
  };
  std::map<std::string, Client> clients;
  for (const postgres::SqlRow& row : server.sql("SELECT client, number, payload FROM bookings")) {
    const uint64_t number = to_number(row[1].value());
    Client& client = clients[row[0].value()];
    ++client.bookings;
    client.highest = std::max(client.highest, number);
    const auto found = expected.find({row[0].value(), number});
    if (found == expected.end()) {
      ++out.unannounced;
      continue;
    }
    ++(row[2].value() == found->second ? out.found : out.different);
    expected.erase(found);
  }
  out.missing = expected.size();
  for (const auto& [name, client] : clients) out.holes += client.bookings != client.highest ? 1 : 0;
  for (const postgres::SqlRow& row : server.sql("SELECT client, bookings FROM clients")) {
    const auto client = clients.find(row[0].value());
    out.torn += client == clients.end() || client->second.bookings != to_number(row[1].value()) ? 1 : 0;
    clients.erase(row[0].value());
  }
  out.torn += clients.size();  // not counted at all
  return out;
}

}  // namespace daruma
