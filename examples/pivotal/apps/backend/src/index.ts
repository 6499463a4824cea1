import { createApp } from "./app.js";
import { ConfigError, readConfig } from "./config.js";
import { openDatabase } from "./database.js";
import { Events } from "./events.js";

try {
  const config = readConfig(process.env);
  const db = openDatabase(config.databaseUrl, (error) => app.log.warn(error, "a database connection broke"));
  const events = new Events(config.redisUrl, (error) => app.log.warn(error, "the connection to Redis broke"));
  const app = createApp(db, events, config.logLevel);
  events.start().catch((error) => app.log.error(error, "the stream is not subscribed"));

  const stop = async (signal: string): Promise<void> => {
    app.log.info(`${signal}: no new requests, finishing the open ones`);
    await app.close();
    events.close();
    await db.$client.end();
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);

  await app.listen({ host: config.host, port: config.port });
} catch (error) {
  console.error(error instanceof ConfigError ? `configuration: ${error.message}` : error);
  process.exit(1);
}
