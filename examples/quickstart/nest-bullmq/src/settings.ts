import type { ConnectionOptions } from 'bullmq';

export const QUEUE = 'checksums';

export function redisUrl(env = process.env): string {
  if (!env.REDIS_URL) throw new Error('REDIS_URL is not set');
  return env.REDIS_URL;
}

export function connection(env = process.env): ConnectionOptions {
  return { url: redisUrl(env) };
}
