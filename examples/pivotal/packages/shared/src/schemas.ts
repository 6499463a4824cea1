import { STORY_STATES, type StoryState } from "./stories.js";

/** A checked value, or every reason why it is refused. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: string[] };

export const TITLE_LIMIT = 200;

export function parseNewStory(body: unknown): Parsed<{ title: string }> {
  const title = field(body, "title");
  if (typeof title !== "string") return refuse("title must be a string");
  const trimmed = title.trim();
  if (trimmed === "") return refuse("title must not be empty");
  if (trimmed.length > TITLE_LIMIT) return refuse(`title must have at most ${TITLE_LIMIT} characters`);
  return { ok: true, value: { title: trimmed } };
}

export function parseMove(body: unknown): Parsed<{ to: StoryState }> {
  const to = field(body, "to");
  if (!isStoryState(to)) return refuse(`to must be one of ${STORY_STATES.join(", ")}`);
  return { ok: true, value: { to } };
}

export function isStoryState(value: unknown): value is StoryState {
  return STORY_STATES.some((state) => state === value);
}

/** PostgreSQL answers a malformed uuid with an error, so it is refused before the query. */
export function isStoryId(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}

function field(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

function refuse(...problems: string[]): { ok: false; problems: string[] } {
  return { ok: false, problems };
}
