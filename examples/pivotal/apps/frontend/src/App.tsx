import { nextStates, type Story, type StoryEvent, type StoryState, TITLE_LIMIT } from "@pivotal/shared";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { createStory, listStories, moveStory, watchStories } from "./api.ts";
import { applyEvent, columns } from "./board.ts";

export function App() {
  const [stories, setStories] = useState<Story[]>([]);
  const [problem, setProblem] = useState("");
  const apply = useCallback((event: StoryEvent) => setStories((now) => applyEvent(now, event)), []);
  const attempt = useCallback(async (action: () => Promise<void>) => {
    try {
      await action();
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, []);

  // What happened while the stream was closed is not in it: read all stories whenever it opens.
  useEffect(
    () => watchStories(apply, () => attempt(async () => setStories(await listStories()))),
    [apply, attempt],
  );

  const create = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get("title"));
    attempt(async () => {
      apply({ type: "created", story: await createStory(title) });
      form.reset();
    });
  };
  const move = (id: string, to: StoryState) =>
    attempt(async () => apply({ type: "moved", story: await moveStory(id, to) }));

  return (
    <main>
      <header>
        <h1>Pivotal</h1>
        <form onSubmit={create}>
          <input name="title" aria-label="Title" placeholder="A new story" maxLength={TITLE_LIMIT} required />
          <button type="submit">Add</button>
        </form>
      </header>
      {problem && <p role="alert">{problem}</p>}
      <div className="board">
        {columns(stories).map((column) => (
          <section key={column.state} aria-label={column.state}>
            <h2>
              {column.state} <small>{column.stories.length}</small>
            </h2>
            {column.stories.map((story) => (
              <article key={story.id}>
                <p>{story.title}</p>
                {nextStates(story.state).map((to) => (
                  <button key={to} type="button" onClick={() => move(story.id, to)}>
                    {to}
                  </button>
                ))}
              </article>
            ))}
          </section>
        ))}
      </div>
    </main>
  );
}
