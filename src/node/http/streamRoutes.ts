/** `GET /v1/stream`: irreversible blocks as server-sent events. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { type HttpContext, isKv } from "./context.ts";
import { EventStreams } from "./eventStreams.ts";
import { HttpError } from "./errors.ts";
import { keyBytes } from "./kvText.ts";
import { documented, errorSchema, streamHeaders, streamQuery } from "./schemas.ts";

const EVENT_STREAM = "text/event-stream";
type StreamQuery = z.output<typeof streamQuery>;

export function addStreamRoutes(instance: FastifyInstance, context: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const streams = new EventStreams(context);
  app.addHook("preClose", async () => streams.end());
  const events = z.string().describe("id: HEIGHT, data: the block as /v1/blocks/{height} gives it");

  const schema = {
    querystring: streamQuery,
    headers: streamHeaders,
    response: documented({
      200: { content: { [EVENT_STREAM]: { schema: events } } } as never,
      400: errorSchema,
      410: errorSchema,
      503: errorSchema,
    }),
  };
  const begin = ({ query, lastEventId }: { query: StreamQuery; lastEventId: string | undefined }) => {
    const topic = topicOf(query, context);
    const first = firstOf(query.from, lastEventId, streams.height);
    const kept = context.api.firstHeight();
    if (first >= kept) return { topic, first };
    const message = `block ${first} is not kept here any more; the first is ${kept}`;
    throw new HttpError(410, "BLOCKS_GONE", message, { first: kept });
  };

  app.head("/v1/stream", { schema: { ...schema, hide: true } }, ({ query, headers }, reply) => {
    begin({ query, lastEventId: headers["last-event-id"] });
    return reply.type(EVENT_STREAM).send();
  });
  app.get("/v1/stream", { exposeHeadRoute: false, schema }, ({ query, headers }, reply) => {
    const { first, topic } = begin({ query, lastEventId: headers["last-event-id"] });
    const stream = streams.open(first, topic, reply.raw);
    // A connection kept for further requests would hold up a stop; proxies would collect events for a while.
    return reply.type(EVENT_STREAM).headers({ connection: "close", "x-accel-buffering": "no" }).send(stream);
  });
}

function topicOf({ topic, encoding }: StreamQuery, context: HttpContext): Uint8Array | undefined {
  if (topic === undefined) return undefined;
  if (isKv(context)) return keyBytes(topic, encoding, "topic");
  const { name } = context.api.genesis.application;
  throw new HttpError(400, "NO_TOPICS", `the application ${JSON.stringify(name)} has no topics`);
}

/** Height of the first event. */
function firstOf(from: number | undefined, lastEventId: string | undefined, height: number): number {
  if (lastEventId !== undefined && lastEventId !== "") return Number(lastEventId) + 1;
  return from ?? height + 1;
}
