// Free rooms from PostgreSQL, and the answer made of them: the statement and the JSON of lastminutestay-api.
const FIND_FREE_ROOMS = {
  name: 'find_free_rooms',
  text: `
WITH there AS MATERIALIZED (
  SELECT id FROM hotels WHERE city_ja = $4::text OR lower(city_en) = lower($4::text)),
offered AS (
  SELECT o.room_id, o.price_yen AS first_yen, 0 AS rank
  FROM last_minute_prices o JOIN rooms r ON r.id = o.room_id
  WHERE o.night = $1::date AND r.sleeps >= $3::int
    AND ($4::text IS NULL OR r.hotel_id IN (SELECT id FROM there))
    AND NOT EXISTS (SELECT FROM bookings b WHERE b.room_id = o.room_id AND b.status <> 'cancelled'
                    AND b.check_out > $1::date AND b.check_in < $2::date OFFSET 0)
  ORDER BY o.price_yen, o.room_id LIMIT 20),
regular AS (
  SELECT r.id, r.price_yen, 1 FROM rooms r
  WHERE (SELECT count(*) < 20 FROM offered) AND r.sleeps >= $3::int
    AND ($4::text IS NULL OR r.hotel_id IN (SELECT id FROM there))
    AND NOT EXISTS (SELECT FROM last_minute_prices o WHERE o.room_id = r.id AND o.night = $1::date)
    AND NOT EXISTS (SELECT FROM bookings b WHERE b.room_id = r.id AND b.status <> 'cancelled'
                    AND b.check_out > $1::date AND b.check_in < $2::date OFFSET 0)
  ORDER BY r.price_yen, r.id LIMIT 20),
found AS (
  SELECT * FROM offered UNION ALL SELECT * FROM regular ORDER BY rank, first_yen, room_id LIMIT 20)
SELECT h.id AS hotel, h.name_ja, h.name_en, h.prefecture_ja, h.prefecture_en, h.city_ja, h.city_en, h.area_ja,
       h.area_en, h.stars, r.id AS room, r.type_ja, r.type_en, r.sleeps, p.total_yen::int,
       r.price_yen * ($2::date - $1::date) AS regular_yen
FROM found f JOIN rooms r ON r.id = f.room_id JOIN hotels h ON h.id = r.hotel_id
CROSS JOIN LATERAL (SELECT sum(coalesce(o.price_yen, r.price_yen)) AS total_yen
  FROM generate_series(0, $2::date - $1::date - 1) i
  LEFT JOIN last_minute_prices o ON o.room_id = r.id AND o.night = $1::date + i) p
ORDER BY f.rank, f.first_yen, f.room_id`,
};

export async function findFreeRooms(pool, { checkIn, checkOut, guests, city }) {
  const { rows } = await pool.query({ ...FIND_FREE_ROOMS, values: [checkIn, checkOut, guests, city || null] });
  return rows;
}

const names = (row, what) => ({ ja: row[`${what}_ja`], en: row[`${what}_en`] });

// `facts`: by hotel, what HotelDataAPI knows.
export function searchAnswer({ checkIn, checkOut, nights, guests }, rows, facts) {
  const hotels = new Map();
  for (const row of rows) {
    let hotel = hotels.get(row.hotel);
    if (!hotel) {
      hotel = {
        id: row.hotel, name: names(row, 'name'), prefecture: names(row, 'prefecture'), city: names(row, 'city'),
        area: names(row, 'area'), stars: row.stars, ...facts.get(row.hotel), rooms: [],
      };
      hotels.set(row.hotel, hotel);
    }
    hotel.rooms.push({
      roomId: row.room, type: names(row, 'type'), sleeps: row.sleeps, total: row.total_yen,
      regularTotal: row.regular_yen, lastMinute: row.total_yen < row.regular_yen,
    });
  }
  return {
    degraded: false, checkIn, checkOut, nights, guests, currency: 'JPY', rooms: rows.length,
    hotels: [...hotels.values()],
  };
}
