import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildApp } from '../dist/app.js';

test('rooms and quotes', async () => {
  const app = buildApp(false);
  assert.equal((await app.inject('/v1/rooms')).json().length, 3);
  assert.equal((await app.inject('/v1/rooms/none')).statusCode, 404);
  const ask = (payload) => app.inject({ method: 'POST', url: '/v1/quotes', payload });
  assert.equal((await ask({ room: 'attic', hours: 2 })).json().cents, 3600);
  assert.equal((await ask({ room: 'attic', hours: 0 })).statusCode, 400);
  await app.close();
});
