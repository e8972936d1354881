/** `/v1/blocks`. */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { blockBytes, encodeBlockParts } from "../../../chain/block.ts";
import { concatBytes } from "../../base/bytes.ts";
import type { BlockView } from "../api.ts";
import { blockJson, blockListJson, bufferChunks, chunksOf } from "./blockJson.ts";
import { type HttpContext, isKv } from "./context.ts";
import { HttpError, JSON_TYPE } from "./errors.ts";
import { LIST_BYTES } from "./limits.ts";
import { BYTES_TYPE, isHeld, prefersBytes } from "./negotiation.ts";
import { documented, blockParams, blockSchema, blocksQuery, blocksSchema, errorSchema, noQuery } from "./schemas.ts";

const FOR_EVER = "public, max-age=31536000, immutable";

export function addBlockRoutes(instance: FastifyInstance, context: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const { api } = context;

  app.get(
    "/v1/blocks",
    { schema: { querystring: blocksQuery, response: documented({ 200: blocksSchema, 400: errorSchema }) } },
    (request, reply) => {
      const { from, limit, transactions } = request.query;
      const views = blocksWithin(context, from, limit);
      const last = views.at(-1)?.block.header.height ?? from - 1;
      const next = last < api.status().head.height && views.length > 0 ? last + 1 : null;
      const options = { isKv: isKv(context), transactions };
      return reply.type(JSON_TYPE).send(chunksOf(blockListJson(views, next, options)));
    },
  );

  app.get(
    "/v1/blocks/:ref",
    {
      schema: {
        params: blockParams,
        querystring: noQuery,
        response: documented({ 200: blockSchema, 400: errorSchema, 404: errorSchema }),
      },
    },
    (request, reply) => {
      const { ref } = request.params;
      const view = foundBlock(api, ref);
      const asBytes = prefersBytes(request);
      void reply.header("vary", "accept");
      if (view.status === "irreversible" && (asBytes || view.receipts !== undefined)) {
        const etag = asBytes ? `"${view.block.id}"` : `W/"${view.block.id}"`;
        // A height is another block's on another chain, which the same address may serve tomorrow.
        void reply.headers({ etag, "cache-control": ref === view.block.id ? FOR_EVER : "no-cache" });
        if (isHeld(request, etag)) return reply.code(304).send();
      }
      if (asBytes) return sendBytes(reply, view);
      return reply.type(JSON_TYPE).send(chunksOf(blockJson(view, { isKv: isKv(context), transactions: true })));
    },
  );
}

/** Throws HttpError: 404, or 400 for a prefix of several ids. */
export function foundBlock(api: HttpContext["api"], ref: string): BlockView {
  const view = api.block(ref);
  if (view === undefined) throw new HttpError(404, "BLOCK_NOT_FOUND", `this node holds no block ${ref}`);
  if (view === "ambiguous") {
    throw new HttpError(400, "AMBIGUOUS_ID", `more than one block's id begins with ${ref}; give more digits`);
  }
  return view;
}

/** As many blocks as asked for, fewer when they are large; at least one. */
function blocksWithin({ api }: HttpContext, from: number, limit: number): BlockView[] {
  const views: BlockView[] = [];
  let bytes = 0;
  while (views.length < limit && bytes < LIST_BYTES) {
    const [view] = api.blocks(from + views.length, 1);
    if (view === undefined) break;
    views.push(view);
    bytes += blockBytes(view.block);
  }
  return views;
}

function sendBytes(reply: FastifyReply, { block }: BlockView): FastifyReply {
  const bytes = Buffer.from(concatBytes(...encodeBlockParts(block)));
  return reply
    .type(BYTES_TYPE)
    .header("content-length", bytes.length)
    .send(Readable.from(bufferChunks(bytes)));
}
