-- Booking and cancelling: a function each, so that a request is one round trip and one transaction.

-- A booking as its owner sees it; NULL when there is none. Made here, so that no program has to put it together.
-- In PL/pgSQL, which keeps its plan for the session; an SQL function would be planned anew for each booking.
CREATE FUNCTION booking_json(p_id uuid) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT json_build_object(
      'id', b.id, 'status', b.status, 'roomId', b.room_id,
      'hotel', json_build_object('id', h.id, 'name', json_build_object('ja', h.name_ja, 'en', h.name_en)),
      'checkIn', b.check_in, 'checkOut', b.check_out, 'nights', t.nights, 'guests', b.guests,
      'total', t.total_yen, 'currency', 'JPY',
      'createdAt', to_char(b.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'cancelledAt', to_char(b.cancelled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM bookings b
    JOIN booking_totals t ON t.booking_id = b.id
    JOIN rooms r ON r.id = b.room_id
    JOIN hotels h ON h.id = r.hotel_id
    WHERE b.id = p_id);
END $$;

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
-- `booking` is there for `created` and `repeated`.
-- Never two bookings for a night: bookings_no_overlap. ON CONFLICT DO NOTHING waits for whoever books the same
-- nights at the same moment, and cannot deadlock with him as a plain INSERT under an exclusion constraint can.
CREATE FUNCTION book_room(p_id uuid, p_subject text, p_room text, p_check_in date, p_check_out date,
                          p_guests integer, p_key text, p_request_hash bytea,
                          OUT outcome text, OUT sleeps integer, OUT booking json)
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
    booking := booking_json(v_first.booking_id);
    RETURN;
  END LOOP;

  INSERT INTO bookings (id, room_id, room_number, customer_id, check_in, check_out, guests)
  VALUES (p_id, p_room, v_room.number, v_customer, p_check_in, p_check_out, p_guests) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM bookings WHERE id = p_id AND customer_id = v_customer) THEN
      outcome := 'repeated';
      booking := booking_json(p_id);
      RETURN;
    END IF;
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
  booking := booking_json(p_id);
END $$;

-- Cancels a booking of p_subject's, or anybody's where p_subject is NULL. Outcomes: cancelled, repeated (it was
-- cancelled before), begun (the first night is over on p_today), not_found.
CREATE FUNCTION cancel_booking(p_id uuid, p_subject text, p_today date,
                               OUT outcome text, OUT booking json)
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
  booking := booking_json(p_id);
END $$;
