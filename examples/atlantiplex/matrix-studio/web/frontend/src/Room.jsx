import { useEffect, useState } from 'react';
import { createEvent, listEvents } from './api.js';
import { useRoom } from './useRoom.js';

export function Room({ show, name }) {
  const [room, say] = useRoom(String(show.id), name);
  const [events, setEvents] = useState([]);
  const [text, setText] = useState('');

  useEffect(() => {
    listEvents(show.id).then(setEvents, () => setEvents([]));
  }, [show.id]);

  function submit(event) {
    event.preventDefault();
    if (text.trim()) say(text);
    setText('');
  }

  async function applaud() {
    const event = await createEvent(show.id, { kind: 'applause', payload: { by: name } });
    setEvents((all) => [...all, event]);
  }

  return (
    <section>
      <h2>{show.title}</h2>
      <p className="status">{room.error ?? room.status} · {room.names.join(', ') || 'nobody here'}</p>
      <ol className="lines">
        {room.lines.map((line, index) => (
          <li key={index}><b>{line.name}</b> {line.text}</li>
        ))}
      </ol>
      <form onSubmit={submit}>
        <input value={text} onChange={(event) => setText(event.target.value)} placeholder="Say something" />
        <button disabled={room.status !== 'joined'}>Send</button>
        <button type="button" onClick={applaud}>Applaud ({events.filter((e) => e.kind === 'applause').length})</button>
      </form>
    </section>
  );
}
