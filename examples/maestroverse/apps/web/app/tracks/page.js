export const metadata = { title: 'Tracks · Maestroverse' };
export const dynamic = 'force-dynamic';

async function readTracks() {
  const apiUrl = process.env.API_INTERNAL_URL ?? 'http://localhost:3001';
  const response = await fetch(`${apiUrl}/tracks`, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`the API answered ${response.status}`);
  const { tracks } = await response.json();
  return tracks;
}

export default async function Tracks() {
  const tracks = await readTracks();
  return (
    <>
      <h1>Tracks</h1>
      <p id="track-count">{`${tracks.length} on this page`}</p>
      <ul>
        {tracks.map((track) => (
          <li key={track.id}>
            {track.title} ({track.plays} plays)
          </li>
        ))}
      </ul>
    </>
  );
}
