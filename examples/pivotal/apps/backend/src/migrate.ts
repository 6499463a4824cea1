import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Client } from "pg";
import { ConfigError, databaseUrl } from "./config.js";

// Any number that every instance agrees on: two migrations at once would apply the same file twice.
const LOCK = 7_091_853;
const migrationsFolder = fileURLToPath(new URL("../drizzle", import.meta.url));

try {
  const client = new Client({ connectionString: databaseUrl(process.env), connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [LOCK]);
    const before = await applied(client);
    await migrate(drizzle(client), { migrationsFolder });
    console.log(`migrations: ${(await applied(client)) - before} applied, ${before} were there`);
  } finally {
    await client.end();
  }
} catch (error) {
  console.error(error instanceof ConfigError ? `configuration: ${error.message}` : error);
  process.exit(1);
}

async function applied(client: Client): Promise<number> {
  const table = await client.query("select to_regclass('drizzle.__drizzle_migrations') as name");
  if (table.rows[0]?.name === null) return 0;
  const count = await client.query("select count(*)::int as n from drizzle.__drizzle_migrations");
  return count.rows[0].n;
}
