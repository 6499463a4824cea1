import Link from 'next/link';

export const metadata = { title: 'Maestroverse', description: 'Tracks, and what is playing now' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body style={{ fontFamily: 'system-ui', maxWidth: '40rem', margin: '2rem auto', padding: '0 1rem' }}>
        <header>
          <Link href="/">Maestroverse</Link> · <Link href="/tracks">Tracks</Link>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
}
