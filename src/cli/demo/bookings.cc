#include "cli/demo/bookings.h"

#include <fmt/format.h>

#include <chrono>

#include "base/size.h"
#include "os/files.h"

namespace daruma {
namespace {

// id, room, check-in, check-out, guests, total: no field holds a tab.
std::string line_of(const std::string& id, const Booking& booking) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", id, booking.room, booking.check_in, booking.check_out,
                     booking.guests, booking.total);
}

std::string take_field(std::string_view& line) {
  const size_t tab = line.find('\t');
  std::string field(line.substr(0, tab));
  line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  return field;
}

// `days` after kFirstNight, as YYYY-MM-DD.
std::string night(size_t days) {
  using namespace std::chrono;
  const year_month_day date(sys_days(2024y / December / 1d) + std::chrono::days(days));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace

Result<std::unique_ptr<Witness>> Witness::create(FileSystem& fs, const Path& file) {
  std::unique_ptr<Witness> witness(new Witness(fs, file));
  DR_TRY(auto opened, fs.create(file));
  witness->open_.lock()->file = std::move(opened);
  return witness;
}

Status Witness::record(const std::string& id, const Booking& booking) {
  const std::string line = line_of(id, booking);
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
    Booking& booking = bookings[take_field(line)];
    booking.room = take_field(line);
    booking.check_in = take_field(line);
    booking.check_out = take_field(line);
    booking.guests = take_field(line);
    booking.total = take_field(line);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return bookings;
}

Load::Load(const HotelApi& api, Witness& witness, std::vector<std::string> rooms, int clients)
    : witness_(witness), rooms_(std::move(rooms)) {
  const auto count = static_cast<size_t>(clients);
  for (size_t i = 0; i < count; ++i)
    clients_.emplace_back([this, i, count, client = api.client()](std::stop_token stop) mutable {
      this->client(std::move(stop), i, count, std::move(client));
    });
}

void Load::end() {
  for (std::jthread& client : clients_) client.request_stop();
  clients_.clear();
}

void Load::client(std::stop_token stop, size_t number, size_t clients, std::unique_ptr<BookingClient> api) {
  for (size_t i = number; !stop.stop_requested(); i += clients) {
    const size_t days = i / rooms_.size();
    Booking booking{rooms_[i % rooms_.size()], night(days), night(days + 1), "1", ""};
    const auto booked = api->book(booking, fmt::format("load-{}", i));
    // No 201, or the witness could not write: nobody was told, so nothing is promised.
    if (!booked.ok()) return;
    booking.total = booked->total;
    if (!witness_.record(booked->id, booking).ok()) return;
    ++acknowledged_;
  }
}

Result<Comparison> compare(LocalPostgres& server, Witness& witness) {
  DR_TRY(Bookings expected, witness.all());
  DR_TRY(const auto connection, server.connect());
  DR_TRY(const auto rows,
         connection->query("SELECT id, room_id, check_in, check_out, guests, total_yen FROM bookings JOIN "
                           "booking_totals ON booking_id = id WHERE check_in >= $1",
                           {std::string(kFirstNight)}));
  Comparison out;
  out.acknowledged = expected.size();
  for (const postgres::SqlRow& row : rows) {
    const auto found = expected.find(row[0].value_or(""));
    if (found == expected.end()) {
      ++out.unannounced;
      continue;
    }
    const Booking stored{row[1].value_or(""), row[2].value_or(""), row[3].value_or(""), row[4].value_or(""),
                         row[5].value_or("")};
    ++(stored == found->second ? out.found : out.different);
    expected.erase(found);
  }
  out.missing = expected.size();
  return out;
}

}  // namespace daruma
