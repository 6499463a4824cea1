import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checksum, planMigrations, readMigrations } from '../src/migrations.js';

const file = (name, sql) => ({ name, sql, checksum: checksum(sql) });
const row = (name, sql, more) => ({
  migration_name: name,
  checksum: checksum(sql),
  finished_at: new Date(),
  rolled_back_at: null,
  ...more,
});
const files = [file('1_a', 'A'), file('2_b', 'B')];
const names = (plan) => plan.map(({ name }) => name);

test('what is not applied is applied, in order', () => {
  assert.deepEqual(names(planMigrations(files, [])), ['1_a', '2_b']);
  assert.deepEqual(names(planMigrations(files, [row('1_a', 'A')])), ['2_b']);
  assert.deepEqual(planMigrations(files, [row('1_a', 'A'), row('2_b', 'B')]), []);
});

test('a changed file and an unfinished migration stop it', () => {
  assert.throws(() => planMigrations(files, [row('1_a', 'old')]), /1_a was changed/);
  assert.throws(() => planMigrations(files, [row('1_a', 'A', { finished_at: null })]), /did not finish/);
});

test('a migration that was rolled back is applied again', () => {
  assert.deepEqual(names(planMigrations(files, [row('1_a', 'old', { rolled_back_at: new Date() })])), ['1_a', '2_b']);
});

test('an older release meets a newer schema', () => {
  assert.deepEqual(planMigrations(files.slice(0, 1), [row('1_a', 'A'), row('2_b', 'B')]), []);
});

test('the folder is read in order', async () => {
  const found = await readMigrations(fileURLToPath(new URL('../prisma/migrations', import.meta.url)));
  assert.equal(found.length, 2);
  assert.deepEqual(names(found), names(found).sort());
});
