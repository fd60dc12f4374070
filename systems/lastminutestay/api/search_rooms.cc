#include "lastminutestay/api/search_rooms.h"

namespace lastminutestay {
namespace {

using daruma::Result;
using daruma::service::PostgresPool;
using daruma::service::Rows;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

// Both halves walk along an index in the order of prices and stop at the twentieth room that is free; rooms
// without an offer are looked at only where offers do not fill the page. $4: a city, or NULL. LIMIT is
// written out, as a parameter would make the planner expect thousands of rows. OFFSET 0 keeps the question
// about a room's bookings one of its own for each room: joined, far days with few bookings read the whole
// table (40 ms instead of 0.4).
constexpr Statement kFindFreeRooms = {
    "find_free_rooms",
    "WITH there AS MATERIALIZED ("
    "  SELECT id FROM hotels WHERE city_ja = $4::text OR lower(city_en) = lower($4::text)),"
    "offered AS ("
    "  SELECT o.room_id, o.price_yen AS first_yen, 0 AS rank"
    "  FROM last_minute_prices o JOIN rooms r ON r.id = o.room_id"
    "  WHERE o.night = $1::date AND r.sleeps >= $3::int"
    "    AND ($4::text IS NULL OR r.hotel_id IN (SELECT id FROM there))"
    "    AND NOT EXISTS (SELECT FROM bookings b WHERE b.room_id = o.room_id AND b.status <> 'cancelled'"
    "                    AND b.check_out > $1::date AND b.check_in < $2::date OFFSET 0)"
    "  ORDER BY o.price_yen, o.room_id LIMIT 20),"
    "regular AS ("
    "  SELECT r.id, r.price_yen, 1 FROM rooms r"
    "  WHERE (SELECT count(*) < 20 FROM offered) AND r.sleeps >= $3::int"
    "    AND ($4::text IS NULL OR r.hotel_id IN (SELECT id FROM there))"
    "    AND NOT EXISTS (SELECT FROM last_minute_prices o WHERE o.room_id = r.id AND o.night = $1::date)"
    "    AND NOT EXISTS (SELECT FROM bookings b WHERE b.room_id = r.id AND b.status <> 'cancelled'"
    "                    AND b.check_out > $1::date AND b.check_in < $2::date OFFSET 0)"
    "  ORDER BY r.price_yen, r.id LIMIT 20),"
    "found AS ("
    "  SELECT * FROM offered UNION ALL SELECT * FROM regular ORDER BY rank, first_yen, room_id LIMIT 20)"
    "SELECT h.id, h.name_ja, h.name_en, h.prefecture_ja, h.prefecture_en, h.city_ja, h.city_en, h.area_ja,"
    "       h.area_en, h.stars, r.id, r.type_ja, r.type_en, r.sleeps, p.total_yen,"
    "       r.price_yen * ($2::date - $1::date)"
    " FROM found f JOIN rooms r ON r.id = f.room_id JOIN hotels h ON h.id = r.hotel_id"
    " CROSS JOIN LATERAL (SELECT sum(coalesce(o.price_yen, r.price_yen)) AS total_yen"
    "   FROM generate_series(0, $2::date - $1::date - 1) i"
    "   LEFT JOIN last_minute_prices o ON o.room_id = r.id AND o.night = $1::date + i) p"
    " ORDER BY f.rank, f.first_yen, f.room_id"};

FreeRoom room_of(const Rows& rows, size_t row) {
  size_t column = 0;
  const auto text = [&] { return std::string(rows.text(row, column++)); };
  const auto number = [&] { return rows.number(row, column++); };
  FreeRoom room;
  room.hotel = static_cast<int32_t>(number());
  for (std::string* name : {&room.hotel_ja, &room.hotel_en, &room.prefecture_ja, &room.prefecture_en,
                            &room.city_ja, &room.city_en, &room.area_ja, &room.area_en})
    *name = text();
  room.stars = number();
  for (std::string* name : {&room.id, &room.type_ja, &room.type_en}) *name = text();
  room.sleeps = number();
  room.total_yen = number();
  room.regular_yen = number();
  return room;
}

}  // namespace

Task<Result<std::vector<FreeRoom>>> find_free_rooms(PostgresPool& postgres, const SearchRequest& request,
                                                    daruma::Deadline deadline) {
  SqlValues values = {to_text(request.check_in), to_text(request.check_out), std::to_string(request.guests),
                      std::nullopt};
  if (!request.city.empty()) values[3] = request.city;
  const auto rows = co_await postgres.run(kFindFreeRooms, std::move(values), deadline);
  if (!rows.ok()) co_return rows.error();
  std::vector<FreeRoom> rooms;
  rooms.reserve(rows->size());
  for (size_t row = 0; row < rows->size(); ++row) rooms.push_back(room_of(*rows, row));
  co_return rooms;
}

}  // namespace lastminutestay
