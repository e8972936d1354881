/** Payloads of the two frames that carry structure: Init and close. Strict, bounded JSON: one message a link. */

import { z } from "zod";
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { err, ok } from "../../src/base/result.ts";
import type { Result } from "../../src/base/result.ts";
import type { Fault } from "./frame.ts";
import { CLOSE_REASONS } from "./types.ts";
import type { CloseReason, Init } from "./types.ts";

export const INIT_BYTES = 16 * 1024;
export const CLOSE_BYTES = 4 * 1024;
const DETAIL_CHARACTERS = 512;

// No control, format or unassigned characters: these strings end up in logs and on terminals.
const PRINTABLE = /^\P{C}*$/u;
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const version = z.number().int().nonnegative().max(0xffff);

const initSchema = z.strictObject({
  versionMajor: version,
  versionMinor: version,
  chainId: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  features: z.array(z.string().regex(/^[\x21-\x7e]{1,64}$/)).max(32),
  name: z.string().max(64).regex(PRINTABLE),
  role: z.enum(["producer", "follower"]),
  listenAddresses: z.array(z.string().regex(/^[\x21-\x7e]{1,256}$/)).max(16),
  firstHeight: count,
  irreversibleHeight: count,
  startNonce: z.string().regex(/^[0-9a-f]{16}$/),
  startedAt: count,
});

// Another major version may have another Init: its number is read first, whatever else there is.
const versionSchema = z.looseObject({ versionMajor: version });

const closeSchema = z.strictObject({ reason: z.string().max(64), detail: z.string().max(DETAIL_CHARACTERS) });

/** Throws when this node's own Init breaks the bounds that others will hold it to. */
export function encodeInit(init: Init): Uint8Array {
  return utf8(JSON.stringify(initSchema.parse(init)));
}

/** The peer's Init, if it fits `own`: same major version, same chain. */
export function readInit(payload: Uint8Array, own: Init): Result<Init, Fault> {
  const json = parseJson(payload);
  const versioned = versionSchema.safeParse(json);
  if (versioned.success && versioned.data.versionMajor !== own.versionMajor) {
    return err({
      reason: "wrongVersion",
      detail: `protocol versions differ: "${own.name}" speaks ${own.versionMajor}, the peer ${versioned.data.versionMajor}`,
    });
  }
  const parsed = initSchema.safeParse(json);
  if (!parsed.success) return err({ reason: "badInit", detail: `Init is malformed: ${issueOf(parsed.error)}` });
  const theirs = parsed.data;
  if (theirs.chainId !== own.chainId) {
    const detail = `chains differ: "${own.name}" is on ${own.chainId}, "${theirs.name}" is on ${theirs.chainId}`;
    return err({ reason: "wrongChain", detail });
  }
  return ok(theirs);
}

export function encodeClose(reason: CloseReason, detail: string): Uint8Array {
  return utf8(JSON.stringify({ reason, detail: plainText(detail) }));
}

/** What the peer gave as its reason, made safe to log. A reason of a newer version reads as `connectionLost`. */
export function readClose(payload: Uint8Array): Result<Fault, Fault> {
  const parsed = closeSchema.safeParse(parseJson(payload));
  if (!parsed.success) return err({ reason: "undecodable", detail: "malformed close frame" });
  const { reason } = parsed.data;
  const detail = plainText(parsed.data.detail);
  const known = CLOSE_REASONS.find((candidate) => candidate === reason);
  if (known !== undefined) return ok({ reason: known, detail });
  return ok({ reason: "connectionLost", detail: plainText(`the peer closed for reason "${reason}": ${detail}`) });
}

function plainText(text: string): string {
  return text.replace(/\p{C}/gu, " ").slice(0, DETAIL_CHARACTERS);
}

function parseJson(payload: Uint8Array): unknown {
  const text = fromUtf8(payload);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // not JSON: the schema says so
  }
}

/** The first fault, by field name; never the peer's own text. */
function issueOf(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "unknown";
  const where = issue.path.length === 0 ? "the object" : plainText(issue.path.join("."));
  return issue.code === "unrecognized_keys" ? `${where} has unknown fields` : `${where}: ${issue.code}`;
}
