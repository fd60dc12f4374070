// GET /api/hotels/search: the cache while it is fresh; else rooms and facts are fetched and cached. Where HotelDataAPI
// fails or its breaker is open: the stale answer, marked with its age, or the rooms without HotelDataAPI's facts.
import { Problem } from './problem.js';
import { findFreeRooms, searchAnswer } from './rooms.js';

const WHOLE = '{"degraded":false,';
const redisKey = (key) => `peers:search:1:${key}`;

export class Search {
  #pool; #redis; #hotelData; #log; #cache; #flights = new Map(); #near = new Map();

  constructor({ pool, redis, hotelData, log, cache }) {
    [this.#pool, this.#redis, this.#hotelData, this.#log, this.#cache] = [pool, redis, hotelData, log, cache];
  }

  // {body, age (s), source}
  async find(wanted) {
    const near = this.#nearOf(wanted.key);
    if (near) return near;
    const cached = await this.#cached(wanted.key);
    if (cached && cached.ageMs <= this.#cache.freshMs) return this.#keepNear(wanted.key, cached);
    let flight = this.#flights.get(wanted.key);
    if (!flight) {
      flight = this.#make(wanted, cached).finally(() => this.#flights.delete(wanted.key));
      this.#flights.set(wanted.key, flight);
    }
    return flight;
  }

  async #cached(key) {
    try {
      const text = await this.#redis.get(redisKey(key));
      if (text === null) return null;
      const end = text.indexOf(' ');
      return { body: text.slice(end + 1), ageMs: Math.max(0, Date.now() - Number(text.slice(0, end))) };
    } catch {
      return null; // a cache that fails is a cache that is empty
    }
  }

  async #make(wanted, cached) {
    const stale = cached && this.#degraded(cached.body, cached.ageMs, 'served from the cache');
    if (stale && this.#hotelData.opened) return stale;
    let rows;
    try {
      rows = await findFreeRooms(this.#pool, wanted);
    } catch (error) {
      this.#log.error({ dependency: 'PostgreSQL', message: error.message, ...(stale && { recovered: 'by stale cache' }) });
      if (stale) return stale;
      throw new Problem(503, 'rooms cannot be looked up at the moment: try again', { 'Retry-After': '1' });
    }
    try {
      const facts = await this.#hotelData.fire([...new Set(rows.map((row) => row.hotel))]);
      const body = JSON.stringify(searchAnswer(wanted, rows, facts));
      this.#redis.set(redisKey(wanted.key), `${Date.now()} ${body}`, 'PX', this.#cache.staleMs).catch(() => {});
      return { body, age: 0, source: 'made' };
    } catch (error) {
      if (error.code !== 'EOPENBREAKER')
        this.#log.warn({ dependency: 'HotelDataAPI', message: error.message, recovered: 'by a fallback' });
      return stale ?? this.#degraded(JSON.stringify(searchAnswer(wanted, rows, new Map())), 0, 'without ratings and photos');
    }
  }

  #degraded(body, ageMs, reason) {
    const age = Math.floor(ageMs / 1000);
    return {
      body: `{"degraded":true,"ageSeconds":${age},"reason":"HotelDataAPI does not answer: ${reason}",${body.slice(WHOLE.length)}`,
      age, source: 'degraded',
    };
  }

  // Only where `nearMs` is set: answers in the worker's own memory, believed that long without asking Redis.
  #nearOf(key) {
    const near = this.#near.get(key);
    if (!near || Date.now() >= near.until) return null;
    return { body: near.body, age: Math.floor((Date.now() - near.made) / 1000), source: 'near' };
  }

  #keepNear(key, { body, ageMs }) {
    const { nearMs, nearEntries } = this.#cache;
    if (nearMs > 0) {
      this.#near.delete(key);
      if (this.#near.size >= nearEntries) this.#near.delete(this.#near.keys().next().value);
      this.#near.set(key, { body, made: Date.now() - ageMs, until: Date.now() + nearMs });
    }
    return { body, age: Math.floor(ageMs / 1000), source: 'cache' };
  }
}
