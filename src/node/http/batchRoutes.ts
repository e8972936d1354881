/** `POST /v1/transactions/batch`: thousands of transactions in one request, one line of answer each. */
import { Readable } from "node:stream";
import { setImmediate as eventLoop } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { SubmitResult } from "../api.ts";
import { type BatchItem, hasMoreThan, jsonLines, lengthPrefixed, lineRanges, prefixedRanges } from "./batchLines.ts";
import { bufferChunks } from "./blockJson.ts";
import { type HttpContext, isKv } from "./context.ts";
import { HttpError } from "./errors.ts";
import { BATCH_BODY_BYTES, BATCH_SLICE, BATCH_TRANSACTIONS } from "./limits.ts";
import { BYTES_TYPE, mediaTypeOf, takes } from "./negotiation.ts";
import { invalidLine, resultLine } from "./resultJson.ts";
import { documented, errorSchema, rawBytes, submitQuery } from "./schemas.ts";
import { defaultExpiry, stopping, submitted, tooLarge } from "./submission.ts";
import { Nonces } from "./transactionJson.ts";

export const NDJSON = "application/x-ndjson";
type SubmitQuery = z.output<typeof submitQuery>;

export function addBatchRoutes(instance: FastifyInstance, context: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const nonces = new Nonces();
  const lines = z.string().describe("one line for each transaction, in order");

  app.post(
    "/v1/transactions/batch",
    {
      bodyLimit: BATCH_BODY_BYTES,
      onRequest: isKv(context) ? takes(NDJSON, BYTES_TYPE) : takes(BYTES_TYPE),
      schema: {
        querystring: submitQuery,
        body: { content: { [NDJSON]: { schema: lines }, [BYTES_TYPE]: { schema: rawBytes } } } as never,
        response: documented({
          200: { content: { [NDJSON]: { schema: lines } } } as never,
          400: errorSchema,
          413: errorSchema,
          415: errorSchema,
          503: errorSchema,
        }),
      },
    },
    async (request, reply) => {
      const items = readItems(mediaTypeOf(request), request.body, context, nonces);
      const text = await answer(items, request.query, context);
      return reply.type(NDJSON).send(Readable.from(bufferChunks(Buffer.from(text))));
    },
  );
}

/** A batch that is too long is refused before any of it is taken: to count is a thousandth of the work. */
function readItems(type: string | undefined, body: unknown, context: HttpContext, nonces: Nonces): Iterable<BatchItem> {
  if (!Buffer.isBuffer(body)) throw new HttpError(400, "BODY_MISSING", "a batch belongs in the body");
  const isLines = type === NDJSON;
  if (hasMoreThan(BATCH_TRANSACTIONS, isLines ? lineRanges(body) : prefixedRanges(body))) {
    const message = `more than ${BATCH_TRANSACTIONS} transactions; none was submitted: send them in several batches`;
    throw new HttpError(413, "TOO_MANY_TRANSACTIONS", message);
  }
  return isLines ? jsonLines(body, nonces, defaultExpiry(context)) : lengthPrefixed(body);
}

/** Submits slice after slice while the rest is parsed; a line of answer for each item, in order. */
async function answer(items: Iterable<BatchItem>, query: SubmitQuery, context: HttpContext): Promise<string> {
  const { api, closing } = context;
  const deadline = api.now() + query.timeout;
  const answers: Promise<string>[] = [];
  let slice: BatchItem[] = [];
  const flush = (): void => {
    const answer = answerSlice(slice, query, deadline, context);
    // Looked at when all have been submitted, and not before: until then nobody may miss a handler.
    answer.catch(() => undefined);
    answers.push(answer);
    slice = [];
  };
  for (const item of items) {
    slice.push(taken(item, context));
    if (slice.length < BATCH_SLICE) continue;
    flush();
    await eventLoop();
    if (closing.hasBegun) throw stopping();
  }
  flush();
  return (await Promise.all(answers)).join("");
}

/** What is too large for this node is answered in its place. */
function taken(item: BatchItem, context: HttpContext): BatchItem {
  const why = typeof item === "string" ? undefined : tooLarge(item, context);
  return why === undefined ? item : invalidLine("TRANSACTION_TOO_LARGE", why);
}

async function answerSlice(
  slice: readonly BatchItem[],
  { wait }: SubmitQuery,
  deadline: number,
  context: HttpContext,
): Promise<string> {
  const transactions = slice.filter((item) => typeof item !== "string");
  const timeoutMs = Math.max(0, deadline - context.api.now());
  const results = transactions.length === 0 ? [] : await submitted(context, transactions, wait, timeoutMs);
  return linesOf(slice, results, isKv(context));
}

function linesOf(slice: readonly BatchItem[], results: readonly SubmitResult[], hasJson: boolean): string {
  let text = "";
  let next = 0;
  for (const item of slice) {
    text += typeof item === "string" ? item : resultLine(results[next++] as SubmitResult, hasJson);
    text += "\n";
  }
  return text;
}
