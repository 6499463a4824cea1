import type { Story } from "@pivotal/shared";
import { expect, test } from "vitest";
import { applyEvent, columns } from "../src/board.ts";
import { readConfig } from "../src/config.ts";

const at = "2026-01-01T00:00:00.000Z";
const story = (id: string, change: Partial<Story> = {}): Story => ({
  ...{ id, title: id, state: "unstarted", version: 1, createdAt: at, updatedAt: at },
  ...change,
});

test("a new story comes first, and its event changes nothing a second time", () => {
  const once = applyEvent([story("a")], { type: "created", story: story("b") });
  expect(once.map(({ id }) => id)).toEqual(["b", "a"]);
  expect(applyEvent(once, { type: "created", story: story("b") })).toBe(once);
});

test("an event that is older than what is shown is ignored", () => {
  const now = [story("a", { state: "finished", version: 3 })];
  expect(applyEvent(now, { type: "moved", story: story("a", { state: "started", version: 2 }) })).toBe(now);
});

test("every state has its column, in order", () => {
  const board = columns([story("a", { state: "accepted" })]);
  expect(board.map((column) => [column.state, column.stories.length])).toEqual([
    ["unstarted", 0],
    ["started", 0],
    ["finished", 0],
    ["accepted", 1],
  ]);
});

test("the API's address comes from the server, with a default", () => {
  expect(readConfig(undefined).apiBaseUrl).toBe("/api/v1");
  expect(readConfig({ apiBaseUrl: " https://api.example.org/v1/ " }).apiBaseUrl).toBe(
    "https://api.example.org/v1",
  );
});
