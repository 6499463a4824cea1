'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { checksum } = require('../dist/checksum');
const { JobsController } = require('../dist/jobs.controller');
const { redisUrl } = require('../dist/settings');

test('a checksum counts bytes', () => {
  assert.equal(checksum('abc').sha256, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(checksum('é').bytes, 2);
});

test('jobs', async () => {
  const queue = { add: async () => ({ id: '7' }), getJob: async () => undefined, getJobState: async () => 'unknown' };
  const jobs = new JobsController(queue);
  assert.deepEqual(await jobs.enqueue({ text: 'x' }), { id: '7' });
  await assert.rejects(jobs.enqueue({ text: '' }), /text/);
  await assert.rejects(jobs.result('8', '0'), /Not Found/);
});

test('refuses to start without REDIS_URL', () => {
  assert.throws(() => redisUrl({}), /REDIS_URL/);
});
