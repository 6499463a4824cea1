import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { hashPassword, verifyPassword } from '../src/passwords.js';
import { readToken, signToken } from '../src/tokens.js';

const secret = 'a'.repeat(32);
const user = { id: 'u1', role: 'member' };

test('a token names its user', () => {
  assert.deepEqual(readToken(signToken(user, secret), secret), user);
});

test('another key, another issuer, another algorithm and no signature are refused', () => {
  const claims = { role: 'admin', sub: 'u1', iss: 'maestroverse' };
  assert.equal(readToken(signToken(user, 'b'.repeat(32)), secret), null);
  assert.equal(readToken(jwt.sign({ ...claims, iss: 'else' }, secret), secret), null);
  assert.equal(readToken(jwt.sign(claims, 'c'.repeat(64), { algorithm: 'HS512' }), 'c'.repeat(64)), null);
  assert.equal(readToken(jwt.sign(claims, null, { algorithm: 'none' }), secret), null);
  assert.equal(readToken('nonsense', secret), null);
});

test('a token ends', () => {
  const claims = { role: 'member', sub: 'u1', iss: 'maestroverse' };
  assert.equal(readToken(jwt.sign(claims, secret, { expiresIn: -1 }), secret), null);
});

test('a password is found again, and only that one', async () => {
  const stored = await hashPassword('correct horse');
  assert.notEqual(stored, await hashPassword('correct horse'));
  assert.equal(await verifyPassword('correct horse', stored), true);
  assert.equal(await verifyPassword('wrong horse', stored), false);
  assert.equal(await verifyPassword('correct horse', 'plain'), false);
});
