import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConfig } from "../src/config.js";

const good = { DATABASE_URL: "postgresql://a:secret@db/pivotal", REDIS_URL: "redis://:secret@cache:6379" };

test("defaults", () => {
  const config = readConfig(good);
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.port, 3000);
});

test("a secret is read from the file that *_FILE names, without its last newline", () => {
  const folder = mkdtempSync(join(tmpdir(), "pivotal-"));
  try {
    const file = join(folder, "database_url");
    writeFileSync(file, "postgres://file@db/pivotal\n");
    const config = readConfig({ DATABASE_URL_FILE: file, REDIS_URL: good.REDIS_URL });
    assert.equal(config.databaseUrl, "postgres://file@db/pivotal");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every error begins with the variable's name and never shows the value", () => {
  const cases: [Record<string, string | undefined>, RegExp][] = [
    [{ ...good, DATABASE_URL: undefined }, /^DATABASE_URL is not set/],
    [{ ...good, DATABASE_URL: "mysql://a:secret@db" }, /^DATABASE_URL must be a URL/],
    [{ ...good, REDIS_URL: "secret" }, /^REDIS_URL must be a URL/],
    [{ ...good, REDIS_URL_FILE: "/nowhere" }, /^REDIS_URL and REDIS_URL_FILE are both set/],
    [{ ...good, REDIS_URL: undefined, REDIS_URL_FILE: "/nowhere" }, /^REDIS_URL_FILE names \/nowhere/],
    [{ ...good, PORT: "80a" }, /^PORT must be a whole number/],
  ];
  for (const [env, message] of cases) {
    assert.throws(
      () => readConfig(env),
      (error: Error) => message.test(error.message) && !error.message.includes("secret"),
    );
  }
});
