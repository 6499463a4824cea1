import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { HashedStorage, uploadPath } from '../src/files.js';

test('the path comes from the hash alone', () => {
  const sha256 = createHash('sha256').update('song').digest('hex');
  assert.equal(uploadPath(sha256), `${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`);
  assert.throws(() => uploadPath('../../etc/passwd'));
  assert.throws(() => uploadPath(sha256.toUpperCase()));
});

test('a received file is moved to its place, once', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'maestro-'));
  t.after(() => rm(folder, { recursive: true }));
  const storage = new HashedStorage(folder);
  const receive = promisify(storage._handleFile.bind(storage));

  for (let round = 0; round < 2; round += 1) {
    const file = await receive(null, { stream: Readable.from(['la ', 'la']) });
    assert.equal(file.size, 5);
    const place = await storage.keep(file);
    assert.equal(place, uploadPath(createHash('sha256').update('la la').digest('hex')));
    assert.equal(await readFile(path.join(folder, place), 'utf8'), 'la la');
  }
  assert.deepEqual(await readdir(path.join(folder, 'incoming')), []);
});
