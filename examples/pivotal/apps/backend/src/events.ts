import type { StoryEvent } from "@pivotal/shared";
import { Redis } from "ioredis";

const CHANNEL = "stories";
type Listener = (event: StoryEvent) => void;

/** Story events between all instances of the backend, over Redis. */
export class Events {
  readonly #listeners = new Set<Listener>();
  readonly #publisher: Redis;
  readonly #subscriber: Redis;

  constructor(url: string, onError: (error: Error) => void) {
    this.#publisher = new Redis(url, { lazyConnect: true, commandTimeout: 2_000, maxRetriesPerRequest: 1 });
    // The subscription waits for Redis however long that takes, and is renewed after every reconnect.
    this.#subscriber = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null });
    this.#publisher.on("error", onError);
    this.#subscriber.on("error", onError);
    this.#subscriber.on("message", (_channel, text) => {
      const event = JSON.parse(text) as StoryEvent;
      for (const listener of this.#listeners) listener(event);
    });
  }

  async start(): Promise<void> {
    await this.#subscriber.subscribe(CHANNEL);
  }

  async publish(event: StoryEvent): Promise<void> {
    await this.#publisher.publish(CHANNEL, JSON.stringify(event));
  }

  /** Calls `listener` for every event until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async ping(): Promise<void> {
    await this.#publisher.ping();
  }

  close(): void {
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }
}
