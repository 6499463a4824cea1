import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readSettings } from '../src/settings.js';

const env = { DATABASE_URL: 'postgresql://db/x', REDIS_URL: 'redis://r', JWT_SECRET: 'x'.repeat(32) };

test('a short or missing key is refused', () => {
  assert.equal(readSettings(env).port, 3001);
  assert.throws(() => readSettings({ ...env, JWT_SECRET: 'x'.repeat(31) }), /JWT_SECRET/);
  assert.throws(() => readSettings({ ...env, JWT_SECRET: undefined }), /JWT_SECRET/);
});

test('the address of a store may stand in a file', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'maestro-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'url');
  writeFileSync(file, 'postgresql://db/from-file\n');
  const settings = readSettings({ ...env, DATABASE_URL: undefined, DATABASE_URL_FILE: file });
  assert.equal(settings.databaseUrl, 'postgresql://db/from-file');
  assert.throws(() => readSettings({ ...env, REDIS_URL: '' }), /REDIS_URL_FILE/);
});

test('lists are separated by commas', () => {
  const settings = readSettings({ ...env, CORS_ORIGINS: 'https://a, https://b,', ROOT_ADMIN_EMAILS: 'Root@x.org' });
  assert.deepEqual(settings.corsOrigins, ['https://a', 'https://b']);
  assert.deepEqual(settings.rootAdminEmails, ['root@x.org']);
});
