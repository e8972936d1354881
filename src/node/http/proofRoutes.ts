/** Proofs that a light client asks for: `/v1/blocks/{ref}/proof`, `/v1/proofs/head`. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ProofAnswer } from "../proofs.ts";
import { foundBlock } from "./blockRoutes.ts";
import type { HttpContext } from "./context.ts";
import { HttpError } from "./errors.ts";
import {
  blockParams,
  blockProofSchema,
  documented,
  errorSchema,
  headProofQuery,
  headProofSchema,
  noQuery,
  producersProofQuery,
  producersProofSchema,
} from "./schemas.ts";

export function addProofRoutes(instance: FastifyInstance, { api }: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();

  app.get(
    "/v1/blocks/:ref/proof",
    {
      schema: {
        params: blockParams,
        querystring: noQuery,
        response: documented({ 200: blockProofSchema, 400: errorSchema, 404: errorSchema, 409: errorSchema }),
      },
    },
    async (request) => provenOr409("block", await api.blockProof(foundBlock(api, request.params.ref))),
  );

  app.get(
    "/v1/proofs/producers",
    {
      schema: {
        querystring: producersProofQuery,
        response: documented({ 200: producersProofSchema, 409: errorSchema }),
      },
    },
    async (request) => provenOr409("change", await api.producersProof(request.query.above)),
  );

  app.get(
    "/v1/proofs/head",
    {
      schema: {
        querystring: headProofQuery,
        response: documented({ 200: headProofSchema, 404: errorSchema, 409: errorSchema }),
      },
    },
    async (request) => {
      const { from } = request.query;
      return provenOr409("head", await api.headProof(foundBlock(api, String(from))));
    },
  );
}

/** @param what that there is no proof of */
export function provenOr409<T>(what: string, answer: ProofAnswer<T>): T {
  if ("proof" in answer) return answer.proof;
  throw notProvable(what, answer.refused, answer.lasting);
}

export function notProvable(what: string, why: string, isLasting = false): HttpError {
  const hint = isLasting ? "another node may hold it" : "ask again later";
  return new HttpError(409, "NO_PROOF", `there is no proof of this ${what} here: ${why}; ${hint}`);
}
