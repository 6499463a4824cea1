import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '@prisma/client';
import { Redis } from 'ioredis';
import { log } from './log.js';

/** How long a store may take to say that it is there. */
const LIMIT = 2000;

/** Opens both stores. A store that is away is no reason to stop: /ready tells it, and it may come back. */
export function openStores({ databaseUrl, redisUrl }) {
  const adapter = new PrismaPg({ connectionString: databaseUrl, max: 10, connectionTimeoutMillis: LIMIT });
  const prisma = new PrismaClient({ adapter });
  const redis = connectRedis(redisUrl);
  // A connection that subscribes can send nothing else.
  const subscriber = connectRedis(redisUrl);

  return {
    prisma,
    redis,
    subscriber,
    async ready() {
      const [database, cache] = await Promise.all([
        answers(prisma.$queryRaw`SELECT 1`),
        answers(redis.ping()),
      ]);
      return { database, redis: cache };
    },
    async close() {
      redis.disconnect();
      subscriber.disconnect();
      await prisma.$disconnect();
    },
  };
}

function connectRedis(url) {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: LIMIT, commandTimeout: 1000 });
  let away = false;
  redis.on('ready', () => (away = false));
  redis.on('error', (error) => {
    // It tries again and again: one line for each time it goes away.
    if (!away) log('error', 'redis does not answer', { error: error.message || error.code });
    away = true;
  });
  return redis;
}

async function answers(asked) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, LIMIT, false);
  });
  const answered = Promise.resolve(asked).then(
    () => true,
    () => false,
  );
  const result = await Promise.race([answered, late]);
  clearTimeout(timer);
  return result;
}
