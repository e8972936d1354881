/** What a node says of itself: status, peers, forks, genesis, metrics, health. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { HttpContext } from "./context.ts";
import { HttpError, sendError } from "./errors.ts";
import {
  documented,
  errorSchema,
  evidenceSchema,
  forkSchema,
  genesisSchema,
  healthSchema,
  noQuery,
  peersSchema,
  routesSchema,
  producersSchema,
  statusSchema,
} from "./schemas.ts";

export function addStatusRoutes(instance: FastifyInstance, { api }: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const answers = (schema: z.ZodType) => ({ schema: { querystring: noQuery, response: documented({ 200: schema }) } });

  app.get("/v1/status", answers(statusSchema), () => api.status());
  app.get("/v1/peers", answers(peersSchema), () => ({ peers: api.peers(), off: api.offPeers() }));
  app.get("/v1/routes", answers(routesSchema), () => ({ routes: api.routes() }));
  app.get("/v1/producers", answers(producersSchema), () => ({ producers: api.producers(), ...api.producerSet() }));
  app.get("/v1/evidence", answers(evidenceSchema), () => ({ evidence: api.evidence() }));
  app.get("/v1/forks", answers(forkSchema), () => api.forks());
  // As it was read, so that what is saved from here is the chain's genesis.json.
  app.get("/v1/genesis", answers(genesisSchema), () => api.genesis.value);

  // Asked for by programs that add parameters of their own: nothing is refused here.
  app.get(
    "/metrics",
    { schema: { response: documented({ 200: { content: { "text/plain": { schema: z.string() } } } as never }) } },
    async (_, reply) =>
      reply
        .type(api.metricsContentType)
        .serializer(String)
        .send(await api.metrics()),
  );
  app.get("/health/live", { schema: { response: documented({ 200: healthSchema }) } }, () => ({ status: "live" }));
  app.get(
    "/health/ready",
    { schema: { response: documented({ 200: healthSchema, 503: errorSchema }) } },
    (_, reply) => {
      const why = api.notReadyBecause();
      return why === undefined ? { status: "ready" } : sendError(reply, new HttpError(503, "NOT_READY", why));
    },
  );
}
