-- Proves that the data of LastMinuteStay holds together:
--
--   psql -U postgres -d lastminutestay -f integrity_check.sql
--
-- One line per rule with the number of rows that break it and the first of them. Ends with an error (exit code 3 of
-- psql) when a rule is broken. Reads one snapshot and writes nothing, so it works beside the running service, on a
-- restored side database and on a standby. Indexes are not trusted: a damaged one must not hide what it lost.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
\encoding UTF8

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL work_mem = '64MB';
SET LOCAL client_min_messages = warning;

WITH
-- The nights of a room, in order: each stay must begin when all before it have ended.
stays AS (
  SELECT id, room_id, check_in,
         max(check_out) OVER (PARTITION BY room_id ORDER BY check_in, check_out, id
                              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS free_from
  FROM bookings WHERE status <> 'cancelled'),
nights AS (
  SELECT booking_id, count(*) AS nights, count(DISTINCT night) AS days, sum(price_yen) AS total_yen,
         min(night) AS first_night, max(night) AS last_night
  FROM booking_nights GROUP BY booking_id),
must_be_there (relation, name) AS (VALUES
  ('bookings', 'bookings_no_overlap'), ('bookings', 'bookings_pkey'), ('bookings', 'bookings_room_id_fkey'),
  ('bookings', 'bookings_customer_id_fkey'), ('booking_nights', 'booking_nights_pkey'),
  ('booking_nights', 'booking_nights_booking_id_fkey'), ('booking_totals', 'booking_totals_pkey'),
  ('booking_totals', 'booking_totals_booking_id_fkey'), ('rooms', 'rooms_pkey'), ('rooms', 'rooms_number'), ('rooms', 'rooms_hotel_id_fkey'),
  ('hotels', 'hotels_pkey'), ('customers', 'customers_pkey'), ('customers', 'customers_subject_key'),
  ('idempotency_keys', 'idempotency_keys_pkey'), ('idempotency_keys', 'idempotency_keys_booking_id_fkey'),
  ('last_minute_prices', 'last_minute_prices_pkey'), ('last_minute_prices', 'last_minute_prices_room_id_fkey')),
broken (rule, thing) AS (
  SELECT 1, format('%s and an earlier booking of room %s', id, room_id) FROM stays WHERE check_in < free_from
  UNION ALL
  SELECT 2, b.id::text FROM bookings b LEFT JOIN rooms r ON r.id = b.room_id AND r.number = b.room_number
  WHERE r.id IS NULL
  UNION ALL
  SELECT 2, b.id::text FROM bookings b LEFT JOIN customers c ON c.id = b.customer_id WHERE c.id IS NULL
  UNION ALL
  SELECT 3, r.id FROM rooms r LEFT JOIN hotels h ON h.id = r.hotel_id WHERE h.id IS NULL
  UNION ALL
  SELECT 3, p.room_id FROM last_minute_prices p LEFT JOIN rooms r ON r.id = p.room_id WHERE r.id IS NULL
  UNION ALL
  SELECT 4, n.booking_id::text FROM nights n LEFT JOIN bookings b ON b.id = n.booking_id WHERE b.id IS NULL
  UNION ALL
  SELECT 4, t.booking_id::text FROM booking_totals t LEFT JOIN bookings b ON b.id = t.booking_id WHERE b.id IS NULL
  UNION ALL
  SELECT 5, b.id::text FROM bookings b LEFT JOIN nights n ON n.booking_id = b.id
  WHERE n.nights IS DISTINCT FROM b.check_out - b.check_in OR n.days <> n.nights
     OR n.first_night <> b.check_in OR n.last_night <> b.check_out - 1
  UNION ALL
  SELECT 6, b.id::text FROM bookings b LEFT JOIN booking_totals t ON t.booking_id = b.id
  LEFT JOIN nights n ON n.booking_id = b.id
  WHERE t.total_yen IS DISTINCT FROM n.total_yen OR t.nights IS DISTINCT FROM n.nights
  UNION ALL
  SELECT 7, b.id::text FROM bookings b JOIN rooms r ON r.id = b.room_id
  WHERE b.guests NOT BETWEEN 1 AND r.sleeps OR b.check_in >= b.check_out
  UNION ALL
  SELECT 8, b.id::text FROM bookings b
  WHERE b.status NOT IN ('confirmed', 'cancelled') OR (b.status = 'cancelled') <> (b.cancelled_at IS NOT NULL)
  UNION ALL
  SELECT 9, k.key FROM idempotency_keys k LEFT JOIN bookings b ON b.id = k.booking_id
  WHERE b.id IS NULL OR b.customer_id <> k.customer_id
  UNION ALL
  SELECT 10, 'hotel ' || id FROM hotels GROUP BY id HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'room ' || id FROM rooms GROUP BY id HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'room number ' || number FROM rooms GROUP BY number HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'customer ' || subject FROM customers GROUP BY subject HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'booking ' || id FROM bookings GROUP BY id HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'total of ' || booking_id FROM booking_totals GROUP BY booking_id HAVING count(*) > 1
  UNION ALL
  SELECT 10, 'key ' || key FROM idempotency_keys GROUP BY customer_id, key HAVING count(*) > 1
  UNION ALL
  SELECT 11, m.name FROM must_be_there m
  LEFT JOIN pg_constraint c ON c.conname = m.name AND c.conrelid = to_regclass(m.relation)
  WHERE c.oid IS NULL OR NOT c.convalidated
  UNION ALL
  SELECT 11, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE c.relnamespace = 'public'::regnamespace AND NOT (i.indisvalid AND i.indisready)
  UNION ALL
  SELECT 11, t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = 'public'::regnamespace AND t.tgenabled = 'D'
  UNION ALL
  SELECT 12, coalesce(number::text, 'none') FROM (
    SELECT number, row_number() OVER (ORDER BY number) AS place FROM schema_migrations) m WHERE number <> place
),
rules (number, rule) AS (VALUES
  (1, 'no two bookings of a room share a night'),
  (2, 'every booking has its room and its customer'),
  (3, 'every room has its hotel, every last-minute price its room'),
  (4, 'every night and every total has its booking'),
  (5, 'every booking has a price for each of its nights, and no others'),
  (6, 'every total is the sum of its nights'),
  (7, 'no room sleeps more guests than it can'),
  (8, 'a booking is cancelled exactly when it says since when'),
  (9, 'every idempotency key leads to a booking of its customer'),
  (10, 'nothing is there twice that may be there once'),
  (11, 'constraints, indexes and triggers are there and in force'),
  (12, 'the schema''s history has no hole')),
verdicts AS (
  SELECT r.number, r.rule, count(b.rule) AS broken, min(b.thing) AS first
  FROM rules r LEFT JOIN broken b ON b.rule = r.number GROUP BY r.number, r.rule)
SELECT set_config('integrity.findings', json_agg(v ORDER BY number)::text, true) AS findings FROM verdicts v \gset

\echo
\echo 'LastMinuteStay: integrity of database' :DBNAME
SELECT number AS "no.", rule, broken, CASE WHEN broken = 0 THEN 'ok' ELSE 'BROKEN' END AS verdict, first AS "first found"
FROM json_to_recordset(current_setting('integrity.findings')::json)
     AS f (number int, rule text, broken bigint, first text)
ORDER BY number;

SELECT (SELECT count(*) FROM hotels) AS hotels, (SELECT count(*) FROM rooms) AS rooms,
       (SELECT count(*) FROM bookings) AS bookings,
       (SELECT count(*) FROM bookings WHERE status = 'cancelled') AS cancelled,
       (SELECT sum(total_yen) FROM booking_totals) AS "total, yen";

DO $$
DECLARE
  v_broken text;
BEGIN
  SELECT string_agg(format('%s (%s)', rule, broken), '; ' ORDER BY number) INTO v_broken
  FROM json_to_recordset(current_setting('integrity.findings')::json) AS f (number int, rule text, broken bigint)
  WHERE broken > 0;
  IF v_broken IS NOT NULL THEN
    RAISE EXCEPTION 'integrity is broken: %', v_broken USING HINT = 'the table above names the first row of each';
  END IF;
END $$;

COMMIT;
\echo 'All rules hold.'
