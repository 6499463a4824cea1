import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Database } from "./database.js";
import type { Events } from "./events.js";

export function createMetrics(db: Database, events: Events) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  gauge("pg_pool_connections", "Open connections to PostgreSQL", () => db.$client.totalCount);
  gauge("pg_pool_idle", "Connections to PostgreSQL that no request uses", () => db.$client.idleCount);
  gauge("pg_pool_waiting", "Requests that wait for a connection", () => db.$client.waitingCount);
  gauge("story_stream_clients", "Clients that read the event stream", () => events.listeners);
  const published = new Counter({
    name: "story_events_published_total",
    help: "Events given to Redis, by outcome",
    labelNames: ["outcome"],
    registers,
  });
  const requests = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time to answer a request",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  return { registry, published, requests };

  function gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }
}
