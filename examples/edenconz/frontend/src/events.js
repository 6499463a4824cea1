/** Seats that are left, never less than none. */
export function seatsLeft(event) {
  return Math.max(0, event.capacity - event.sold);
}

export function availability(event) {
  const left = seatsLeft(event);
  if (left === 0) return "sold out";
  return left === 1 ? "last seat" : `${left} seats`;
}

/** Events to come, the next one first; then those that are over, the latest first. */
export function inOrder(events, now = Date.now()) {
  const start = (event) => Date.parse(event.starts_at);
  const coming = events.filter((event) => start(event) >= now).sort((a, b) => start(a) - start(b));
  const over = events.filter((event) => start(event) < now).sort((a, b) => start(b) - start(a));
  return [...coming, ...over];
}

/** What an answer of the API means to a visitor. */
export function explain(status, body) {
  if (body?.error === "sold_out") return "This event is sold out.";
  if (status === 400 && body) return Object.values(body).flat().join(" ");
  if (status === 404) return "This event does not exist any more.";
  return `Something went wrong (${status}). Please try again.`;
}
