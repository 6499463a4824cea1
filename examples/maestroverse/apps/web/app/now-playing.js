'use client';

import { useEffect, useState } from 'react';

function address() {
  const base = process.env.NEXT_PUBLIC_WS_URL;
  if (base) return `${base}/ws`;
  const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${window.location.host}/api/ws`;
}

export default function NowPlaying() {
  const [title, setTitle] = useState(null);

  useEffect(() => {
    let socket;
    let timer;
    let ended = false;
    const open = () => {
      socket = new WebSocket(address());
      socket.onmessage = ({ data }) => {
        const { playing } = JSON.parse(data);
        if (playing) setTitle(playing.title);
      };
      // Also after 1012, which a server sends that restarts.
      socket.onclose = () => {
        if (!ended) timer = setTimeout(open, 2000);
      };
    };
    open();
    return () => {
      ended = true;
      clearTimeout(timer);
      socket.close();
    };
  }, []);

  return <p aria-live="polite">Now playing: {title ?? 'nothing'}</p>;
}
