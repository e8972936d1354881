/**
 * Checking Ed25519 signatures (RFC 8032) with node:crypto: on the calling thread, or on the libuv pool so that thousands
 * of checks leave the event loop free.
 *
 * Keys are checked more strictly than OpenSSL does: an encoding that is not the one of its point, and the points of
 * small order, for which one signature fits every message, are no keys here.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { promisify } from "node:util";
import { KEY_BYTES, SIGNATURE_BYTES } from "../../chain/constants.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { fromHex } from "../base/bytes.ts";

const verifyOnPool = promisify<null, Uint8Array, KeyObject, Uint8Array, boolean>(verify);

/** DER of a SubjectPublicKeyInfo up to the key: RFC 8410. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** 2^255 - 19. */
const FIELD_PRIME = 2n ** 255n - 19n;
/** y of the points whose order divides 8: sign bits do not matter. */
const SMALL_ORDER = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

/** Keys ready for use, oldest first. Authors of transactions come and go, so it has a bound. */
const KEYS_MAX = 4096;
const keys = new Map<string, KeyObject>();

/** Whether `key` (hex) may stand in a producer set or as an author: its one encoding, not of small order. */
export function isUsableKey(key: string): boolean {
  const raw = fromHex(key);
  if (raw?.length !== KEY_BYTES) return false;
  let y = 0n;
  for (let i = KEY_BYTES - 1; i >= 0; i--) y = (y << 8n) | BigInt(raw[i] as number);
  y &= 2n ** 255n - 1n;
  return y < FIELD_PRIME && !SMALL_ORDER.has(y);
}

/** Whether the signature is one of the key over the digest; false for what is no key or no signature. */
export function verifySignature({ key, digest, signature }: SignatureClaim): boolean {
  const keyObject = keyObjectOf(key);
  if (keyObject === undefined || signature.length !== SIGNATURE_BYTES) return false;
  return verify(null, digest, keyObject, signature);
}

/** As {@link verifySignature}, on the libuv pool (UV_THREADPOOL_SIZE threads). */
export async function verifySignatureAsync({ key, digest, signature }: SignatureClaim): Promise<boolean> {
  const keyObject = keyObjectOf(key);
  if (keyObject === undefined || signature.length !== SIGNATURE_BYTES) return false;
  return verifyOnPool(null, digest, keyObject, signature);
}

/** All claims on the libuv pool; answers in their order. */
export function verifySignatures(claims: readonly SignatureClaim[]): Promise<boolean[]> {
  return Promise.all(claims.map(verifySignatureAsync));
}

function keyObjectOf(key: string): KeyObject | undefined {
  const known = keys.get(key);
  if (known !== undefined) return known;
  if (!isUsableKey(key)) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(key, "hex")]);
  const keyObject = createPublicKey({ key: der, format: "der", type: "spki" });
  if (keys.size >= KEYS_MAX) keys.delete(keys.keys().next().value as string);
  keys.set(key, keyObject);
  return keyObject;
}
