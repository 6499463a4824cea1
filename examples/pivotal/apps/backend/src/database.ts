import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { Pool } from "pg";

export type Database = NodePgDatabase & { $client: Pool };

/** Connects on first use, so that the service starts, and says "not ready", while the database does not answer. */
export function openDatabase(url: string, onError: (error: Error) => void): Database {
  const pool = new Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 2_000,
    // Kept: a new one needs the host's name, and while Redis is gone its name keeps Node's two resolver threads busy.
    idleTimeoutMillis: 0,
    query_timeout: 10_000,
  });
  // An idle connection that breaks emits here; without a listener it would end the process.
  pool.on("error", onError);
  return drizzle(pool);
}
