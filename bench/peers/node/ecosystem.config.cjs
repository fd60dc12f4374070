// Two workers in cluster mode; PEER is the folder of the one to run.
const { join } = require('node:path');

module.exports = {
  apps: [{
    name: `peer-${process.env.PEER}`,
    script: join(__dirname, process.env.PEER, 'server.js'),
    exec_mode: 'cluster',
    instances: 2,
    wait_ready: true,
    env: { NODE_ENV: 'production' },
  }],
};
