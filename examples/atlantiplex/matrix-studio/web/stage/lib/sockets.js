'use strict';

const { WebSocketServer, WebSocket } = require('ws');
const { parse } = require('./messages');

const SERVICE_RESTART = 1012;

/** The websocket server on /ws: joins sockets to rooms and drops those that no longer answer a ping. */
function attachSockets(server, rooms, { pingInterval, log }) {
  const wss = new WebSocketServer({ server, path: '/ws', maxPayload: 16 * 1024 });

  wss.on('connection', (socket) => {
    const member = {
      send: (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)),
    };
    let current = null;
    socket.isAlive = true;
    socket.on('pong', () => { socket.isAlive = true; });
    socket.on('error', (error) => log('warn', 'socket error', { error: error.message }));
    socket.on('close', () => current && rooms.leave(current, member));
    socket.on('message', (raw) => {
      const message = parse(raw);
      if (message.error) return member.send({ type: 'error', error: message.error });
      if (message.type === 'say') {
        if (current) rooms.say(current, member, message.text);
        else member.send({ type: 'error', error: 'join a room first' });
        return;
      }
      if (current) rooms.leave(current, member);
      const joined = rooms.join(message.room, member, message.name);
      current = joined ? message.room : null;
      member.send(joined ? { type: 'joined', room: message.room } : { type: 'error', error: 'room is full' });
    });
  });

  const heartbeat = setInterval(() => {
    for (const socket of wss.clients) {
      if (!socket.isAlive) {
        socket.terminate();
        continue;
      }
      socket.isAlive = false;
      socket.ping();
    }
  }, pingInterval);

  /** Tells every client to reconnect, and cuts those that have not gone after `grace` milliseconds. */
  function close(grace = 2000) {
    clearInterval(heartbeat);
    for (const socket of wss.clients) socket.close(SERVICE_RESTART, 'restarting');
    return new Promise((resolve) => {
      const cut = setTimeout(() => wss.clients.forEach((socket) => socket.terminate()), grace);
      wss.close(() => { clearTimeout(cut); resolve(); });
    });
  }

  return { close };
}

module.exports = { attachSockets, SERVICE_RESTART };
