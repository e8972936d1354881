/** Who may use the writing endpoints, and how much may be in work at once. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { LOOPBACK } from "../settings.ts";
import type { Closing } from "./closing.ts";
import { HttpError } from "./errors.ts";
import { BODIES_TOTAL_BYTES } from "./limits.ts";

const WRITING = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/**
 * With a token, writing endpoints ask for it. Without one they are on loopback, and a page from elsewhere that a browser
 * on this machine shows may not use them.
 */
export function guardWriting(app: FastifyInstance, token: string | undefined): void {
  app.addHook("onRequest", async (request, reply) => {
    if (!WRITING.has(request.method)) return;
    if (token === undefined) refuseForeignPage(request);
    else if (!isBearer(request.headers.authorization, token)) {
      void reply.header("www-authenticate", "Bearer");
      throw new HttpError(401, "UNAUTHORIZED", "this endpoint needs the header Authorization: Bearer TOKEN");
    }
  });
}

function refuseForeignPage({ headers }: FastifyRequest): void {
  const { origin } = headers;
  if (origin === undefined) return;
  const host = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[|\]$/g, "") : "";
  if (!LOOPBACK.test(host)) {
    throw new HttpError(403, "FOREIGN_ORIGIN", "a page from another host may not write here; configure http.token");
  }
}

/** Compared as hashes: neither length nor content of the token shows in the time it takes. */
function isBearer(header: string | undefined, token: string): boolean {
  const given = /^bearer +(.*)$/i.exec(header ?? "")?.[1];
  return given !== undefined && timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** What comes on a connection that is open still while the server closes. Nothing may be kept of any answer but a block. */
export function refuseWhenClosing(app: FastifyInstance, closing: Closing): void {
  app.addHook("onRequest", async (_, reply) => {
    void reply.header("cache-control", "no-store");
    if (closing.hasBegun) throw new HttpError(503, "STOPPING", "this node stops; ask another");
  });
}

/** Bodies that are received or worked on never hold more than {@link BODIES_TOTAL_BYTES}; the next is told to wait. */
export function boundBodies(app: FastifyInstance): { readonly bytes: () => number } {
  let total = 0;
  const held = new WeakMap<object, number>();
  app.addHook("onRequest", async (request, reply) => {
    const bytes = announcedBytes(request);
    if (bytes === 0) return;
    if (total + bytes > BODIES_TOTAL_BYTES) {
      throw new HttpError(503, "BUSY", "too many large requests at once; try again");
    }
    total += bytes;
    held.set(request, bytes);
    // The end of the answer, or of the connection, whichever comes first.
    reply.raw.once("close", () => {
      total -= held.get(request) ?? 0;
      held.delete(request);
    });
  });
  return { bytes: () => total };
}

/** What a request may bring: its Content-Length, or the most its route takes when it does not say. */
function announcedBytes({ headers, routeOptions }: FastifyRequest): number {
  const limit = routeOptions.bodyLimit ?? 0;
  if (headers["transfer-encoding"] !== undefined) return limit;
  const length = Number(headers["content-length"] ?? 0);
  return Number.isFinite(length) ? Math.min(length, limit) : limit;
}
