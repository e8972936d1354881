/**
 * In place of Ed25519: SHA-256(secret of the key || digest), doubled to 64 bytes. A hundred times as fast, and forging
 * stays impossible for whoever has only public keys, because the secrets are here.
 */
import { concatBytes, equalBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";
import type { SignatureClaim } from "../../chain/signing.ts";

export class KeyedHashes {
  readonly #secrets = new Map<string, Uint8Array>();

  /** Makes the key pair of this name. @returns the public key, 64 hex digits */
  makeKey(name: string): string {
    const secret = sha256(utf8(`secret of ${name}`));
    const key = toHex(sha256(secret));
    this.#secrets.set(key, secret);
    return key;
  }

  /** Throws for a key that was not made here. */
  sign(key: string, digest: Uint8Array): Uint8Array {
    const secret = this.#secrets.get(key);
    if (secret === undefined) throw new Error(`no secret of ${key}`);
    const half = sha256(concatBytes(secret, digest));
    return concatBytes(half, half);
  }

  verify({ key, digest, signature }: SignatureClaim): boolean {
    return this.#secrets.has(key) && equalBytes(this.sign(key, digest), signature);
  }
}
