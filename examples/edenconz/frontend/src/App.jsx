import { useCallback, useEffect, useState } from "react";
import { buyTicket, listEvents, orderReport } from "./api.js";
import { availability, inOrder, seatsLeft } from "./events.js";

export function App() {
  const [events, setEvents] = useState([]);
  const [message, setMessage] = useState("");

  const load = useCallback(
    () =>
      listEvents().then(
        (loaded) => setEvents(inOrder(loaded)),
        (error) => setMessage(error.message),
      ),
    [],
  );
  useEffect(() => {
    load();
  }, [load]);

  async function buy(event, email) {
    try {
      const ticket = await buyTicket(event.id, email);
      setMessage(`Your ticket for ${event.title}: ${ticket.code}`);
    } catch (error) {
      setMessage(error.message);
    }
    load();
  }

  return (
    <main>
      <h1>EdenConz events</h1>
      {message && <p role="status">{message}</p>}
      {events.length === 0 && <p>No events yet.</p>}
      <ul>
        {events.map((event) => (
          <EventItem key={event.id} event={event} onBuy={(email) => buy(event, email)} />
        ))}
      </ul>
      <SalesReport />
    </main>
  );
}

function EventItem({ event, onBuy }) {
  function submit(submitted) {
    submitted.preventDefault();
    onBuy(new FormData(submitted.target).get("email"));
    submitted.target.reset();
  }

  return (
    <li>
      <strong>{event.title}</strong>
      <span>
        {new Date(event.starts_at).toLocaleString()}
        {event.venue && `, ${event.venue}`}
      </span>
      <span>{availability(event)}</span>
      {seatsLeft(event) > 0 && (
        <form onSubmit={submit}>
          <input name="email" type="email" required placeholder="you@example.org" aria-label="E-mail" />
          <button type="submit">Buy a ticket</button>
        </form>
      )}
    </li>
  );
}

function SalesReport() {
  const [report, setReport] = useState(null);
  const [state, setState] = useState("");

  async function order() {
    setState("Writing the report…");
    try {
      const finished = await orderReport();
      setReport(finished.file);
      setState(finished.file ? "" : "The report is not ready. Please try again.");
    } catch (error) {
      setState(error.message);
    }
  }

  return (
    <footer>
      <button type="button" onClick={order}>
        Order a sales report
      </button>
      {state && <span role="status">{state}</span>}
      {report && <a href={report}>Download the report</a>}
    </footer>
  );
}
