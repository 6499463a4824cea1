import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPlay } from '../src/playing.js';
import { tracksKey, tracksQuery } from '../src/tracks.js';

const owner = '11111111-1111-4111-8111-111111111111';

test('each question has its own key', () => {
  assert.equal(tracksKey(tracksQuery({})), 'tracks:v1:all:50');
  assert.equal(tracksKey(tracksQuery({ owner, limit: '5' })), `tracks:v1:${owner}:5`);
  assert.equal(tracksKey(tracksQuery({ limit: '05' })), tracksKey(tracksQuery({ limit: '5' })));
});

test('a wrong question has none', () => {
  for (const query of [{ limit: '0' }, { limit: '101' }, { limit: 'x' }, { owner: 'all:1' }, { owner: ['a', 'b'] }]) {
    assert.equal(tracksQuery(query), null, JSON.stringify(query));
  }
});

test('a message names a track', () => {
  assert.equal(readPlay('{"play":"t1"}'), 't1');
  for (const message of ['', 'null', '[]', '{"play":1}', '{"stop":"t1"}']) {
    assert.equal(readPlay(message), null, message);
  }
});
