// LastMinuteStay's API as the team of the manual would have it: express, pg, ioredis, opossum, pino.
import { randomUUID } from 'node:crypto';

import express from 'express';
import jwt from 'jsonwebtoken';
import { pinoHttp } from 'pino-http';

import { book, unauthorized } from '../lib/bookings.js';
import { breakerView } from '../lib/hotel_data.js';
import { logFile, parts, untilStopped, watchHealth } from '../lib/parts.js';
import { problemOf } from '../lib/problem.js';
import { settings } from '../lib/settings.js';
import { bookingOf, searchOf } from '../lib/stay.js';

const { log, pool, redis, breaker, search } = parts();
const health = watchHealth(pool);
const app = express();
app.disable('x-powered-by');
app.set('etag', false); // answers are Cache-Control: no-store

app.use(pinoHttp({
  logger: logFile('http.log', 4096),
  genReqId(request, response) {
    const id = request.headers['x-request-id'] ?? randomUUID();
    response.setHeader('X-Request-Id', id);
    return id;
  },
  wrapSerializers: false,
  serializers: {
    req: ({ method, url, id }) => ({ method, url, id }),
    res: ({ statusCode }) => ({ statusCode }),
    err: ({ message }) => ({ message }),
  },
  customProps: (request, response) => ({ statusCode: response.statusCode }),
}));

function authenticated(request, response, next) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) throw unauthorized();
  try {
    request.claims = jwt.verify(token, settings.tokenSecret, { algorithms: ['HS256'], clockTolerance: 30 });
  } catch {
    throw unauthorized();
  }
  next();
}

app.get('/api/hotels/search', async (request, response) => {
  const { body, age, source } = await search.find(searchOf(request.query, settings.businessDate));
  response.set({ 'Cache-Control': 'no-store', Age: String(age), 'X-Source': source }).type('json').send(body);
});

app.post('/api/bookings', authenticated, express.json({ limit: '16kb' }), async (request, response) => {
  const wanted = bookingOf(request.body, settings.businessDate);
  const { body, headers } = await book(pool, request.claims.sub, wanted, request.headers['idempotency-key']);
  response.status(201).set(headers).type('json').send(body);
});

app.get('/monitoring/health', (request, response) => {
  response.status(health.status === 'pass' ? 200 : 503).json(health);
});

// Of the worker that happens to be asked: the others' breakers are their own.
app.get('/monitoring/circuit-breakers', (request, response) => {
  response.json({ worker: process.pid, circuitBreakers: [breakerView(breaker)] });
});

app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  const problem = problemOf(error);
  if (problem.status === 500) log.error({ requestId: request.id, message: error.stack });
  response.status(problem.status).set(problem.headers).type('application/problem+json').send(problem.body(request.id));
});

const server = app.listen(settings.port, settings.host, () => untilStopped(async () => {
  await new Promise((closed) => { server.close(closed); });
  await pool.end();
  redis.disconnect();
}));
