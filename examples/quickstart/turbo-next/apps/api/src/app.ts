import { quote, type Room } from '@booking/shared';
import Fastify from 'fastify';

const ROOMS: Room[] = [
  { id: 'attic', name: 'Attic', seats: 6, hourly: 1800 },
  { id: 'garden', name: 'Garden', seats: 20, hourly: 4500 },
  { id: 'cellar', name: 'Cellar', seats: 3, hourly: 900 },
];

const quoteBody = {
  type: 'object',
  required: ['room', 'hours'],
  properties: { room: { type: 'string' }, hours: { type: 'integer', minimum: 1, maximum: 24 } },
};

export function buildApp(logger = true) {
  const app = Fastify({ logger });
  const find = (id: string) => ROOMS.find((room) => room.id === id);

  app.get('/health', async () => ({ status: 'ok' }));
  app.get('/v1/rooms', async () => ROOMS);
  app.get<{ Params: { id: string } }>('/v1/rooms/:id', async (request, reply) => {
    return find(request.params.id) ?? reply.code(404).send({ error: 'not_found' });
  });
  app.post<{ Body: { room: string; hours: number } }>('/v1/quotes', { schema: { body: quoteBody } }, async (request, reply) => {
    const room = find(request.body.room);
    if (!room) return reply.code(404).send({ error: 'not_found' });
    return { room: room.id, hours: request.body.hours, cents: quote(room, request.body.hours) };
  });
  return app;
}
