async function call(path, options) {
  const answer = await fetch(`/api${path}`, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? `the server answered ${answer.status}`);
  return body;
}

export const listShows = () => call('/shows');
export const listEvents = (id) => call(`/shows/${id}/events`);

const post = (path, value) =>
  call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });

export const createShow = (show) => post('/shows', show);
export const createEvent = (id, event) => post(`/shows/${id}/events`, event);
