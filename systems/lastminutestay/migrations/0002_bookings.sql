-- What was sold. Two bookings of a room never share a night: the constraint bookings_no_overlap says so, whatever
-- the programs do, however many of them run at once.

CREATE TABLE customers (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject    text NOT NULL UNIQUE CHECK (subject <> ''),   -- "sub" of the bearer token
  name       text,
  email      text,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bookings (
  id           uuid PRIMARY KEY,
  room_id      text NOT NULL,
  room_number  integer NOT NULL,   -- of room_id: a GiST index of numbers takes half the time of one of texts
  customer_id  bigint NOT NULL REFERENCES customers,
  check_in     date NOT NULL,
  check_out    date NOT NULL,
  guests       smallint NOT NULL CHECK (guests > 0),
  status       text NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'cancelled')),
  created_at   timestamptz NOT NULL DEFAULT now(),
  cancelled_at timestamptz,
  CHECK (check_in < check_out),
  CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
  CONSTRAINT bookings_room_id_fkey FOREIGN KEY (room_id, room_number) REFERENCES rooms (id, number),
  CONSTRAINT bookings_no_overlap
    EXCLUDE USING gist (room_number WITH =, daterange(check_in, check_out) WITH &&) WHERE (status <> 'cancelled')
);
-- Is a room free? The first stay that ends after the check-in decides nearly always; a tenth of the GiST index's time.
CREATE INDEX bookings_room ON bookings (room_id, check_out) INCLUDE (check_in) WHERE status <> 'cancelled';
CREATE INDEX bookings_customer ON bookings (customer_id, created_at);

-- The price agreed for each night: what a room costs later changes no booking.
CREATE TABLE booking_nights (
  booking_id uuid NOT NULL REFERENCES bookings,
  night      date NOT NULL,
  price_yen  integer NOT NULL CHECK (price_yen > 0),
  PRIMARY KEY (booking_id, night)
);

-- The sum of it, kept apart, so that the two can be held against each other (scripts/integrity_check.sql).
CREATE TABLE booking_totals (
  booking_id uuid PRIMARY KEY REFERENCES bookings,
  nights     smallint NOT NULL CHECK (nights > 0),
  total_yen  bigint NOT NULL CHECK (total_yen > 0)
);

-- A client that repeats a request with its key gets the booking that the first one made, not a second one.
CREATE TABLE idempotency_keys (
  customer_id  bigint NOT NULL REFERENCES customers,
  key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  request_hash bytea NOT NULL CHECK (length(request_hash) = 32),   -- SHA-256: another request is refused
  booking_id   uuid NOT NULL REFERENCES bookings DEFERRABLE INITIALLY DEFERRED,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, key)
);
CREATE INDEX idempotency_keys_booking ON idempotency_keys (booking_id);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What people did to the running system.
CREATE TABLE audit_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT now(),
  actor      text NOT NULL,
  client     text NOT NULL,
  action     text NOT NULL,
  detail     text NOT NULL,
  request_id text NOT NULL
);
