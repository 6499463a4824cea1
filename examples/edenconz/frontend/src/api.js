import { explain } from "./events.js";

async function call(path, options) {
  const response = await fetch(`/api/v1${path}`, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw new Error(explain(response.status, body));
  }
  return body;
}

function post(path, body = {}) {
  return call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export const listEvents = async () => (await call("/events/")).results;

export const buyTicket = (event, email) => post(`/events/${event}/tickets/`, { email });

export async function orderReport() {
  let report = await post("/reports/");
  // Each request waits on the server; a report takes well under a second unless all workers are busy.
  for (let tries = 0; report.status === "pending" && tries < 10; tries += 1) {
    report = await call(`/reports/${report.id}/?wait=3`);
  }
  return report;
}
