import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createApp } from "../src/app.js";
import { openDatabase } from "../src/database.js";
import { Events } from "../src/events.js";

// Nothing listens on port 1: what these tests ask for must work, or fail cleanly, without the stores.
const ignore = () => {};
const db = openDatabase("postgresql://nobody@127.0.0.1:1/none", ignore);
const events = new Events("redis://127.0.0.1:1", ignore);
const app = createApp(db, events, "silent");
after(async () => {
  await app.close();
  events.close();
  await db.$client.end();
});

test("/health needs no store", async () => {
  const answer = await app.inject("/health");
  assert.equal(answer.statusCode, 200);
});

test("/ready is 503 and says which store does not answer", async () => {
  const answer = await app.inject("/ready");
  assert.equal(answer.statusCode, 503);
  assert.deepEqual(answer.json(), { database: false, redis: false });
});

test("invalid requests are refused before the database is asked", async () => {
  const empty = await app.inject({ method: "POST", url: "/api/v1/stories", payload: { title: "" } });
  assert.equal(empty.statusCode, 400);
  assert.deepEqual(empty.json().problems, ["title must not be empty"]);
  const broken = await app.inject({
    method: "POST",
    url: "/api/v1/stories",
    headers: { "content-type": "application/json" },
    payload: "{",
  });
  assert.equal(broken.statusCode, 400);
  assert.equal((await app.inject("/api/v1/stories/42")).statusCode, 404);
});

test("an error of the database shows nothing of itself", async () => {
  const answer = await app.inject("/api/v1/stories");
  assert.equal(answer.statusCode, 500);
  assert.deepEqual(answer.json(), { error: "internal_error" });
});

test("/metrics counts requests by route", async () => {
  await app.inject("/api/v1/stories/42");
  const answer = await app.inject("/metrics");
  assert.match(
    answer.body,
    /http_request_duration_seconds_count\{.*route="\/api\/v1\/stories\/:id".*status="404"/,
  );
});
