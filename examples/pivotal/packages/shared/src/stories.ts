/** The states of a story, in the order of the board's columns. */
export const STORY_STATES = ["unstarted", "started", "finished", "accepted"] as const;
export type StoryState = (typeof STORY_STATES)[number];

/** A story as the API gives it; the times are ISO 8601. */
export interface Story {
  id: string;
  title: string;
  state: StoryState;
  /** Grows by one with every move. */
  version: number;
  createdAt: string;
  updatedAt: string;
}

/** What the stream sends. */
export interface StoryEvent {
  type: "created" | "moved" | "deleted";
  story: Story;
}

// A finished story goes back to work when the reviewer does not accept it.
const MOVES: Record<StoryState, readonly StoryState[]> = {
  unstarted: ["started"],
  started: ["finished"],
  finished: ["accepted", "started"],
  accepted: [],
};

/** Where a story may go from `state`. */
export function nextStates(state: StoryState): readonly StoryState[] {
  return MOVES[state];
}

export function canMove(from: StoryState, to: StoryState): boolean {
  return MOVES[from].includes(to);
}
