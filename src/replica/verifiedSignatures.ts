/** Signatures that were found valid: a certificate made of votes that came one by one costs nothing. */
import { toBinaryString } from "../base/bytes.ts";
import type { SignatureClaim } from "../../chain/signing.ts";

/** Kept in each of two generations, about 250 bytes each: the votes of a window of the largest producer set fit. */
const KEPT = 16_384;

export class VerifiedSignatures {
  #newer = new Set<string>();
  #older = new Set<string>();

  has(claim: SignatureClaim): boolean {
    const name = nameOf(claim);
    return this.#newer.has(name) || this.#older.has(name);
  }

  add(claim: SignatureClaim): void {
    if (this.#newer.size >= KEPT) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    this.#newer.add(nameOf(claim));
  }
}

/** Key, digest and signature whole: nothing that differs in a bit has the same name. */
function nameOf({ key, digest, signature }: SignatureClaim): string {
  return key + toBinaryString(digest) + toBinaryString(signature);
}
