'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { createApp } = require('../src/app');

async function serve(query) {
  const server = createApp({ query }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const send = (method, path, body) =>
    fetch(url + path, { method, headers: { 'content-type': 'application/json', connection: 'close' }, body });
  return { send, close: () => server.close() };
}

test('creates a note and refuses one without a title', async () => {
  const app = await serve(async (sql, [title, body]) => ({ rows: [{ id: 4, title, body }] }));
  const created = await app.send('POST', '/api/notes', '{"title":" milk ","body":"2 l"}');
  assert.equal(created.status, 201);
  assert.equal(created.headers.get('location'), '/api/notes/4');
  assert.equal((await created.json()).title, 'milk');
  assert.equal((await app.send('POST', '/api/notes', '{}')).status, 400);
  assert.equal((await app.send('POST', '/api/notes', '{')).status, 400);
  app.close();
});

test('a note that is not there', async () => {
  const app = await serve(async () => ({ rows: [], rowCount: 0 }));
  assert.equal((await app.send('GET', '/api/notes/9')).status, 404);
  assert.equal((await app.send('GET', '/api/notes/x')).status, 404);
  assert.equal((await app.send('DELETE', '/api/notes/9')).status, 404);
  app.close();
});

test('live without the database, ready not', async () => {
  const app = await serve(async () => { throw new Error('down'); });
  assert.equal((await app.send('GET', '/health')).status, 200);
  assert.equal((await app.send('GET', '/ready')).status, 503);
  assert.equal((await app.send('GET', '/api/notes')).status, 500);
  app.close();
});
