// session.js: who is signed in, and how long.
//
// The access token lives in this module's memory; the refresh token is a cookie that no script can read. While the
// auth service is away, the session goes on until the access token expires, and comes back by itself
// when the service does. Listeners are called with every change of `session`.

const listeners = new Set();
let settings = null;
let timer = null;

// status: 'starting' | 'out' | 'in' | 'waiting' (was signed in, the token expired, the auth service is away)
export const session = {status: 'starting', user: null, expiresAt: 0, authAway: false};
let token = null;

export class Problem extends Error {
  // status 0: no answer at all.
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export function onSession(listener) {
  listeners.add(listener);
}

export function config() {
  return settings;
}

function change(news) {
  Object.assign(session, news);
  for (const listener of listeners) listener();
}

async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, {...options, signal: options.signal ?? AbortSignal.timeout(30000)});
  } catch (error) {
    throw new Problem(0, String(error));
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.detail ?? '', Number(response.headers.get('Retry-After') ?? 0));
}

function post(path, body) {
  return ask(settings.auth + path, {
    method: 'POST',
    credentials: 'include',
    headers: body ? {'Content-Type': 'application/json'} : {},
    body: body ? JSON.stringify(body) : undefined,
  });
}

const away = (error) => error.status === 0 || error.status >= 500;
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function take(answer) {
  token = answer.accessToken;
  const life = answer.expiresIn * 1000;
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(life - 60000, life / 2));
  change({status: 'in', user: answer.user, expiresAt: Date.now() + life, authAway: false});
}

function forget() {
  token = null;
  clearTimeout(timer);
  change({status: 'out', user: null, expiresAt: 0});
}

export async function register(email, password) {
  await post('/auth/register', {email, password});
}

export async function logIn(email, password) {
  take(await (await post('/auth/login', {email, password})).json());
}

// Signs out here in any case; true when the auth service knows it too.
export async function logOut() {
  let told = true;
  try {
    await post('/auth/logout');
  } catch {
    told = false;
  }
  forget();
  return told;
}

// A new access token, if there is a session. One page of this origin at a time asks; a page of the other front may
// have asked a moment ago (409): then the cookie is new already.
async function refresh() {
  const ask_once = async () => {
    for (let tries = 0; ; ++tries) {
      try {
        return await post('/auth/refresh');
      } catch (error) {
        if (error.status !== 409 || tries === 3) throw error;
        await wait(400 * (tries + 1));
      }
    }
  };
  try {
    const response = await (navigator.locks ? navigator.locks.request('refresh', ask_once) : ask_once());
    take(await response.json());
  } catch (error) {
    if (!away(error)) forget();
    else lateRefresh();
  }
}

function lateRefresh() {
  change({authAway: true});
  const left = session.expiresAt - Date.now();
  clearTimeout(timer);
  if (session.status === 'in' && left > 0)
    timer = setTimeout(refresh, Math.min(left, settings.watchSeconds * 1000));
  else if (session.status === 'in') change({status: 'waiting'});
}

// Is the auth service there? Asked now and then, so that the page can say calmly what does not work.
async function watch() {
  if (document.hidden) return;
  try {
    await ask(settings.auth + '/auth/reachable', {signal: AbortSignal.timeout(5000)});
    const back = session.authAway;
    if (back) change({authAway: false});
    if (session.status === 'waiting' || session.status === 'starting') await refresh();
  } catch {
    change({authAway: true});
  }
}

export async function start() {
  settings = await (await ask('/config.json')).json();
  await refresh();
  setInterval(watch, settings.watchSeconds * 1000);
  document.addEventListener('visibilitychange', watch);
}

// Calls an API with the access token: api 'user' or 'admin'. A token that is refused is renewed once.
export async function call(api, path, options = {}) {
  const send = () =>
    ask(settings[api] + path, {...options, headers: {...options.headers, Authorization: `Bearer ${token}`}});
  try {
    return await send();
  } catch (error) {
    if (error.status !== 401) throw error;
    await refresh();
    if (session.status !== 'in') throw error;
    return send();
  }
}
