-- What is for sale: hotels, their rooms, and the nights on which a room is cheaper at the last minute.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE hotels (
  id            integer PRIMARY KEY,
  name_ja       text NOT NULL CHECK (name_ja <> ''),
  name_en       text NOT NULL CHECK (name_en <> ''),
  prefecture_ja text NOT NULL,
  prefecture_en text NOT NULL,
  city_ja       text NOT NULL,
  city_en       text NOT NULL,
  area_ja       text NOT NULL,
  area_en       text NOT NULL,
  stars         smallint NOT NULL CHECK (stars BETWEEN 1 AND 5)
);
CREATE INDEX hotels_city_ja ON hotels (city_ja);
CREATE INDEX hotels_city_en ON hotels (lower(city_en));

CREATE TABLE rooms (
  id        text PRIMARY KEY CHECK (id <> ''),          -- opaque to clients
  hotel_id  integer NOT NULL REFERENCES hotels,
  type_ja   text NOT NULL,
  type_en   text NOT NULL,
  sleeps    smallint NOT NULL CHECK (sleeps BETWEEN 1 AND 10),
  price_yen integer NOT NULL CHECK (price_yen > 0)      -- a night, tax included
);
CREATE INDEX rooms_hotel ON rooms (hotel_id);
CREATE INDEX rooms_price ON rooms (price_yen, id) INCLUDE (sleeps, hotel_id);   -- search walks along it and stops early

-- A night that is sold cheaper. What is not here costs the room's price.
CREATE TABLE last_minute_prices (
  room_id   text NOT NULL REFERENCES rooms,
  night     date NOT NULL,
  price_yen integer NOT NULL CHECK (price_yen > 0),
  PRIMARY KEY (room_id, night)
);
CREATE INDEX last_minute_prices_night ON last_minute_prices (night, price_yen, room_id);
