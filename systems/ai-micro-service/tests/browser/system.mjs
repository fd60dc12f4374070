// system.mjs: the whole of ai-micro-service for a test, as plain processes on ports that were free, in a scratch
// directory, started and stopped by scripts/startup-all.sh.

import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const folder = path.resolve(import.meta.dirname, '../..');

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

export class System {
  static async start() {
    const system = new System();
    system.home = fs.mkdtempSync(path.join(os.tmpdir(), 'ai-micro-browser-'));
    fs.chmodSync(system.home, 0o755);  // PostgreSQL's user must get through
    for (const name of fs.readdirSync(folder))
      if (name !== 'tests') fs.cpSync(path.join(folder, name), path.join(system.home, name), {recursive: true});
    execFileSync(path.join(system.home, 'scripts/make-env.sh'), {stdio: 'ignore'});
    const ports = {};
    for (const name of ['postgres', 'redis', 'auth', 'user', 'admin', 'frontUser', 'frontAdmin']) ports[name] = await freePort();
    const url = (name) => `http://localhost:${ports[name]}`;
    system.userFront = url('frontUser');
    system.adminFront = url('frontAdmin');
    const origins = `${system.userFront},${system.adminFront}`;
    system.environment = {
      ...process.env,
      POSTGRES_PORT: ports.postgres, REDIS_PORT: ports.redis,
      AUTH_SERVICE_PORT: ports.auth, USER_SERVICE_PORT: ports.user, ADMIN_SERVICE_PORT: ports.admin,
      FRONT_USER_PORT: ports.frontUser, FRONT_ADMIN_PORT: ports.frontAdmin,
      AUTH_SERVICE_REDIS_PORT: ports.redis, AUTH_SERVICE_PASSWORD_MEMORY_MIB: '8',
    };
    for (const service of ['AUTH', 'USER', 'ADMIN']) {
      system.environment[`${service}_SERVICE_POSTGRES_PORT`] = ports.postgres;
      system.environment[`${service}_SERVICE_ORIGINS`] = origins;
    }
    for (const front of ['USER', 'ADMIN'])
      Object.assign(system.environment, {
        [`FRONT_${front}_AUTH_URL`]: url('auth'), [`FRONT_${front}_USER_URL`]: url('user'),
        [`FRONT_${front}_ADMIN_URL`]: url('admin'), [`FRONT_${front}_WATCH`]: '1s',
      });
    system.startAll();
    return system;
  }

  // Starts what does not run; `more`: settings for what is started now.
  startAll(more = {}) {
    execFileSync(path.join(this.home, 'scripts/startup-all.sh'), ['--processes'],
                 {env: {...this.environment, ...more}, stdio: ['ignore', 'ignore', 'pipe']});
  }

  // Ends one program and waits until it is gone.
  async stop(name) {
    const pid = Number(fs.readFileSync(path.join(this.home, 'run', `${name}.pid`), 'utf8'));
    process.kill(pid, 'SIGTERM');
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  // Runs a command of a service, with the settings of its .env.
  command(service, ...words) {
    const program = `${service}-service`;
    return execFileSync('bash', ['-c', 'set -a; . ./.env; exec "$AI_MICRO_BIN/$0" "$@"', program, ...words],
                        {cwd: path.join(this.home, `ai-micro-api-${service}`), env: this.environment, encoding: 'utf8'});
  }

  end() {
    execFileSync(path.join(this.home, 'scripts/startup-all.sh'), ['--processes', '--stop'],
                 {env: this.environment, stdio: 'ignore'});
    fs.rmSync(this.home, {recursive: true, force: true});
  }
}
