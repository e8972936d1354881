/** Content types: what bodies a route takes, whether bytes are asked for, and whether the asker has them already. */
import type { FastifyRequest } from "fastify";
import { HttpError } from "./errors.ts";

export const BYTES_TYPE = "application/octet-stream";

/** For a route's `onRequest`: refuses a body of another content type before any of it is read. */
export function takes(...types: readonly string[]): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const type = mediaTypeOf(request);
    if (type === undefined && !hasBody(request)) return;
    if (type !== undefined && types.includes(type)) return;
    const message = `this endpoint takes ${types.join(" or ")}, not ${JSON.stringify(type ?? "nothing")}`;
    throw new HttpError(415, "UNSUPPORTED_MEDIA_TYPE", message);
  };
}

/** Content type without its parameters, lower-case. */
export function mediaTypeOf({ headers }: FastifyRequest): string | undefined {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "" ? undefined : type;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Whoever names octet-stream and not JSON wants bytes. */
export function prefersBytes({ headers }: FastifyRequest): boolean {
  const { accept } = headers;
  return accept !== undefined && accept.includes(BYTES_TYPE) && !accept.includes("application/json");
}

/** Does `If-None-Match` name the tag? Compared weakly, as RFC 9110 wants it. */
export function isHeld({ headers }: FastifyRequest, etag: string): boolean {
  const tags = headers["if-none-match"]?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags !== undefined && (tags.includes("*") || tags.includes(etag.replace(/^W\//, "")));
}
