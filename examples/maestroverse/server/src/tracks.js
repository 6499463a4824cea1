import { Router } from 'express';
import { log } from './log.js';

const SECONDS = 30;

/** What a request asks for, or null. */
export function tracksQuery({ owner, limit = '50' }) {
  const number = Number(limit);
  if (!Number.isInteger(number) || number < 1 || number > 100) return null;
  if (owner !== undefined && !/^[0-9a-f-]{36}$/.test(owner)) return null;
  return { owner: owner ?? null, limit: number };
}

/** The version changes with the form of the answer, so that two releases can share one Redis. */
export const tracksKey = ({ owner, limit }) => `tracks:v1:${owner ?? 'all'}:${limit}`;

export function tracks({ prisma, redis }) {
  const router = Router();

  const find = ({ owner, limit }) =>
    prisma.track.findMany({
      where: owner ? { ownerId: owner } : {},
      orderBy: { createdAt: 'desc' },
      take: limit,
      select: { id: true, title: true, bytes: true, createdAt: true, _count: { select: { plays: true } } },
    });

  router.get('/tracks', async (req, res) => {
    const query = tracksQuery(req.query);
    if (!query) return res.fail(400, 'invalid_request');
    const key = tracksKey(query);

    const cached = await redis.get(key).catch(() => null);
    if (cached) return res.set('X-Cache', 'hit').type('json').send(cached);

    const rows = await find(query);
    const body = JSON.stringify({ tracks: rows.map(({ _count, ...track }) => ({ ...track, plays: _count.plays })) });
    // Nobody waits for the cache: without it the answer is as right.
    redis.set(key, body, 'EX', SECONDS).catch((error) => log('warn', 'not cached', { error: error.message }));
    res.set('X-Cache', 'miss').type('json').send(body);
  });

  return router;
}
