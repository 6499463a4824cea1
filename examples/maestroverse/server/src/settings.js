import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A variable that has to be there, or the content of the file that NAME_FILE names. */
export function required(name, env) {
  const file = env[`${name}_FILE`];
  const value = file ? readFileSync(file, 'utf8').trim() : env[name];
  if (!value) throw new Error(`set ${name}, or ${name}_FILE to a file that holds it`);
  return value;
}

/** The key that signs tokens. HS256 wants 256 bits; there is no default, also not for development. */
function signingKey(env) {
  const secret = env.JWT_SECRET ?? '';
  if (Buffer.byteLength(secret) < 32) {
    throw new Error('set JWT_SECRET to at least 32 bytes, for example from `openssl rand -hex 32`');
  }
  return secret;
}

function list(text) {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

export function readSettings(env) {
  return {
    host: env.HOST ?? '0.0.0.0',
    port: Number(env.PORT ?? 3001),
    databaseUrl: required('DATABASE_URL', env),
    redisUrl: required('REDIS_URL', env),
    jwtSecret: signingKey(env),
    uploadsDir: path.resolve(env.UPLOADS_DIR ?? './private-uploads'),
    corsOrigins: list(env.CORS_ORIGINS),
    rootAdminEmails: list(env.ROOT_ADMIN_EMAILS).map((email) => email.toLowerCase()),
  };
}
