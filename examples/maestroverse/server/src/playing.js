import { WebSocketServer } from 'ws';
import { log } from './log.js';

const CHANNEL = 'now-playing';
const HEARTBEAT = 30_000;
/** RFC 6455's registry: the service restarts, come back. */
const RESTART = 1012;

/** "Now playing": what one listener plays, all see, whichever instance they are connected to. */
export function nowPlaying(server, { prisma, redis, subscriber }, metrics) {
  const sockets = new WebSocketServer({ server, path: '/ws', maxPayload: 1024 });

  sockets.on('connection', (client) => {
    client.alive = true;
    metrics.listeners.set(sockets.clients.size);
    client.on('pong', () => (client.alive = true));
    client.on('close', () => metrics.listeners.set(sockets.clients.size));
    client.on('error', (error) => log('warn', 'websocket', { error: error.message }));
    client.on('message', (data) => {
      play(data).catch((error) => {
        log('error', 'play failed', { error: error.message });
        client.send(JSON.stringify({ error: 'internal' }));
      });
    });

    async function play(data) {
      const trackId = readPlay(data);
      const track = trackId && (await prisma.track.findUnique({ where: { id: trackId } }));
      if (!track) return client.send(JSON.stringify({ error: 'unknown_track' }));
      const { at } = await prisma.play.create({ data: { trackId } });
      await redis.publish(CHANNEL, JSON.stringify({ playing: { id: track.id, title: track.title }, at }));
    }
  });

  subscriber.on('message', (channel, message) => {
    for (const client of sockets.clients) client.send(message);
  });
  // It waits until Redis is there, and ioredis subscribes again after each reconnection.
  subscriber.on('ready', () => {
    subscriber.subscribe(CHANNEL).catch((error) => log('error', 'subscribe', { error: error.message }));
  });

  const heartbeat = setInterval(() => {
    for (const client of sockets.clients) {
      if (!client.alive) client.terminate();
      client.alive = false;
      client.ping();
    }
  }, HEARTBEAT);

  return {
    /** Asks every listener to come back, and does not wait for those that do not listen. */
    close() {
      clearInterval(heartbeat);
      for (const client of sockets.clients) client.close(RESTART, 'restart');
      setTimeout(() => sockets.clients.forEach((client) => client.terminate()), 1000).unref();
    },
  };
}

/** The id in `{"play": id}`, or null. */
export function readPlay(data) {
  try {
    const { play } = JSON.parse(data.toString());
    return typeof play === 'string' ? play : null;
  } catch {
    return null;
  }
}
