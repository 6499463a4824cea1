import type { Story, StoryEvent, StoryState } from "@pivotal/shared";
import { readConfig } from "./config.ts";

const { apiBaseUrl } = readConfig(window.__PIVOTAL_CONFIG__);

export async function listStories(): Promise<Story[]> {
  return (await call<{ stories: Story[] }>("/stories")).stories;
}

export function createStory(title: string): Promise<Story> {
  return call("/stories", { title });
}

export function moveStory(id: string, to: StoryState): Promise<Story> {
  return call(`/stories/${id}/move`, { to });
}

/** Calls back for every change, and when the connection opens; returns how to stop. */
export function watchStories(onEvent: (event: StoryEvent) => void, onOpen: () => void): () => void {
  const source = new EventSource(`${apiBaseUrl}/stream`);
  source.addEventListener("open", onOpen);
  for (const type of ["created", "moved", "deleted"] as const) {
    source.addEventListener(type, (message) => onEvent({ type, story: JSON.parse(message.data) }));
  }
  return () => source.close();
}

async function call<T>(path: string, body?: unknown): Promise<T> {
  const request = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(apiBaseUrl + path, request || undefined);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.problems?.join("; ") ?? `the server answered ${response.status}`);
  return answer;
}
