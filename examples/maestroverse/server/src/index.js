import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createApp } from './app.js';
import { log } from './log.js';
import { createMetrics } from './metrics.js';
import { nowPlaying } from './playing.js';
import { readSettings } from './settings.js';
import { openStores } from './stores.js';

/** How long open requests may take after SIGTERM. */
const GRACE = 4000;

function settingsOrExit() {
  try {
    return readSettings(process.env);
  } catch (error) {
    log('fatal', error.message);
    process.exit(1);
  }
}

const settings = settingsOrExit();
const stores = openStores(settings);
const metrics = createMetrics();
const server = createServer(createApp(settings, stores, metrics));

server.on('error', (error) => {
  log('fatal', error.message);
  process.exit(1);
});

const playing = nowPlaying(server, stores, metrics);

server.listen(settings.port, settings.host, () => {
  log('info', 'listening', { host: settings.host, port: settings.port });
});

async function stop(signal) {
  log('info', 'stopping', { signal });
  // A store that hangs does not keep the process.
  setTimeout(() => process.exit(0), GRACE + 500).unref();
  const closed = new Promise((resolve) => server.close(resolve));
  playing.close();
  // A connection that becomes idle after its last answer is closed too.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  let cut = false;
  const late = setTimeout(() => {
    cut = true;
    server.closeAllConnections();
  }, GRACE);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
  // Uploads that were cut off take their part of a file away.
  if (cut) await delay(200);
  await stores.close();
  log('info', 'stopped');
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
