-- Booking and cancelling: a function each, so that a request is one round trip and one transaction.

-- How a booking looks to its owner.
CREATE VIEW booking_view AS
SELECT b.id, b.room_id, b.check_in, b.check_out, b.guests, b.status, t.nights, t.total_yen, b.created_at,
       b.cancelled_at, c.subject, r.hotel_id, h.name_ja AS hotel_name_ja, h.name_en AS hotel_name_en
FROM bookings b
JOIN booking_totals t ON t.booking_id = b.id
JOIN customers c ON c.id = b.customer_id
JOIN rooms r ON r.id = b.room_id
JOIN hotels h ON h.id = r.hotel_id;

CREATE FUNCTION customer_of(p_subject text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_id bigint;
BEGIN
  SELECT id INTO v_id FROM customers WHERE subject = p_subject;
  IF FOUND THEN RETURN v_id; END IF;
  INSERT INTO customers (subject) VALUES (p_subject) ON CONFLICT (subject) DO NOTHING;
  SELECT id INTO STRICT v_id FROM customers WHERE subject = p_subject;
  RETURN v_id;
END $$;

-- Books a room. Outcomes:
--   created     the booking p_id is there, from now on
--   repeated    it was there before: the same key and request, or the same p_id (the caller lost our first answer)
--   taken       somebody else has the room in one of the nights; nothing was written
--   no_room     there is no such room
--   too_many    the room does not sleep so many; `sleeps` says how many it does
--   key_reused  the key came with another request before
-- The booking itself is in the row for `created` and `repeated`.
-- Never two bookings for a night: bookings_no_overlap. ON CONFLICT DO NOTHING waits for whoever books the same
-- nights at the same moment, and cannot deadlock with him as a plain INSERT under an exclusion constraint can.
CREATE FUNCTION book_room(p_id uuid, p_subject text, p_room text, p_check_in date, p_check_out date,
                          p_guests integer, p_key text, p_request_hash bytea,
                          OUT outcome text, OUT sleeps integer, OUT booking booking_view)
LANGUAGE plpgsql AS $$
DECLARE
  v_customer bigint := customer_of(p_subject);
  v_room     rooms;
  v_first    idempotency_keys;
BEGIN
  SELECT * INTO v_room FROM rooms WHERE id = p_room;
  IF NOT FOUND THEN outcome := 'no_room'; RETURN; END IF;
  sleeps := v_room.sleeps;
  IF p_guests > v_room.sleeps THEN outcome := 'too_many'; RETURN; END IF;

  WHILE p_key IS NOT NULL LOOP
    INSERT INTO idempotency_keys (customer_id, key, request_hash, booking_id)
    VALUES (v_customer, p_key, p_request_hash, p_id) ON CONFLICT (customer_id, key) DO NOTHING;
    EXIT WHEN FOUND;
    SELECT * INTO v_first FROM idempotency_keys WHERE customer_id = v_customer AND key = p_key;
    CONTINUE WHEN NOT FOUND;   -- whoever had it gave it back meanwhile: he got no room
    IF v_first.request_hash <> p_request_hash THEN outcome := 'key_reused'; RETURN; END IF;
    outcome := 'repeated';
    SELECT * INTO STRICT booking FROM booking_view v WHERE v.id = v_first.booking_id;
    RETURN;
  END LOOP;

  INSERT INTO bookings (id, room_id, customer_id, check_in, check_out, guests)
  VALUES (p_id, p_room, v_customer, p_check_in, p_check_out, p_guests) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO booking FROM booking_view v WHERE v.id = p_id AND v.subject = p_subject;
    IF FOUND THEN outcome := 'repeated'; RETURN; END IF;
    DELETE FROM idempotency_keys WHERE customer_id = v_customer AND key = p_key;
    outcome := 'taken';
    RETURN;
  END IF;

  WITH priced AS (
    INSERT INTO booking_nights (booking_id, night, price_yen)
    SELECT p_id, p_check_in + i, coalesce(o.price_yen, v_room.price_yen)
    FROM generate_series(0, p_check_out - p_check_in - 1) i
    LEFT JOIN last_minute_prices o ON o.room_id = p_room AND o.night = p_check_in + i
    RETURNING price_yen)
  INSERT INTO booking_totals (booking_id, nights, total_yen) SELECT p_id, count(*), sum(price_yen) FROM priced;

  outcome := 'created';
  SELECT * INTO STRICT booking FROM booking_view v WHERE v.id = p_id;
END $$;

-- Cancels a booking of p_subject's, or anybody's where p_subject is NULL. Outcomes: cancelled, repeated (it was
-- cancelled before), begun (the first night is over on p_today), not_found.
CREATE FUNCTION cancel_booking(p_id uuid, p_subject text, p_today date,
                               OUT outcome text, OUT booking booking_view)
LANGUAGE plpgsql AS $$
DECLARE
  v_booking bookings;
BEGIN
  SELECT b.* INTO v_booking FROM bookings b JOIN customers c ON c.id = b.customer_id
  WHERE b.id = p_id AND (p_subject IS NULL OR c.subject = p_subject) FOR NO KEY UPDATE OF b;
  IF NOT FOUND THEN outcome := 'not_found'; RETURN; END IF;
  IF v_booking.status = 'cancelled' THEN
    outcome := 'repeated';
  ELSIF v_booking.check_in < p_today THEN
    outcome := 'begun';
  ELSE
    UPDATE bookings SET status = 'cancelled', cancelled_at = now() WHERE id = p_id;
    outcome := 'cancelled';
  END IF;
  SELECT * INTO STRICT booking FROM booking_view v WHERE v.id = p_id;
END $$;
