import { canMove, nextStates, type Story, type StoryState } from "@pivotal/shared";
import { desc, eq, sql } from "drizzle-orm";
import type { Database } from "./database.js";
import { moves, stories } from "./schema.js";

/** The story is not in a state from which it may go to `to`. */
export class IllegalMove extends Error {
  readonly allowed: readonly StoryState[];

  constructor(from: StoryState, to: StoryState) {
    super(`a story cannot move from ${from} to ${to}`);
    this.allowed = nextStates(from);
  }
}

export async function createStory(db: Database, title: string): Promise<Story> {
  const [row] = await db.insert(stories).values({ title }).returning();
  if (!row) throw new Error("the insert returned no row");
  return toStory(row);
}

export async function listStories(db: Database, state?: StoryState): Promise<Story[]> {
  const rows = await db
    .select()
    .from(stories)
    .where(state && eq(stories.state, state))
    .orderBy(desc(stories.createdAt))
    .limit(500);
  return rows.map(toStory);
}

export async function findStory(db: Database, id: string): Promise<Story | undefined> {
  const [row] = await db.select().from(stories).where(eq(stories.id, id));
  return row && toStory(row);
}

/** Moves a story and records the move, or does neither. */
export async function moveStory(db: Database, id: string, to: StoryState): Promise<Story | undefined> {
  return db.transaction(async (tx) => {
    // The row lock makes two simultaneous moves happen one after the other, each checked against the true state.
    const [current] = await tx.select().from(stories).where(eq(stories.id, id)).for("update");
    if (!current) return undefined;
    if (!canMove(current.state, to)) throw new IllegalMove(current.state, to);
    const [moved] = await tx
      .update(stories)
      .set({ state: to, version: sql`${stories.version} + 1`, updatedAt: sql`now()` })
      .where(eq(stories.id, id))
      .returning();
    await tx.insert(moves).values({ storyId: id, from: current.state, to });
    return moved && toStory(moved);
  });
}

export async function deleteStory(db: Database, id: string): Promise<Story | undefined> {
  const [row] = await db.delete(stories).where(eq(stories.id, id)).returning();
  return row && toStory(row);
}

function toStory(row: typeof stories.$inferSelect): Story {
  return { ...row, createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() };
}
