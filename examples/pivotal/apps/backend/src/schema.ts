import { STORY_STATES } from "@pivotal/shared";
import { bigserial, index, integer, pgEnum, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

export const storyState = pgEnum("story_state", STORY_STATES);

export const stories = pgTable(
  "stories",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    title: text("title").notNull(),
    state: storyState("state").notNull().default("unstarted"),
    version: integer("version").notNull().default(1),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index("stories_state_idx").on(table.state)],
);

/** Every move that a story made: the history, and what makes the move a transaction of two writes. */
export const moves = pgTable("story_moves", {
  id: bigserial("id", { mode: "number" }).primaryKey(),
  storyId: uuid("story_id")
    .notNull()
    .references(() => stories.id, { onDelete: "cascade" }),
  from: storyState("from_state").notNull(),
  to: storyState("to_state").notNull(),
  movedAt: timestamp("moved_at", { withTimezone: true }).notNull().defaultNow(),
});
