import { useCallback, useEffect, useReducer, useRef } from 'react';
import { emptyRoom, reconnectDelay, reduceRoom, socketUrl } from './room.js';

/** Joins a room and stays in it over restarts of the server. */
export function useRoom(room, name) {
  const [state, dispatch] = useReducer(reduceRoom, emptyRoom);
  const socketRef = useRef(null);

  useEffect(() => {
    let tries = 0;
    let timer = null;
    let left = false;

    function connect() {
      const socket = new WebSocket(socketUrl(window.location));
      socketRef.current = socket;
      socket.onopen = () => socket.send(JSON.stringify({ type: 'join', room, name }));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'joined') tries = 0;
        dispatch(message);
      };
      socket.onclose = ({ code }) => {
        if (left) return;
        dispatch({ type: 'closed', code });
        timer = setTimeout(connect, reconnectDelay(code, tries));
        tries += 1;
      };
    }

    connect();
    return () => {
      left = true;
      clearTimeout(timer);
      socketRef.current?.close();
    };
  }, [room, name]);

  const say = useCallback((text) => socketRef.current?.send(JSON.stringify({ type: 'say', text })), []);
  return [state, say];
}
