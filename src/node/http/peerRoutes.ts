/** The operator's word on links: `/v1/peers/{peer}/off`, `/v1/peers/{peer}/on`. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { HttpContext } from "./context.ts";
import { HttpError } from "./errors.ts";
import { documented, errorSchema, noQuery, peerOffSchema, peerParams } from "./schemas.ts";

export function addPeerRoutes(instance: FastifyInstance, { api }: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const schema = {
    params: peerParams,
    querystring: noQuery,
    response: documented({ 200: peerOffSchema, 400: errorSchema }),
  };

  for (const word of ["off", "on"] as const) {
    app.post(`/v1/peers/:peer/${word}`, { schema }, (request) => {
      const { peer } = request.params;
      const outcome = api.setPeerOff(peer, word === "off");
      if (outcome === "self") {
        throw new HttpError(409, "PEER_IS_SELF", `${peer} is this node's own key: it has no link to itself`);
      }
      if (outcome === "full") {
        throw new HttpError(409, "TOO_MANY_OFF", "as many peers as allowed are switched off; switch some on first");
      }
      return { key: peer, off: word === "off" };
    });
  }
}
