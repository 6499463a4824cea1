import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  const listeners = new Gauge({
    name: 'now_playing_listeners',
    help: 'Open WebSocket connections',
    registers: [registry],
  });

  return {
    registry,
    listeners,
    measure(req, res, next) {
      const end = duration.startTimer({ method: req.method });
      // The route and not the path: ids would make a series each.
      res.on('finish', () => end({ route: req.route?.path ?? 'none', status: res.statusCode }));
      next();
    },
  };
}
