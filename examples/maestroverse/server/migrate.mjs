// Applies prisma/migrations to the database and keeps Prisma's own record of them, so that `prisma migrate dev` goes on
// from there in development. Prisma's command line is no part of a production install.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { planMigrations, readMigrations } from './src/migrations.js';
import { required } from './src/settings.js';

/** The lock that Prisma takes too. */
const LOCK = 72707369;

const TABLE = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

async function apply(client, migration) {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO "_prisma_migrations" (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`${migration.name}: ${error.message}`);
  }
}

async function migrate() {
  const files = await readMigrations(fileURLToPath(new URL('prisma/migrations', import.meta.url)));
  const client = new pg.Client({
    connectionString: required('DATABASE_URL', process.env),
    connectionTimeoutMillis: 10_000,
  });
  await client.connect();
  try {
    await client.query("SET lock_timeout = '60s'");
    // The session holds the lock: it ends with the connection, whatever happens.
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(TABLE);
    const { rows } = await client.query('SELECT * FROM "_prisma_migrations"');
    const pending = planMigrations(files, rows);
    for (const migration of pending) {
      await apply(client, migration);
      console.log(`applied ${migration.name}`);
    }
    console.log(pending.length ? `${pending.length} applied` : 'nothing to apply');
  } finally {
    await client.end();
  }
}

migrate().catch((error) => {
  console.error(`migrate: ${error.message || error.code}`);
  process.exitCode = 1;
});
