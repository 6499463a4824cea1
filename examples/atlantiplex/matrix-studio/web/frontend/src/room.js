// What a room looks like after each message of the stage server. No socket in here, see useRoom.js.

export const emptyRoom = { status: 'connecting', names: [], lines: [], error: null };

const KEPT_LINES = 100;

export function reduceRoom(room, message) {
  switch (message.type) {
    case 'joined':
      return { ...room, status: 'joined', error: null };
    case 'presence':
      return { ...room, names: message.names };
    case 'said': {
      const line = { name: message.name, text: message.text, at: message.at };
      return { ...room, lines: [...room.lines, line].slice(-KEPT_LINES) };
    }
    case 'error':
      return { ...room, error: message.error };
    case 'closed':
      return { ...room, status: message.code === 1012 ? 'server restarts' : 'connection lost', names: [] };
    default:
      return room;
  }
}

/** Milliseconds until the next try: soon after a planned restart, else slower each time, at most 15 s. */
export function reconnectDelay(code, tries) {
  if (code === 1012 && tries === 0) return 250;
  return Math.min(15000, 1000 * 2 ** tries);
}

export function socketUrl(location) {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
}
