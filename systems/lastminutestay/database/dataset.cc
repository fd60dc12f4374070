#include "lastminutestay/database/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "lastminutestay/database/names.h"
#include "os/split_mix.h"

namespace lastminutestay {
namespace {

using std::chrono::days;

constexpr int kDaysBack = 10;
constexpr int kDaysAhead = 21;
constexpr int kOfferDays = 14;
constexpr uint64_t kCancelledPercent = 8;

enum Table : size_t { kHotels, kRooms, kOffers, kCustomers, kBookings, kNights, kTotals, kTables };

std::string replaced(std::string_view pattern, std::string_view brand, std::string_view area) {
  std::string name(pattern);
  name.replace(name.find("{brand}"), 7, brand);
  name.replace(name.find("{area}"), 6, area);
  return name;
}

int rounded_yen(int64_t yen) { return static_cast<int>(std::max<int64_t>(1500, (yen + 50) / 100 * 100)); }

struct Room {
  std::string id;
  uint64_t number = 0;
  int sleeps = 0;
  int price_yen = 0;
};

class Maker {
 public:
  explicit Maker(const DatasetPlan& plan) : plan_(plan), chance_(plan.seed), tables_(kTables) {
    tables_[kHotels].copy =
        "hotels (id, name_ja, name_en, prefecture_ja, prefecture_en, city_ja, city_en, area_ja, area_en, "
        "stars)";
    tables_[kRooms].copy = "rooms (id, hotel_id, type_ja, type_en, sleeps, price_yen, number)";
    tables_[kOffers].copy = "last_minute_prices (room_id, night, price_yen)";
    tables_[kCustomers].copy = "customers (subject, name, email, created_at)";
    tables_[kBookings].copy =
        "bookings (id, room_id, customer_id, check_in, check_out, guests, status, created_at, cancelled_at, "
        "room_number)";
    tables_[kNights].copy = "booking_nights (booking_id, night, price_yen)";
    tables_[kTotals].copy = "booking_totals (booking_id, nights, total_yen)";
    for (int day = -kDaysBack; day <= kDaysAhead + 7; ++day)
      dates_.push_back(to_text(plan.business_date + days(day)));
  }

  std::vector<TableRows> make() {
    customers_ = std::max<uint64_t>(50, plan_.hotels * 3);
    for (uint64_t customer = 1; customer <= customers_; ++customer) add_customer(customer);
    add_staging_hotel();
    for (uint32_t hotel = 2; hotel <= plan_.hotels; ++hotel) add_hotel(hotel);
    return std::move(tables_);
  }

 private:
  template <class... Values>
  void row(Table table, fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(tables_[table].text), format, std::forward<Values>(values)...);
    tables_[table].text += '\n';
    ++tables_[table].rows;
  }
  template <class Kind>
  const Kind& any(std::span<const Kind> of) {
    return of[chance_.below(of.size())];
  }
  bool percent(uint64_t likely) { return chance_.below(100) < likely; }
  // A day counted from the business date.
  const std::string& day(int offset) const { return dates_[static_cast<size_t>(offset + kDaysBack)]; }
  // One after the other: the order in which arguments are made is the compiler's.
  std::string moment(int offset) {
    const auto hour = chance_.below(24);
    const auto minute = chance_.below(60);
    const auto second = chance_.below(60);
    return fmt::format("{} {:02}:{:02}:{:02}+09", to_text(plan_.business_date + days(offset)), hour, minute,
                       second);
  }

  void add_customer(uint64_t number) {
    const Bilingual family = any(family_names());
    const Bilingual given = any(given_names());
    row(kCustomers, "customer-{}\t{} {}\t{}.{}.{}@example.jp\t{}", number, family.ja, given.ja, given.en,
        family.en, number, moment(-60 - static_cast<int>(chance_.below(700))));
  }

  // What the manual's booking test books.
  void add_staging_hotel() {
    row(kHotels,
        "1\tステージング検証ホテル\tStaging Test Hotel\t東京都\tTokyo\t東京\tTokyo\t日本橋\tNihonbashi\t3");
    row(kRooms, "test-room-id\t1\tツイン\tTwin\t4\t12000\t1");
  }

  const City& any_city() {
    uint64_t total = 0;
    for (const City& city : cities()) total += static_cast<uint64_t>(city.weight);
    uint64_t at = chance_.below(total);
    for (const City& city : cities()) {
      if (at < static_cast<uint64_t>(city.weight)) return city;
      at -= static_cast<uint64_t>(city.weight);
    }
    return cities().front();
  }

  void add_hotel(uint32_t number) {
    const City& city = any_city();
    const Bilingual area = city.areas[chance_.below(std::size(city.areas))];
    const Bilingual brand = any(brands());
    const HotelStyle& style = any(hotel_styles());
    row(kHotels, "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", number,
        replaced(style.pattern.ja, brand.ja, area.ja), replaced(style.pattern.en, brand.en, area.en),
        city.prefecture.ja, city.prefecture.en, city.city.ja, city.city.en, area.ja, area.en, style.stars);
    const auto rooms = 3 + chance_.below(7);
    for (uint64_t room = 0; room < rooms; ++room) add_room(number, city, style, room);
  }

  void add_room(uint32_t hotel, const City& city, const HotelStyle& style, uint64_t number) {
    const RoomType* type = nullptr;
    do {
      type = &any(room_types());
    } while (type->japanese && !style.japanese);
    const auto floor = 2 + number / 3 + chance_.below(3);
    Room room;
    room.id = fmt::format("{}-{:05}-{}{:02}", city.code, hotel, floor, number + 1);
    room.sleeps = type->sleeps;
    const int64_t percent_of_house = style.price_percent * (90 + static_cast<int64_t>(chance_.below(21)));
    room.price_yen =
        rounded_yen(type->price_yen * int64_t{city.price_percent} * percent_of_house / 1'000'000);
    room.number = tables_[kRooms].rows + 1;
    row(kRooms, "{}\t{}\t{}\t{}\t{}\t{}\t{}", room.id, hotel, type->name.ja, type->name.en, room.sleeps,
        room.price_yen, room.number);
    add_bookings(room);
  }

  // Likelier sold the nearer the night, and what was sold is sold.
  static uint64_t sold_percent(int offset) {
    if (offset < 0) return 75;
    return static_cast<uint64_t>(std::max(10, 62 - offset * 3 / 2));
  }

  void add_bookings(const Room& room) {
    std::vector<bool> sold(kDaysBack + kDaysAhead + 8);
    for (int offset = -kDaysBack; offset < kDaysAhead;) {
      if (!percent(sold_percent(offset))) {
        offset += 1 + static_cast<int>(chance_.below(2));
        continue;
      }
      constexpr int kStays[] = {1, 1, 1, 1, 1, 2, 2, 2, 3, 4};
      const int nights = kStays[chance_.below(std::size(kStays))];
      const bool cancelled = percent(kCancelledPercent);
      add_booking(room, offset, nights, cancelled);
      if (cancelled) continue;  // somebody else may have it
      for (int night = 0; night < nights; ++night)
        sold[static_cast<size_t>(offset + kDaysBack + night)] = true;
      offset += nights;
    }
    for (int offset = 0; offset < kOfferDays; ++offset)
      if (!sold[static_cast<size_t>(offset + kDaysBack)] && percent(static_cast<uint64_t>(60 - offset * 3)))
        row(kOffers, "{}\t{}\t{}", room.id, day(offset),
            rounded_yen(int64_t{room.price_yen} * (55 + static_cast<int64_t>(chance_.below(31))) / 100));
  }

  void add_booking(const Room& room, int offset, int nights, bool cancelled) {
    const uint64_t high = chance_.next();
    const uint64_t low = chance_.next();
    // The shape of a random UUID (version 4).
    const std::string id =
        fmt::format("{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xfff,
                    8 + (low >> 62), low >> 48 & 0xfff, low & 0xffff'ffff'ffff);
    const int made = std::min(offset, 0) - 1 - static_cast<int>(chance_.below(40));
    const std::string created_at = moment(made);
    const int cancelled_on =
        made + 1 + static_cast<int>(chance_.below(static_cast<uint64_t>(std::min(offset, 0) - made)));
    const auto customer = 1 + chance_.below(customers_);
    const auto guests = 1 + chance_.below(static_cast<uint64_t>(room.sleeps));
    row(kBookings, "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", id, room.id, customer, day(offset),
        day(offset + nights), guests, cancelled ? "cancelled" : "confirmed", created_at,
        cancelled ? moment(cancelled_on) : "\\N", room.number);
    for (int night = 0; night < nights; ++night)
      row(kNights, "{}\t{}\t{}", id, day(offset + night), room.price_yen);
    row(kTotals, "{}\t{}\t{}", id, nights, int64_t{room.price_yen} * nights);
  }

  const DatasetPlan plan_;
  daruma::SplitMix chance_;
  std::vector<TableRows> tables_;
  std::vector<std::string> dates_;
  uint64_t customers_ = 0;
};

}  // namespace

std::vector<TableRows> make_dataset(const DatasetPlan& plan) { return Maker(plan).make(); }

}  // namespace lastminutestay
