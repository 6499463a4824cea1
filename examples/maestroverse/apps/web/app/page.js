import NowPlaying from './now-playing';

const apiUrl = process.env.NEXT_PUBLIC_API_URL || '/api';

export default function Home() {
  return (
    <>
      <h1>Maestroverse</h1>
      <NowPlaying />
      <p>
        The API: <code id="api-url">{apiUrl}</code>
      </p>
    </>
  );
}
