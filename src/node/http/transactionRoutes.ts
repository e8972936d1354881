/** `POST /v1/transactions`, `GET /v1/transactions/{id}`. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { TransactionState } from "../api.ts";
import { transactionContentJson } from "./blockJson.ts";
import { type HttpContext, isKv } from "./context.ts";
import { HttpError } from "./errors.ts";
import { receiptJson } from "./kvText.ts";
import { SINGLE_BODY_BYTES } from "./limits.ts";
import { BYTES_TYPE, prefersBytes, takes } from "./negotiation.ts";
import { notProvable, provenOr409 } from "./proofRoutes.ts";
import { resultBody } from "./resultJson.ts";
import {
  documented,
  errorSchema,
  rawBytes,
  resultSchema,
  submitQuery,
  transactionBody,
  transactionParams,
  transactionQuery,
  transactionStateSchema,
} from "./schemas.ts";
import { defaultExpiry, submitted, tooLarge } from "./submission.ts";
import { Nonces, transactionFromJson } from "./transactionJson.ts";

const submitErrors = { 400: errorSchema, 409: errorSchema, 413: errorSchema, 415: errorSchema };
const laterErrors = { 429: errorSchema, 503: errorSchema, 504: errorSchema };
const submitBody = {
  content: { "application/json": { schema: transactionBody }, "application/octet-stream": { schema: rawBytes } },
};

export function addTransactionRoutes(instance: FastifyInstance, context: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const nonces = new Nonces();

  app.post(
    "/v1/transactions",
    {
      bodyLimit: SINGLE_BODY_BYTES,
      onRequest: isKv(context) ? takes("application/json", BYTES_TYPE) : takes(BYTES_TYPE),
      schema: {
        querystring: submitQuery,
        body: submitBody as never,
        response: documented({ 200: resultSchema, ...submitErrors, ...laterErrors }),
      },
    },
    async (request) => {
      const { wait, timeout } = request.query;
      const transaction = readTransaction(request.body, context, nonces);
      const why = tooLarge(transaction, context);
      if (why !== undefined) throw new HttpError(413, "TRANSACTION_TOO_LARGE", why);
      const [result] = await submitted(context, [transaction], wait, timeout);
      if (result === undefined) throw new Error("one transaction has one result");
      return resultBody(result, isKv(context));
    },
  );

  app.get(
    "/v1/transactions/:id",
    {
      schema: {
        params: transactionParams,
        querystring: transactionQuery,
        response: documented({ 200: transactionStateSchema, 404: errorSchema, 409: errorSchema }),
      },
    },
    async (request, reply) => {
      void reply.header("vary", "accept");
      if (prefersBytes(request)) {
        return reply.type(BYTES_TYPE).send(await transactionBytes(request.params.id, context));
      }
      return transactionState(request.params.id, request.query.proof, context);
    },
  );
}

/** Bytes are the node's to judge; JSON must be operations of the application. */
function readTransaction(body: unknown, context: HttpContext, nonces: Nonces): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (body === undefined) throw new HttpError(400, "BODY_MISSING", "a transaction belongs in the body");
  const transaction = transactionFromJson(body, nonces, defaultExpiry(context));
  if (transaction.ok) return transaction.value;
  const { code, message, path } = transaction.error;
  throw new HttpError(400, code, message, { path });
}

/** The transaction as it was submitted, wherever it is. */
async function transactionBytes(id: string, context: HttpContext): Promise<Buffer> {
  const state = await context.api.transaction(id);
  if (state.status === "unknown") throw notFound(id, state);
  return Buffer.from(state.transaction);
}

async function transactionState(id: string, withProof: boolean, context: HttpContext) {
  const state = await context.api.transaction(id);
  const hasJson = isKv(context);
  switch (state.status) {
    case "unknown":
      throw notFound(id, state);
    case "pending":
      if (withProof) throw notProvable("transaction", "it is in no block yet");
      return { id, status: state.status };
    case "included":
    case "irreversible": {
      const { status, place, blockId, receipt, transaction } = state;
      return {
        id,
        status,
        height: place.height,
        index: place.index,
        blockId,
        ...(receipt === undefined || receipt.length === 0 ? {} : { receipt: receiptJson(receipt, hasJson) }),
        transaction: transactionContentJson(transaction, hasJson),
        ...(withProof ? { proof: provenOr409("transaction", await context.api.proof(place)) } : {}),
      };
    }
  }
}

type Unknown = Extract<TransactionState, { readonly status: "unknown" }>;

/** With what a client needs to know that the transaction will never be in the chain: up to where it is not. */
function notFound(id: string, { absentThrough }: Unknown): HttpError {
  const message = `this node knows no transaction ${id}`;
  return new HttpError(404, "TRANSACTION_NOT_FOUND", message, absentThrough && { absentThrough });
}
