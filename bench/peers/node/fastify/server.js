// LastMinuteStay's API as somebody would have it who cares for speed on Node.js: fastify, tokens remembered, commands to
// Redis pipelined.
import { randomUUID } from 'node:crypto';

import { createVerifier } from 'fast-jwt';
import Fastify from 'fastify';

import { book, unauthorized } from '../lib/bookings.js';
import { breakerView } from '../lib/hotel_data.js';
import { logFile, parts, untilStopped, watchHealth } from '../lib/parts.js';
import { problemOf } from '../lib/problem.js';
import { settings } from '../lib/settings.js';
import { bookingOf, searchOf } from '../lib/stay.js';

const { log, pool, redis, breaker, search } = parts({ enableAutoPipelining: true });
const health = watchHealth(pool);
const access = logFile('http.log', 8192);
const verify = createVerifier({ key: settings.tokenSecret, algorithms: ['HS256'], cache: 1000, clockTolerance: 30_000 });

const app = Fastify({
  bodyLimit: 16384, requestIdHeader: 'x-request-id', genReqId: () => randomUUID(),
});
app.addHook('onSend', (request, reply, payload, done) => {
  reply.header('X-Request-Id', request.id);
  done(null, payload);
});
app.addHook('onResponse', (request, reply, done) => {
  access.info({
    id: request.id, method: request.method, url: request.url, statusCode: reply.statusCode,
    responseTime: reply.elapsedTime,
  });
  done();
});

function authenticate(request, reply, done) {
  const header = request.headers.authorization ?? '';
  try {
    if (!header.startsWith('Bearer ')) throw unauthorized();
    request.claims = verify(header.slice(7));
    done();
  } catch {
    done(unauthorized());
  }
}

app.get('/api/hotels/search', async (request, reply) => {
  const { body, age, source } = await search.find(searchOf(request.query, settings.businessDate));
  reply.headers({ 'Cache-Control': 'no-store', Age: String(age), 'X-Source': source }).type('application/json');
  return body;
});

app.post('/api/bookings', { onRequest: authenticate }, async (request, reply) => {
  const wanted = bookingOf(request.body, settings.businessDate);
  const { body, headers } = await book(pool, request.claims.sub, wanted, request.headers['idempotency-key']);
  reply.code(201).headers(headers).type('application/json');
  return body;
});

app.get('/monitoring/health', (request, reply) => {
  reply.code(health.status === 'pass' ? 200 : 503).send(health);
});

// Of the worker that happens to be asked: the others' breakers are their own.
app.get('/monitoring/circuit-breakers', (request, reply) => {
  reply.send({ worker: process.pid, circuitBreakers: [breakerView(breaker)] });
});

app.setErrorHandler((error, request, reply) => {
  const problem = problemOf(error);
  if (problem.status === 500) log.error({ requestId: request.id, message: error.stack });
  reply.code(problem.status).headers(problem.headers).type('application/problem+json').send(problem.body(request.id));
});

await app.listen({ port: settings.port, host: settings.host });
untilStopped(async () => {
  await app.close();
  await pool.end();
  redis.disconnect();
});
