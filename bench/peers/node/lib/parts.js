// What a worker of either service is made of.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import pg from 'pg';
import { pino } from 'pino';

import { hotelData } from './hotel_data.js';
import { Search } from './search.js';
import { settings } from './settings.js';

export function logFile(name, minLength) {
  mkdirSync(settings.logs, { recursive: true });
  return pino({ base: undefined, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: join(settings.logs, name), sync: false, minLength }));
}

export function parts(redisOptions = {}) {
  const log = logFile('error.log', 0);
  const pool = new pg.Pool(settings.database);
  pool.on('error', (error) => log.error({ dependency: 'PostgreSQL', message: error.message }));
  const redis = new Redis(settings.redisUrl, { commandTimeout: 250, maxRetriesPerRequest: 1, ...redisOptions });
  redis.on('error', (error) => log.error({ dependency: 'Redis', message: error.message }));
  const breaker = hotelData(settings.providerUrl, settings.breaker);
  const search = new Search({ pool, redis, hotelData: breaker, log, cache: settings.cache });
  return { log, pool, redis, breaker, search };
}

// Asks PostgreSQL every second; requests for health are answered from what is known.
export function watchHealth(pool) {
  const known = { status: 'pass' };
  const ask = () => pool.query('SELECT 1').then(() => { known.status = 'pass'; }, () => { known.status = 'fail'; });
  setInterval(ask, 1000).unref();
  return known;
}

// pm2 waits for `ready`, and stops with SIGINT.
export function untilStopped(close) {
  process.send?.('ready');
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, async () => {
      await close();
      process.exit(0);
    });
}
