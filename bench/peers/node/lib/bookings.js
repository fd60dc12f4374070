// POST /api/bookings: one statement, which is one transaction (systems/lastminutestay/migrations).
import { createHash, randomUUID } from 'node:crypto';

import { Problem } from './problem.js';

const BOOK_ROOM = {
  name: 'book_room',
  text: `SELECT outcome, sleeps, booking->>'id' AS id, booking::text AS booking
         FROM book_room($1::uuid, $2, $3, $4::date, $5::date, $6::int, $7, $8::bytea)`,
};

const hashOf = ({ roomId, checkIn, checkOut, guests }) =>
  createHash('sha256').update(`${roomId}\n${checkIn}\n${checkOut}\n${guests}`).digest();

// {body, headers} of a 201.
export async function book(pool, subject, wanted, idempotencyKey) {
  if (idempotencyKey !== undefined && !/^[!-~]{1,200}$/.test(idempotencyKey))
    throw new Problem(422, 'Idempotency-Key: want 1 to 200 printable characters without spaces');
  const { roomId, checkIn, checkOut, guests } = wanted;
  const values = [randomUUID(), subject, roomId, checkIn, checkOut, guests, idempotencyKey ?? null,
    idempotencyKey === undefined ? null : hashOf(wanted)];
  const { rows: [row] } = await pool.query({ ...BOOK_ROOM, values }).catch(() => {
    throw new Problem(503, 'bookings are not possible at the moment: try again with the same Idempotency-Key',
      { 'Retry-After': '1' });
  });
  switch (row.outcome) {
    case 'created':
    case 'repeated':
      return { body: row.booking, headers: { Location: `/api/bookings/${row.id}` } };
    case 'taken':
      throw new Problem(409, `room '${roomId}' is taken between ${checkIn} and ${checkOut}`);
    case 'too_many':
      throw new Problem(422, `guests: room '${roomId}' sleeps ${row.sleeps}, not ${guests}`);
    case 'no_room':
      throw new Problem(422, `roomId: there is no room '${roomId}'`);
    default:
      throw new Problem(422, 'Idempotency-Key: it came with another request before; use a new one');
  }
}

export const unauthorized = () =>
  new Problem(401, 'a valid bearer token is needed', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
