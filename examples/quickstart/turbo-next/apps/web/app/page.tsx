import { euros } from '@booking/shared';
import Link from 'next/link';
import { listRooms } from '../lib/api';

export const dynamic = 'force-dynamic';

export default async function Page() {
  const rooms = await listRooms();
  return (
    <main>
      <h1>Rooms</h1>
      <ul>
        {rooms.map((room) => (
          <li key={room.id}>
            <Link href={`/rooms/${room.id}`}>{room.name}</Link> {room.seats} seats, {euros(room.hourly)} an hour
          </li>
        ))}
      </ul>
    </main>
  );
}
