/** The operator's word on single blocks: `/v1/blocks/{id}/reject`, `/v1/blocks/{id}/accept`, `/v1/blocks/rejected`. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { HttpContext } from "./context.ts";
import { HttpError } from "./errors.ts";
import { documented, errorSchema, noQuery, rejectedSchema, rejectionSchema, transactionParams } from "./schemas.ts";

export function addRejectionRoutes(instance: FastifyInstance, { api }: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const schema = {
    params: transactionParams,
    querystring: noQuery,
    response: documented({ 200: rejectionSchema, 400: errorSchema }),
  };

  app.get(
    "/v1/blocks/rejected",
    { schema: { querystring: noQuery, response: documented({ 200: rejectedSchema }) } },
    () => ({
      rejected: api.rejectedBlocks(),
    }),
  );
  app.post("/v1/blocks/:id/reject", { schema }, (request) => {
    const { id } = request.params;
    const outcome = api.rejectBlock(id);
    if (outcome === "irreversible") {
      throw new HttpError(409, "BLOCK_IRREVERSIBLE", `block ${id} is irreversible: nobody can reject it any more`);
    }
    if (outcome === "full") {
      throw new HttpError(409, "TOO_MANY_REJECTED", "as many blocks as allowed are rejected; accept some again first");
    }
    return { id, rejected: true };
  });
  app.post("/v1/blocks/:id/accept", { schema }, (request) => {
    api.acceptBlock(request.params.id);
    return { id: request.params.id, rejected: false };
  });
}
