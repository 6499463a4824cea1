'use strict';

const { Pool } = require('pg');
const { createApp } = require('./app');

const { DATABASE_URL, PORT = '3000', HOST = '0.0.0.0' } = process.env;
if (!DATABASE_URL) {
  console.error('DATABASE_URL is not set');
  process.exit(1);
}

const pool = new Pool({ connectionString: DATABASE_URL, connectionTimeoutMillis: 2000 });
pool.on('error', (error) => console.log(`idle connection lost: ${error.message}`));

const server = createApp(pool).listen(Number(PORT), HOST, (error) => {
  if (error) throw error;
  console.log(`listening on ${HOST}:${PORT}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${signal}: stopping`);
    server.close(async () => {
      await pool.end();
      process.exit(0);
    });
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 3000).unref();
  });
}
