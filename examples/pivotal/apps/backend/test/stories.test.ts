import assert from "node:assert/strict";
import { test } from "node:test";
import { canMove, isStoryId, nextStates, parseMove, parseNewStory, STORY_STATES } from "@pivotal/shared";

test("a story goes from unstarted to accepted in three moves, and no state can be skipped", () => {
  assert.ok(canMove("unstarted", "started"));
  assert.ok(canMove("started", "finished"));
  assert.ok(canMove("finished", "accepted"));
  assert.ok(!canMove("unstarted", "finished"));
  assert.ok(!canMove("started", "accepted"));
});

test("a finished story may go back to work; an accepted one stays", () => {
  assert.deepEqual(nextStates("finished"), ["accepted", "started"]);
  assert.deepEqual(nextStates("accepted"), []);
});

test("no story moves to the state that it is in", () => {
  for (const state of STORY_STATES) assert.ok(!canMove(state, state));
});

test("titles are trimmed, required and limited", () => {
  assert.deepEqual(parseNewStory({ title: "  Sign in " }), { ok: true, value: { title: "Sign in" } });
  for (const body of [undefined, null, "x", {}, { title: 1 }, { title: " " }, { title: "x".repeat(201) }]) {
    assert.equal(parseNewStory(body).ok, false);
  }
});

test("a move names a known state", () => {
  assert.deepEqual(parseMove({ to: "started" }), { ok: true, value: { to: "started" } });
  assert.equal(parseMove({ to: "done" }).ok, false);
});

test("only a uuid is an id", () => {
  assert.ok(isStoryId("0b8c1f0e-5a52-4c1e-9a57-0d9f5c4f2f1a"));
  assert.ok(!isStoryId("1; drop table stories"));
});
