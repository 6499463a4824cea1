import assert from 'node:assert/strict';
import { test } from 'node:test';
import { euros, quote } from '@booking/shared';

const room = { id: 'a', name: 'A', seats: 4, hourly: 1000 };

test('long bookings are cheaper', () => {
  assert.equal(quote(room, 4), 4000);
  assert.equal(quote(room, 6), 5500);
});

test('money', () => assert.equal(euros(1250), '12.50 €'));
