import express from 'express';
import { accounts } from './accounts.js';
import { cors, failed, notFound, requestId, requestLog } from './http.js';
import { tracks } from './tracks.js';
import { uploads } from './uploads.js';

export function createApp(settings, stores, metrics) {
  const app = express();
  app.disable('x-powered-by');
  app.use(requestId);

  app.get('/health', (req, res) => {
    res.json({ status: 'ok' });
  });
  app.get('/ready', async (req, res) => {
    const stored = await stores.ready();
    const ready = stored.database && stored.redis;
    res.status(ready ? 200 : 503).json({ ready, ...stored });
  });
  app.get('/metrics', async (req, res) => {
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  app.use(requestLog, metrics.measure, cors(settings.corsOrigins));
  app.use(express.json({ limit: '16kb' }));
  app.use(accounts(stores, settings));
  app.use(uploads(stores, settings));
  app.use(tracks(stores));
  app.get('/ws', (req, res) => {
    res.set('Upgrade', 'websocket').fail(426, 'upgrade_required');
  });

  app.use(notFound);
  app.use(failed);
  return app;
}
