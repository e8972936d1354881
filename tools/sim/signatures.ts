/**
 * In place of Ed25519: a hash of the key's secret and the digest, 64 bytes. The digest is a SHA-256 already, so mixing
 * its words with the secret's is enough: a hundred times as fast, and forging stays impossible for whoever has only
 * public keys, because the secrets are here.
 */
import type { SignatureClaim } from "../../chain/signing.ts";
import { equalBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";

const WORDS = 8;
const SIGNATURE_WORDS = 16;

export class KeyedHashes {
  readonly #secrets = new Map<string, Int32Array>();

  /** Makes the key pair of this name. @returns the public key, 64 hex digits */
  makeKey(name: string): string {
    const secret = sha256(utf8(`secret of ${name}`));
    const key = toHex(sha256(secret));
    this.#secrets.set(key, new Int32Array(secret.buffer));
    return key;
  }

  /** Throws for a key that was not made here. */
  sign(key: string, digest: Uint8Array): Uint8Array {
    const secret = this.#secrets.get(key);
    if (secret === undefined) throw new Error(`no secret of ${key}`);
    const signature = new Int32Array(SIGNATURE_WORDS);
    let state = 0x9e3779b9;
    for (let i = 0; i < SIGNATURE_WORDS; i++) {
      const at = 4 * (i % WORDS);
      const word =
        (digest[at] as number) |
        ((digest[at + 1] as number) << 8) |
        ((digest[at + 2] as number) << 16) |
        ((digest[at + 3] as number) << 24);
      state = mix(state ^ word, secret[i % WORDS] as number);
      signature[i] = state;
    }
    // Backwards, so that every word depends on all of the digest.
    for (let i = SIGNATURE_WORDS - 1; i >= 0; i--) signature[i] = state = mix(state, signature[i] as number);
    return new Uint8Array(signature.buffer);
  }

  verify({ key, digest, signature }: SignatureClaim): boolean {
    return this.#secrets.has(key) && equalBytes(this.sign(key, digest), signature);
  }
}

function mix(a: number, b: number): number {
  let z = (a + Math.imul(b, 0x21f0aaad)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x735a2d97);
  return z ^ (z >>> 15);
}
