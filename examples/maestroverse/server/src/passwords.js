import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(scrypt);
const LENGTH = 32;

/** `scrypt$salt$key`, both in base64url. */
export async function hashPassword(password) {
  const salt = randomBytes(16);
  const key = await derive(password, salt, LENGTH);
  return `scrypt$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

export async function verifyPassword(password, stored) {
  const [kind, salt, key] = stored.split('$');
  if (kind !== 'scrypt' || !salt || !key) return false;
  const expected = Buffer.from(key, 'base64url');
  const derived = await derive(password, Buffer.from(salt, 'base64url'), LENGTH);
  return derived.length === expected.length && timingSafeEqual(derived, expected);
}
