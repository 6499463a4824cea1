import { euros, quote } from '@booking/shared';
import { notFound } from 'next/navigation';
import { findRoom } from '../../../lib/api';

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const room = await findRoom((await params).id);
  if (!room) notFound();
  return (
    <main>
      <h1>{room.name}</h1>
      <table>
        <tbody>
          {[1, 2, 4, 8].map((hours) => (
            <tr key={hours}><td>{hours} h</td><td>{euros(quote(room, hours))}</td></tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}
