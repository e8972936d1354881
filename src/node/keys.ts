/**
 * A node's identity, `node.key`: an Ed25519 private key as PKCS #8 in PEM, the form that openssl reads and writes
 * (`openssl genpkey -algorithm ed25519`). Made once with mode 0600; a key that others can read is refused.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { toHex } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import { whyNotRead, whyNotWritten } from "./systemError.ts";

export interface NodeKey {
  /** Ed25519 public key, hex: the node's name for everyone else. */
  readonly publicKey: string;
  /** The 32 bytes of the private key of RFC 8032; what libp2p's identity is made of. */
  readonly seed: Uint8Array;
  /** Ed25519 signature over `digest`, 64 bytes. Takes some tens of microseconds. */
  sign(digest: Uint8Array): Uint8Array;
}

export interface KeyError {
  readonly code: "KEY_EXISTS" | "KEY_UNREADABLE" | "KEY_UNWRITABLE" | "KEY_PERMISSIONS" | "KEY_INVALID";
  readonly file: string;
  /** What is wrong, where, and what to do. */
  readonly message: string;
}

const SEED_BYTES = 32;
const KEY_FILE_MAX_BYTES = 16 * 1024;
const OTHERS = 0o077;

/** A new key in memory. */
export function generateNodeKey(): NodeKey {
  return nodeKeyOf(generateKeyPairSync("ed25519").privateKey);
}

/** The key of 32 bytes; for tests and for networks made from a seed. Throws a RangeError for another length. */
export function nodeKeyFromSeed(seed: Uint8Array): NodeKey {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has 32 bytes, not ${seed.length}`);
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return nodeKeyOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
}

/** PKCS #8 PEM of a key. */
export function nodeKeyPem(key: NodeKey): string {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), key.seed]);
  return `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
}

/** Writes a key to a file that must not exist yet, mode 0600, on disk when this returns. */
export function writeNodeKey(file: string, key: NodeKey): Result<undefined, KeyError> {
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx", 0o600);
  } catch (error) {
    const message = whyNotWritten(file, error);
    if ((error as { code?: unknown }).code !== "EEXIST") return err({ code: "KEY_UNWRITABLE", file, message });
    return err({ code: "KEY_EXISTS", file, message: `${message}; a key is never overwritten: move it away first` });
  }
  try {
    writeSync(descriptor, nodeKeyPem(key));
    fsyncSync(descriptor);
    return ok(undefined);
  } catch (error) {
    rmSync(file, { force: true }); // half a key is none
    return err({ code: "KEY_UNWRITABLE", file, message: whyNotWritten(file, error) });
  } finally {
    closeSync(descriptor);
  }
}

/** Reads a key file; refuses one that its group or others may read. */
export function readNodeKey(file: string): Result<NodeKey, KeyError> {
  let pem: string;
  try {
    // Judged on the open file: its name may point elsewhere a moment later. A pipe must not block the start.
    const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const { mode, size } = fstatSync(descriptor);
      if (process.platform !== "win32" && (mode & OTHERS) !== 0) return err(permissionError(file, mode));
      if (size > KEY_FILE_MAX_BYTES) return err(invalid(file));
      pem = readFileSync(descriptor, "utf8");
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return err({ code: "KEY_UNREADABLE", file, message: whyNotRead(file, error) });
  }
  try {
    const privateKey = createPrivateKey(pem);
    return privateKey.asymmetricKeyType === "ed25519" ? ok(nodeKeyOf(privateKey)) : err(invalid(file));
  } catch {
    return err(invalid(file)); // OpenSSL's own text helps nobody and might quote the key
  }
}

function nodeKeyOf(privateKey: KeyObject): NodeKey {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const pkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
  return {
    publicKey: toHex(spki.subarray(-SEED_BYTES)),
    seed: Uint8Array.from(pkcs8.subarray(-SEED_BYTES)),
    sign: (digest) => sign(null, digest, privateKey),
  };
}

function permissionError(file: string, mode: number): KeyError {
  const bits = (mode & 0o777).toString(8).padStart(4, "0");
  const message = `${file} can be read by others (mode ${bits}): whoever has it can vote as this node; run: chmod 600 ${file}`;
  return { code: "KEY_PERMISSIONS", file, message };
}

function invalid(file: string): KeyError {
  return {
    code: "KEY_INVALID",
    file,
    message: `${file} is no Ed25519 private key in PEM (PKCS #8); restore it from a backup`,
  };
}
