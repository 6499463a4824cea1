import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** The checksum that Prisma itself writes into _prisma_migrations. */
export const checksum = (sql) => createHash('sha256').update(sql).digest('hex');

/** The migrations of a folder, in the order of their names. */
export async function readMigrations(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(path.join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: checksum(sql) };
    }),
  );
}

/**
 * What is still to be applied. A row without a file is no error: after a rollback the older release meets the newer
 * schema.
 */
export function planMigrations(files, rows) {
  const applied = new Map();
  for (const row of rows) {
    if (row.rolled_back_at) continue;
    if (!row.finished_at) throw new Error(`${row.migration_name} was begun and did not finish`);
    applied.set(row.migration_name, row.checksum);
  }
  for (const file of files) {
    const known = applied.get(file.name);
    if (known !== undefined && known !== file.checksum) {
      throw new Error(`${file.name} was changed after it was applied`);
    }
  }
  return files.filter((file) => !applied.has(file.name));
}
