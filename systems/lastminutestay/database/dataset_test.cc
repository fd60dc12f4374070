// Goal: made-up data is the same every time, and keeps the rules that the integrity script proves.
#include "lastminutestay/database/dataset.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

namespace lastminutestay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Row = std::vector<std::string>;

DatasetPlan plan(uint64_t seed = 1, uint32_t hotels = 60) {
  return {.seed = seed, .hotels = hotels, .business_date = *parse_date("2024-06-20")};
}

class DatasetTest : public testing::Test {
 protected:
  explicit DatasetTest(const DatasetPlan& of = plan()) : tables_(make_dataset(of)) {}

  std::vector<Row> rows(const std::string& table) const {
    std::vector<Row> found;
    for (const TableRows& made : tables_) {
      if (!std::string(made.copy).starts_with(table + " ")) continue;
      Row row(1);
      for (const char c : made.text) {
        if (c == '\t' || c == '\n') row.emplace_back();
        if (c == '\n') {
          row.pop_back();
          found.push_back(std::exchange(row, Row(1)));
        }
        if (c != '\t' && c != '\n') row.back() += c;
      }
      EXPECT_EQ(found.size(), made.rows);
    }
    return found;
  }

  std::vector<TableRows> tables_;
};

TEST_F(DatasetTest, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto texts = [](const std::vector<TableRows>& tables) {
    std::string all;
    for (const TableRows& table : tables) all += table.text;
    return all;
  };
  EXPECT_EQ(texts(tables_), texts(make_dataset(plan())));
  EXPECT_NE(texts(tables_), texts(make_dataset(plan(2))));
}

TEST_F(DatasetTest, HasTheRoomOfTheManualsBookingTest) {
  std::set<std::string> ids;
  for (const Row& room : rows("rooms")) ids.insert(room[0]);
  EXPECT_TRUE(ids.contains("test-room-id"));
  for (const Row& booking : rows("bookings")) EXPECT_NE(booking[1], "test-room-id");
}

TEST_F(DatasetTest, NamesEveryHotelInBothLanguages) {
  const auto hotels = rows("hotels");
  EXPECT_EQ(hotels.size(), 60u);
  for (const Row& hotel : hotels) {
    ASSERT_EQ(hotel.size(), 10u);
    EXPECT_TRUE(std::any_of(hotel[1].begin(), hotel[1].end(), [](char c) { return (c & 0x80) != 0; }))
        << hotel[1];
    EXPECT_TRUE(std::all_of(hotel[2].begin(), hotel[2].end(), [](char c) { return (c & 0x80) == 0; }))
        << hotel[2];
    EXPECT_THAT(hotel[1], Not(HasSubstr("{")));
  }
}

TEST_F(DatasetTest, SellsNoNightTwice) {
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> stays;
  for (const Row& booking : rows("bookings"))
    if (booking[6] == "confirmed") stays[booking[1]].emplace_back(booking[3], booking[4]);
  EXPECT_GT(stays.size(), 100u);
  for (auto& [room, of_room] : stays) {
    std::sort(of_room.begin(), of_room.end());
    for (size_t i = 1; i < of_room.size(); ++i) EXPECT_LE(of_room[i - 1].second, of_room[i].first) << room;
  }
}

TEST_F(DatasetTest, TotalsAreTheSumOfTheirNights) {
  std::map<std::string, std::pair<int64_t, int64_t>> nights;
  for (const Row& night : rows("booking_nights")) {
    ++nights[night[0]].first;
    nights[night[0]].second += std::stoll(night[2]);
  }
  const auto totals = rows("booking_totals");
  EXPECT_EQ(totals.size(), rows("bookings").size());
  for (const Row& total : totals) {
    EXPECT_EQ(std::stoll(total[1]), nights[total[0]].first);
    EXPECT_EQ(std::stoll(total[2]), nights[total[0]].second);
  }
}

TEST_F(DatasetTest, OffersLastMinutePricesBelowTheRoomsOwn) {
  std::map<std::string, int64_t> prices;
  for (const Row& room : rows("rooms")) prices[room[0]] = std::stoll(room[5]);
  const auto offers = rows("last_minute_prices");
  EXPECT_GT(offers.size(), 50u);
  for (const Row& offer : offers) {
    EXPECT_LT(std::stoll(offer[2]), prices[offer[0]]);
    EXPECT_THAT(offer[1], StartsWith("2024-0"));
  }
}

}  // namespace
}  // namespace lastminutestay
