import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import type { Events } from "./events.js";

/** Proxies cut connections that are silent for a minute. */
const HEARTBEAT_MS = 25_000;

/** GET /api/v1/stream: server-sent events, one for every change of a story. */
export function openStream(app: FastifyInstance, events: Events): void {
  const open = new Set<ServerResponse>();

  app.get("/api/v1/stream", (request, reply) => {
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
    response.write("retry: 2000\nevent: open\ndata: {}\n\n");
    open.add(response);
    const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
    const silence = events.listen((event) => {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event.story)}\n\n`);
    });
    request.raw.on("close", () => {
      clearInterval(heartbeat);
      silence();
      open.delete(response);
    });
  });

  // A stream never ends by itself: the server could not close while one is open.
  app.addHook("preClose", async () => {
    for (const response of open) response.end();
  });
}
