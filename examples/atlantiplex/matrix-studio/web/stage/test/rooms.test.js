'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { parse, MAX_TEXT } = require('../lib/messages');
const { Rooms } = require('../lib/rooms');

function member() {
  const sent = [];
  return { sent, send: (message) => sent.push(message) };
}

test('everyone in the room hears who came and what was said', () => {
  const rooms = new Rooms();
  const [ada, bob, eve] = [member(), member(), member()];
  rooms.join('one', ada, 'Ada');
  rooms.join('one', bob, 'Bob');
  rooms.join('two', eve, 'Eve');
  rooms.say('one', bob, 'hello');
  assert.deepEqual(ada.sent.map((message) => message.type), ['presence', 'presence', 'said']);
  assert.deepEqual(ada.sent[1].names, ['Ada', 'Bob']);
  assert.equal(ada.sent[2].text, 'hello');
  assert.equal(eve.sent.length, 1);
});

test('an empty room is forgotten', () => {
  const rooms = new Rooms();
  const ada = member();
  rooms.join('one', ada, 'Ada');
  assert.deepEqual(rooms.list(), [{ room: 'one', names: ['Ada'] }]);
  rooms.leave('one', ada);
  assert.deepEqual(rooms.list(), []);
});

test('a full room refuses', () => {
  const rooms = new Rooms({ limit: 1 });
  assert.equal(rooms.join('one', member(), 'Ada'), true);
  assert.equal(rooms.join('one', member(), 'Bob'), false);
});

test('a stranger cannot speak in a room', () => {
  const rooms = new Rooms();
  const ada = member();
  rooms.join('one', ada, 'Ada');
  rooms.say('one', member(), 'boo');
  assert.equal(ada.sent.length, 1);
});

test('messages are checked', () => {
  assert.deepEqual(parse('{"type":"join","room":"a-1","name":" Ada "}'), { type: 'join', room: 'a-1', name: 'Ada' });
  assert.deepEqual(parse('{"type":"say","text":"hi"}'), { type: 'say', text: 'hi' });
  for (const raw of ['no', 'null', '{}', '{"type":"join","room":"A B","name":"x"}', '{"type":"join","room":"a"}']) {
    assert.ok(parse(raw).error, raw);
  }
  assert.ok(parse(JSON.stringify({ type: 'say', text: 'x'.repeat(MAX_TEXT + 1) })).error);
});
