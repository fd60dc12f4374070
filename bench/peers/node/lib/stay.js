// Dates of a stay, and what is asked for: the rules of the API.
import { Problem } from './problem.js';

const DAY_MS = 86_400_000;
const NIGHTS_MAX = 30, DAYS_AHEAD_MAX = 400, GUESTS_MAX = 10, CITY_BYTES_MAX = 60;

// Days since 1970; NaN where it is no day that exists.
export function dayOf(text) {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(text)) return NaN;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return new Date(ms).toISOString().startsWith(text) ? ms / DAY_MS : NaN;
}

function checkStay({ checkIn, checkOut, guests }, today, status) {
  const refuse = (detail) => { throw new Problem(status, detail); };
  const first = dayOf(checkIn), last = dayOf(checkOut);
  if (Number.isNaN(first)) refuse(`checkIn '${checkIn}': want a day that exists, as YYYY-MM-DD`);
  if (Number.isNaN(last)) refuse(`checkOut '${checkOut}': want a day that exists, as YYYY-MM-DD`);
  if (first < dayOf(today)) refuse(`checkIn ${checkIn} is past: today is ${today}`);
  if (last <= first) refuse(`checkOut ${checkOut} is not after checkIn ${checkIn}`);
  if (last - first > NIGHTS_MAX) refuse(`${last - first} nights: at most ${NIGHTS_MAX} at a time`);
  if (first - dayOf(today) > DAYS_AHEAD_MAX) refuse(`checkIn ${checkIn}: at most ${DAYS_AHEAD_MAX} days ahead`);
  if (!Number.isInteger(guests) || guests < 1 || guests > GUESTS_MAX)
    refuse(`guests ${guests}: want a number, 1 to ${GUESTS_MAX}`);
  return last - first;
}

export function searchOf(query, today) {
  for (const name of ['checkIn', 'checkOut', 'guests'])
    if (typeof query[name] !== 'string' || query[name] === '') throw new Problem(400, `${name} is missing`);
  const city = query.city ?? '';
  if (typeof city !== 'string' || Buffer.byteLength(city) > CITY_BYTES_MAX)
    throw new Problem(400, `city: want a name of at most ${CITY_BYTES_MAX} bytes`);
  const wanted = { checkIn: query.checkIn, checkOut: query.checkOut, guests: Number(query.guests), city };
  wanted.nights = checkStay(wanted, today, 400);
  wanted.key = `${wanted.checkIn}/${wanted.checkOut}/${wanted.guests}/${city}`;
  return wanted;
}

export function bookingOf(body, today) {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem(400, 'the body is not a JSON object');
  const { roomId, checkIn, checkOut, guests } = body;
  if (typeof roomId !== 'string' || roomId === '' || Buffer.byteLength(roomId) > 100)
    throw new Problem(422, 'roomId: want the id of a room, as a string of 1 to 100 bytes');
  const wanted = { roomId, checkIn, checkOut, guests };
  checkStay(wanted, today, 422);
  return wanted;
}
