import { readFileSync } from "node:fs";

export interface Config {
  host: string;
  port: number;
  logLevel: string;
  databaseUrl: string;
  redisUrl: string;
}

/** A setting is missing or wrong; the message begins with the variable's name. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

type Environment = Record<string, string | undefined>;

export function readConfig(env: Environment): Config {
  return {
    host: env.HOST ?? "127.0.0.1",
    port: port(env.PORT ?? "3000"),
    logLevel: env.LOG_LEVEL ?? "info",
    databaseUrl: databaseUrl(env),
    redisUrl: url(env, "REDIS_URL", ["redis:", "rediss:"]),
  };
}

/** The one setting that migrations need. */
export function databaseUrl(env: Environment): string {
  return url(env, "DATABASE_URL", ["postgres:", "postgresql:"]);
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) {
    throw new ConfigError("PORT must be a whole number from 1 to 65535");
  }
  return value;
}

// The messages never repeat the value: it holds a password.
function url(env: Environment, name: string, schemes: string[]): string {
  const text = secret(env, name);
  if (!URL.canParse(text) || !schemes.includes(new URL(text).protocol)) {
    throw new ConfigError(`${name} must be a URL that starts with ${schemes.join("// or ")}//`);
  }
  return text;
}

/** The value of `NAME`, or the content of the file that `NAME_FILE` names. */
function secret(env: Environment, name: string): string {
  const file = env[`${name}_FILE`];
  if (!file) {
    const value = env[name];
    if (!value) throw new ConfigError(`${name} is not set: set ${name} or ${name}_FILE`);
    return value;
  }
  if (env[name]) throw new ConfigError(`${name} and ${name}_FILE are both set: keep one`);
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigError(`${name}_FILE names ${file}, which cannot be read`, { cause: error });
  }
}
