import { useEffect, useState } from 'react';
import { createShow, listShows } from './api.js';
import { Room } from './Room.jsx';

export function App() {
  const [shows, setShows] = useState([]);
  const [error, setError] = useState(null);
  const [title, setTitle] = useState('');
  const [chosen, setChosen] = useState(null);
  const [name, setName] = useState('guest');

  useEffect(() => {
    listShows().then(setShows, (problem) => setError(problem.message));
  }, []);

  async function add(event) {
    event.preventDefault();
    try {
      const show = await createShow({ title, starts_at: new Date().toISOString() });
      setShows((all) => [...all, show]);
      setTitle('');
      setError(null);
    } catch (problem) {
      setError(problem.message);
    }
  }

  return (
    <main>
      <h1>Matrix Studio</h1>
      {error && <p role="alert">{error}</p>}
      <label>Your name <input value={name} onChange={(event) => setName(event.target.value)} /></label>
      <ul className="shows">
        {shows.map((show) => (
          <li key={show.id}>
            <button onClick={() => setChosen(show)}>{show.title}</button>
            <time dateTime={show.starts_at}> {new Date(show.starts_at).toLocaleString()}</time>
          </li>
        ))}
      </ul>
      <form onSubmit={add}>
        <input value={title} onChange={(event) => setTitle(event.target.value)} placeholder="A new show" />
        <button>Add</button>
      </form>
      {chosen && <Room key={`${chosen.id} ${name}`} show={chosen} name={name || 'guest'} />}
    </main>
  );
}
