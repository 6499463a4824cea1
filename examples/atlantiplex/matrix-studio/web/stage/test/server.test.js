'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { test } = require('node:test');
const WebSocket = require('ws');
const { createApp } = require('../lib/app');
const { Rooms } = require('../lib/rooms');
const { attachSockets, SERVICE_RESTART } = require('../lib/sockets');

async function start(pingInterval = 60000) {
  const rooms = new Rooms();
  const state = { closing: false };
  const server = http.createServer(createApp(rooms, state));
  const sockets = attachSockets(server, rooms, { pingInterval, log: () => {} });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return { state, sockets, http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}/ws`, server };
}

/** Joins a room; `next(type)` is the next message of that type. */
async function join(url, room, name) {
  const socket = new WebSocket(url);
  const messages = [];
  socket.on('message', (raw) => messages.push(JSON.parse(raw)));
  const next = async (type) => {
    for (;;) {
      const at = messages.findIndex((message) => message.type === type);
      if (at >= 0) return messages.splice(at, 1)[0];
      await once(socket, 'message');
    }
  };
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'join', room, name }));
  await next('joined');
  return { socket, next };
}

test('two sockets talk, and a stop closes them with 1012', async () => {
  const stage = await start();
  const ada = await join(stage.ws, 'one', 'Ada');
  const bob = await join(stage.ws, 'one', 'Bob');
  bob.socket.send(JSON.stringify({ type: 'say', text: 'hello' }));
  assert.equal((await ada.next('said')).text, 'hello');
  const listed = await (await fetch(`${stage.http}/rooms`)).json();
  assert.deepEqual(listed.rooms, [{ room: 'one', names: ['Ada', 'Bob'] }]);

  const codes = Promise.all([ada, bob].map(async ({ socket }) => (await once(socket, 'close'))[0]));
  stage.server.close();
  await stage.sockets.close();
  assert.deepEqual(await codes, [SERVICE_RESTART, SERVICE_RESTART]);
});

test('health and ready; not ready while closing', async () => {
  const stage = await start();
  assert.equal((await fetch(`${stage.http}/health`)).status, 200);
  assert.equal((await fetch(`${stage.http}/ready`)).status, 200);
  stage.state.closing = true;
  assert.equal((await fetch(`${stage.http}/ready`)).status, 503);
  assert.equal((await fetch(`${stage.http}/elsewhere`)).status, 404);
  await stage.sockets.close();
  stage.server.closeAllConnections();
  stage.server.close();
});

test('a socket that answers no ping is dropped', async () => {
  const stage = await start(20);
  const socket = new WebSocket(stage.ws, { autoPong: false });
  const [code] = await once(socket, 'close');
  assert.equal(code, 1006);
  await stage.sockets.close();
  stage.server.close();
});
