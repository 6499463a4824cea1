import { isStoryId, isStoryState, parseMove, parseNewStory, type StoryEvent } from "@pivotal/shared";
import Fastify, { type FastifyInstance, type FastifyReply, LogController } from "fastify";
import type { Database } from "./database.js";
import type { Events } from "./events.js";
import { createMetrics } from "./metrics.js";
import { createStory, deleteStory, findStory, IllegalMove, listStories, moveStory } from "./stories.js";
import { openStream } from "./stream.js";

/** One check of /ready may take this long; a paused dependency never answers at all. */
const READY_TIMEOUT_MS = 2_000;
type StoryPath = { Params: { id: string } };

export function createApp(db: Database, events: Events, logLevel = "info"): FastifyInstance {
  const app = Fastify({
    logger: { level: logLevel },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
  });
  const metrics = createMetrics(db, events);

  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    const labels = { method: request.method, route, status: reply.statusCode };
    metrics.requests.observe(labels, reply.elapsedTime / 1000);
  });
  app.setNotFoundHandler((_request, reply) => notFound(reply));
  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send({ error: "invalid_request", problems: [error.message] });
    request.log.error(error);
    return reply.code(500).send({ error: "internal_error" });
  });

  app.get("/health", async () => ({ status: "ok" }));
  app.get("/ready", async (_request, reply) => {
    const [database, redis] = await Promise.all([
      answers(db.$client.query("select 1")),
      answers(events.ping()),
    ]);
    return reply.code(database && redis ? 200 : 503).send({ database, redis });
  });
  app.get("/metrics", async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  app.get<{ Querystring: { state?: string } }>("/api/v1/stories", async (request, reply) => {
    const { state } = request.query;
    if (state !== undefined && !isStoryState(state))
      return refuse(reply, ["state is not a state of a story"]);
    return { stories: await listStories(db, state) };
  });
  app.post("/api/v1/stories", async (request, reply) => {
    const parsed = parseNewStory(request.body);
    if (!parsed.ok) return refuse(reply, parsed.problems);
    const story = await createStory(db, parsed.value.title);
    announce({ type: "created", story });
    return reply.code(201).header("location", `/api/v1/stories/${story.id}`).send(story);
  });
  app.get<StoryPath>("/api/v1/stories/:id", async (request, reply) => {
    const { id } = request.params;
    return (isStoryId(id) && (await findStory(db, id))) || notFound(reply);
  });
  app.post<StoryPath>("/api/v1/stories/:id/move", async (request, reply) => {
    const parsed = parseMove(request.body);
    if (!parsed.ok) return refuse(reply, parsed.problems);
    const { id } = request.params;
    try {
      const story = isStoryId(id) && (await moveStory(db, id, parsed.value.to));
      if (!story) return notFound(reply);
      announce({ type: "moved", story });
      return story;
    } catch (error) {
      if (!(error instanceof IllegalMove)) throw error;
      return reply
        .code(409)
        .send({ error: "illegal_move", problems: [error.message], allowed: error.allowed });
    }
  });
  app.delete<StoryPath>("/api/v1/stories/:id", async (request, reply) => {
    const { id } = request.params;
    const story = isStoryId(id) && (await deleteStory(db, id));
    if (!story) return notFound(reply);
    announce({ type: "deleted", story });
    return reply.code(204).send();
  });
  openStream(app, events);
  return app;

  // The change is committed: that Redis cannot be reached must not make the request fail.
  function announce(event: StoryEvent): void {
    events.publish(event).then(
      () => metrics.published.inc({ outcome: "ok" }),
      (error) => {
        metrics.published.inc({ outcome: "error" });
        app.log.error(error, "a story event was not published");
      },
    );
  }
}

function notFound(reply: FastifyReply) {
  return reply.code(404).send({ error: "not_found" });
}

function refuse(reply: FastifyReply, problems: string[]) {
  return reply.code(400).send({ error: "invalid_request", problems });
}

/** Whether a dependency answers in time. */
async function answers(question: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, READY_TIMEOUT_MS, false);
  });
  const answer = question.then(
    () => true,
    () => false,
  );
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
