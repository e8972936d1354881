/** `/v1/kv`: reading the key-value application's state. */
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { z } from "zod";
import { unreachable } from "../../base/result.ts";
import type { NodeApi } from "../api.ts";
import { decodeKvValue, KV_LIMITS } from "../applications/kvPayload.ts";
import { type HttpContext, isKv } from "./context.ts";
import { chunksOf } from "./blockJson.ts";
import { HttpError, JSON_TYPE } from "./errors.ts";
import { base64url, bytesJson, exactText, keyBytes } from "./kvText.ts";
import { KV_PAGE, LIST_BYTES } from "./limits.ts";
import { BYTES_TYPE, prefersBytes } from "./negotiation.ts";
import { documented, errorSchema, kvListQuery, kvListSchema, kvQuery, kvSchema } from "./schemas.ts";

type At = "irreversible" | "head";

export function addKvRoutes(instance: FastifyInstance, context: HttpContext): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const { api } = context;

  app.get(
    "/v1/kv",
    { schema: { querystring: kvListQuery, response: documented({ 200: kvListSchema, 400: errorSchema }) } },
    (request, reply) => {
      needKv(context);
      const { prefix, limit, at, encoding } = request.query;
      const list = readList(api, keyBytes(prefix, encoding, "prefix"), afterOf(request.query), limit, at);
      return reply.type(JSON_TYPE).send(chunksOf(listJson(list, heightOf(api, at))));
    },
  );

  // A wildcard: keys may hold slashes, also ones that nobody percent-encoded.
  app.get(
    "/v1/kv/*",
    {
      schema: {
        querystring: kvQuery,
        response: documented({ 200: kvSchema, 400: errorSchema, 404: errorSchema, 501: errorSchema, 503: errorSchema }),
      },
    },
    async (request, reply) => {
      needKv(context);
      const { at, encoding, linearizable } = request.query;
      const key = keyBytes((request.params as { readonly "*": string })["*"], encoding, "key");
      if (key.length === 0) throw new HttpError(400, "INVALID_REQUEST", "key: must have at least one byte");
      if (linearizable) await needLinearizable(api, at);
      const value = key.length > KV_LIMITS.keyBytes ? undefined : api.read(key, at);
      const height = heightOf(api, at);
      if (value === undefined) {
        throw new HttpError(404, "KEY_NOT_FOUND", `there is no such key at height ${height}`, { height });
      }
      void reply.header("vary", "accept");
      if (!prefersBytes(request)) return { ...entryJson(key, value), height };
      const entry = decodeKvValue(value);
      void reply.headers({ "cairn-version": entry.version, "cairn-height": height });
      return reply.type(BYTES_TYPE).send(Buffer.from(entry.value));
    },
  );
}

/** The key that a list begins behind. */
function afterOf({ after, cursor, encoding }: z.output<typeof kvListQuery>): Uint8Array | undefined {
  if (cursor === undefined) return after === undefined ? undefined : keyBytes(after, encoding, "after");
  if (after === undefined) return keyBytes(cursor, "base64url", "cursor");
  throw new HttpError(400, "INVALID_REQUEST", "cursor: goes on where after began; give one of the two");
}

function needKv(context: HttpContext): void {
  if (isKv(context)) return;
  const { name } = context.api.genesis.application;
  throw new HttpError(404, "NO_KV", `this chain runs the application ${JSON.stringify(name)}, not kv`);
}

/** The next read of the irreversible state, in this very turn, is linearizable. Throws otherwise. */
async function needLinearizable(api: NodeApi, at: At): Promise<void> {
  if (at === "head") {
    throw new HttpError(400, "INVALID_REQUEST", "linearizable: goes with at=irreversible, the head may be undone");
  }
  if (api.genesis.engine === "bft") {
    throw new HttpError(501, "NOT_IMPLEMENTED", "linearizable reads are not certified under bft yet");
  }
  const verdict = await api.linearizable();
  switch (verdict) {
    case "readable":
      return;
    case "noLeader":
      throw new HttpError(503, "NO_LEADER", "no leader is known now; try again");
    case "behind":
      throw new HttpError(
        503,
        "BEHIND",
        "this node does not hold yet what the read has to see; try again, or ask another",
      );
    case "busy":
      throw new HttpError(503, "BUSY", "too many requests at once; try again");
    default:
      return unreachable(verdict);
  }
}

function heightOf(api: NodeApi, at: At): number {
  return api.status()[at].height;
}

function entryJson(key: Uint8Array, stateValue: Uint8Array) {
  const { version, value } = decodeKvValue(stateValue);
  const text = exactText(value);
  return { key: bytesJson(key), value: base64url(value), ...(text === undefined ? {} : { text }), version };
}

interface KvEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface KvList {
  readonly entries: readonly KvEntry[];
  readonly more: boolean;
}

/** Entries of a prefix in key order, read in pages, until the limit or the bytes of a list are reached. */
function readList(api: NodeApi, prefix: Uint8Array, after: Uint8Array | undefined, limit: number, at: At): KvList {
  const entries: KvEntry[] = [];
  const end = behindPrefix(prefix);
  let start = after === undefined || Buffer.compare(after, prefix) < 0 ? prefix : next(after);
  let bytes = 0;
  while (end === undefined || Buffer.compare(start, end) < 0) {
    const asked = Math.min(KV_PAGE, limit + 1 - entries.length);
    const page = api.readRange(start, end, asked, at);
    for (const entry of page) {
      if (entries.length === limit || bytes >= LIST_BYTES) return { entries, more: true };
      entries.push(entry);
      bytes += entry.value.length;
      start = next(entry.key);
    }
    if (page.length < asked) break;
  }
  return { entries, more: false };
}

function* listJson({ entries, more }: KvList, height: number): Generator<string, void, undefined> {
  yield '{"entries":[';
  for (const [index, { key, value }] of entries.entries()) {
    yield `${index === 0 ? "" : ","}${JSON.stringify(entryJson(key, value))}`;
  }
  const last = entries.at(-1);
  const cursor = more && last !== undefined ? base64url(last.key) : null;
  yield `],${JSON.stringify({ height, more, next: cursor }).slice(1)}`;
}

/** The least key greater than this one. */
function next(key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(key.length + 1);
  bytes.set(key);
  return bytes;
}

/** The least key above all that begin with `prefix`; undefined when there is none. */
function behindPrefix(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] as number;
    if (last === 0xff) continue;
    const end = Uint8Array.from(prefix.subarray(0, length));
    end[length - 1] = last + 1;
    return end;
  }
  return undefined;
}
