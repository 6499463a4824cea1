import { STORY_STATES, type Story, type StoryEvent, type StoryState } from "@pivotal/shared";

/** The stories after `event`. An answer and its event may come in any order: the higher version wins. */
export function applyEvent(stories: Story[], { type, story }: StoryEvent): Story[] {
  if (type === "deleted") return stories.filter(({ id }) => id !== story.id);
  const known = stories.find(({ id }) => id === story.id);
  if (!known) return [story, ...stories];
  return known.version >= story.version ? stories : stories.map((other) => (other === known ? story : other));
}

export function columns(stories: Story[]): { state: StoryState; stories: Story[] }[] {
  return STORY_STATES.map((state) => ({ state, stories: stories.filter((story) => story.state === state) }));
}
