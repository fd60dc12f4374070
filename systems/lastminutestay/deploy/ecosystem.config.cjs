// pm2 start ecosystem.config.cjs: then `pm2 restart|reload|scale|logs lastminutestay-api` work as the manual types them.
//
// The service has workers of its own behind one socket, so pm2 sees one process (fork mode). pm2 restarts by stopping
// and starting: `handover` keeps socket and workers alive in between, so no request is lost; and pm2 must signal the
// supervisor only (treekill false), which knows what to do with its workers. `pm2 scale lastminutestay-api 2` starts a
// second instance that shares socket, breakers and metrics with the first.
const path = require('path');

const home = process.env.LASTMINUTESTAY_HOME || __dirname;

module.exports = {
  apps: [
    {
      name: 'lastminutestay-api',
      script: process.env.LASTMINUTESTAY_PROGRAM || 'lastminutestay-api',
      interpreter: 'none',
      args: process.env.LASTMINUTESTAY_CONFIG ? ['--config', process.env.LASTMINUTESTAY_CONFIG] : [],
      cwd: home,
      exec_mode: 'fork',
      instances: 1,
      treekill: false,
      kill_timeout: 20000,
      max_memory_restart: '512M',
      env: {
        LASTMINUTESTAY_HANDOVER: '15s',
        LASTMINUTESTAY_STATE: path.join(home, 'state'),
        LASTMINUTESTAY_LOGS: path.join(home, 'logs'),
      },
    },
  ],
};
