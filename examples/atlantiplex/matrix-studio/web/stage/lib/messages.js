'use strict';

const MAX_TEXT = 500;
const ROOM = /^[a-z0-9-]{1,40}$/;

/** Reads one message of a client; answers `{ error }` for what is not one. */
function parse(raw) {
  let message;
  try {
    message = JSON.parse(raw);
  } catch {
    return { error: 'not JSON' };
  }
  if (message === null || typeof message !== 'object') return { error: 'not an object' };
  if (message.type === 'join') {
    const room = String(message.room ?? '');
    const name = String(message.name ?? '').trim();
    if (!ROOM.test(room)) return { error: 'room: letters, digits and dashes, at most 40' };
    if (name === '' || name.length > 40) return { error: 'name: 1 to 40 characters' };
    return { type: 'join', room, name };
  }
  if (message.type === 'say') {
    const text = String(message.text ?? '').trim();
    if (text === '' || text.length > MAX_TEXT) return { error: `text: 1 to ${MAX_TEXT} characters` };
    return { type: 'say', text };
  }
  return { error: 'unknown type' };
}

module.exports = { parse, MAX_TEXT };
