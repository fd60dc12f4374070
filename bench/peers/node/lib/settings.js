// What both services are told by their environment. Defaults are those of lastminutestay-api.
import { readFileSync } from 'node:fs';

const { env } = process;
const number = (name, fallback) => (env[name] === undefined ? fallback : Number(env[name]));

export const settings = {
  host: env.HOST ?? '127.0.0.1',
  port: number('PORT', 3000),
  database: { connectionString: env.DATABASE_URL, max: number('DATABASE_CONNECTIONS', 8) },
  redisUrl: env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  providerUrl: env.PROVIDER_URL ?? 'http://127.0.0.1:3100',
  tokenSecret: env.TOKEN_SECRET_FILE ? readFileSync(env.TOKEN_SECRET_FILE, 'utf8').trim() : env.TOKEN_SECRET,
  businessDate: env.BUSINESS_DATE ?? '2024-06-20',
  logs: env.LOGS ?? 'logs',
  cache: {
    freshMs: number('CACHE_FRESH_MS', 30_000),
    staleMs: number('CACHE_STALE_MS', 3_600_000),
    nearMs: number('CACHE_NEAR_MS', 0), // 0: every search asks Redis
    nearEntries: number('CACHE_NEAR_ENTRIES', 1000),
  },
  breaker: {
    timeout: number('PROVIDER_TIMEOUT_MS', 800),
    errorThresholdPercentage: number('BREAKER_FAILURE_PERCENT', 50),
    rollingCountTimeout: number('BREAKER_WINDOW_MS', 10_000),
    volumeThreshold: number('BREAKER_MINIMUM_CALLS', 20),
    resetTimeout: number('BREAKER_OPEN_MS', 5_000),
  },
};
