/**
 * The explorer page (`src/explorer`), served as it was built. A Content-Security-Policy holds it to its own files and to this
 * node: no script but its module, no markup from strings, nothing from elsewhere.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HttpError } from "./errors.ts";
import { isHeld } from "./negotiation.ts";

/** Where `scripts/build-browser.mjs` puts it, seen from the sources and from `dist`. */
const BUILT = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/browser/" : "../../../browser/",
  import.meta.url,
);

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

export const PAGE_HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  // Asked for each time, sent when it has changed.
  "cache-control": "no-cache",
} as const;

const JAVASCRIPT = "text/javascript; charset=utf-8";

/** By path. */
export const PAGE_FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/explorer/page.css": ["page.css", "text/css; charset=utf-8"],
  "/explorer/icon.svg": ["icon.svg", "image/svg+xml"],
  "/explorer/explorer.js": ["explorer.js", JAVASCRIPT],
  "/explorer/light.js": ["light.js", JAVASCRIPT],
};

interface Built {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Undefined where the program was not built, which only happens to who works on it. */
export function builtFile(name: string): Built | undefined {
  const file = new URL(name, BUILT);
  if (!existsSync(file)) return undefined;
  const bytes = readFileSync(file);
  return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url")}"` };
}

export function addExplorerRoutes(app: FastifyInstance): void {
  for (const [path, [name, type]] of Object.entries(PAGE_FILES)) {
    let built: Built | undefined;
    app.get(path, { schema: { hide: true } }, (request: FastifyRequest, reply: FastifyReply) => {
      built ??= builtFile(name);
      if (built === undefined) throw new HttpError(404, "NOT_FOUND", "the page was not built: npm run build");
      void reply.headers(PAGE_HEADERS).header("etag", built.etag);
      if (isHeld(request, built.etag)) return reply.code(304).send();
      return reply
        .type(type)
        .serializer((bytes: unknown) => bytes as string)
        .send(built.bytes);
    });
  }
}
