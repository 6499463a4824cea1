import { describe, expect, test } from 'vitest';
import { emptyRoom, reconnectDelay, reduceRoom, socketUrl } from './room.js';

describe('room', () => {
  test('follows the messages of the stage', () => {
    const room = [
      { type: 'joined', room: '1' },
      { type: 'presence', names: ['Ada', 'Bob'] },
      { type: 'said', name: 'Bob', text: 'hi', at: 'now' },
      { type: 'later-version' },
    ].reduce(reduceRoom, emptyRoom);
    expect(room).toEqual({
      status: 'joined',
      names: ['Ada', 'Bob'],
      lines: [{ name: 'Bob', text: 'hi', at: 'now' }],
      error: null,
    });
  });

  test('says why the connection went', () => {
    expect(reduceRoom(emptyRoom, { type: 'closed', code: 1012 }).status).toBe('server restarts');
    expect(reduceRoom(emptyRoom, { type: 'closed', code: 1006 }).status).toBe('connection lost');
  });

  test('keeps the last hundred lines', () => {
    let room = emptyRoom;
    for (let i = 0; i < 120; i += 1) room = reduceRoom(room, { type: 'said', name: 'x', text: `${i}` });
    expect(room.lines).toHaveLength(100);
    expect(room.lines[0].text).toBe('20');
  });
});

test('reconnects soon after a restart and slower after that', () => {
  expect(reconnectDelay(1012, 0)).toBe(250);
  expect(reconnectDelay(1006, 0)).toBe(1000);
  expect(reconnectDelay(1006, 9)).toBe(15000);
});

test('the socket is on the host of the page', () => {
  expect(socketUrl({ protocol: 'https:', host: 'live.example' })).toBe('wss://live.example/ws');
  expect(socketUrl({ protocol: 'http:', host: 'localhost:5173' })).toBe('ws://localhost:5173/ws');
});
