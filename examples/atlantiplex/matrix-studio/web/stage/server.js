'use strict';

const http = require('node:http');
const { createApp } = require('./lib/app');
const { createLog } = require('./lib/log');
const { Rooms } = require('./lib/rooms');
const { attachSockets } = require('./lib/sockets');

const port = Number(process.env.PORT ?? 9001);
const host = process.env.HOST ?? '0.0.0.0';
const log = createLog(process.env.LOG_LEVEL);

const rooms = new Rooms({ limit: Number(process.env.ROOM_LIMIT ?? 200) });
const state = { closing: false };
const server = http.createServer(createApp(rooms, state));
const sockets = attachSockets(server, rooms, { pingInterval: Number(process.env.PING_INTERVAL_MS ?? 25000), log });

server.listen(port, host, () => log('info', 'stage is listening', { host, port }));

async function shutdown(signal) {
  if (state.closing) return;
  state.closing = true;
  log('info', 'stage is stopping', { signal });
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await sockets.close();
  server.closeAllConnections();
  await closed;
  log('info', 'stage has stopped');
  process.exit(0);
}

process.on('SIGTERM', () => shutdown('SIGTERM'));
process.on('SIGINT', () => shutdown('SIGINT'));
