import type { Room } from '@booking/shared';

function url(path: string): string {
  const base = process.env.API_URL;
  if (!base) throw new Error('API_URL is not set');
  return new URL(path, base).toString();
}

export async function listRooms(): Promise<Room[]> {
  const answer = await fetch(url('/v1/rooms'), { cache: 'no-store' });
  if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
  return answer.json();
}

export async function findRoom(id: string): Promise<Room | null> {
  const answer = await fetch(url(`/v1/rooms/${encodeURIComponent(id)}`), { cache: 'no-store' });
  return answer.ok ? answer.json() : null;
}
