/** One node as a light client sees it: what it shows is checked before it counts. */
import { checkBlockProof, type BlockProof, type ProvenBlock } from "../../../consensus/blockProof.ts";
import { checkHeadProof, type HeadProof, type ProvenHead } from "../../../consensus/headProof.ts";
import type { ProofError, TrustedGenesis } from "../../../consensus/proofMembers.ts";
import { checkTransactionProof, type ProvenTransaction } from "../../../consensus/transactionProof.ts";
import type { SignatureClaim } from "../../../chain/signing.ts";
import type { Result } from "../../base/result.ts";
import { CairnClient } from "../client.ts";
import { ClientError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import { isObject } from "../shape.ts";
import { areSigned } from "./signatures.ts";

/** What a node showed: proven, untrue, or nothing. */
export type Shown<T, P> =
  | { readonly kind: "proven"; readonly value: T; readonly proof: P }
  /** What it sent does not hold. */
  | { readonly kind: "untrue"; readonly why: string }
  /** It says that it has none (`code`), or says nothing. */
  | { readonly kind: "none"; readonly why: string; readonly code: string | undefined };

export class LightNode {
  readonly url: string;
  readonly #genesis: TrustedGenesis;
  readonly #client: CairnClient;
  readonly #timeoutMs: number;

  /** @param timeoutMs for one answer */
  constructor(url: string, genesis: TrustedGenesis, platform: Partial<Platform>, timeoutMs: number) {
    this.url = url;
    this.#genesis = genesis;
    this.#client = new CairnClient(url, { platform });
    this.#timeoutMs = timeoutMs;
  }

  head(from: number): Promise<Shown<ProvenHead, HeadProof>> {
    return this.#proven(`/v1/proofs/head?from=${from}`, (body) => [
      body as HeadProof,
      checkHeadProof(body, this.#genesis),
    ]);
  }

  block(height: number): Promise<Shown<ProvenBlock, BlockProof>> {
    return this.#proven(`/v1/blocks/${height}/proof`, (body) => {
      const checked = checkBlockProof(body, this.#genesis);
      return [body as BlockProof, checked.ok && checked.value.height !== height ? other("height") : checked];
    });
  }

  transaction(id: string): Promise<Shown<ProvenTransaction, unknown>> {
    return this.#proven(`/v1/transactions/${id}?proof=true`, (body) => {
      const proof = isObject(body) ? body["proof"] : undefined;
      const checked = checkTransactionProof(proof, this.#genesis);
      return [proof, checked.ok && checked.value.id !== id ? other("id") : checked];
    });
  }

  /** The JSON of a block, not checked. */
  body(height: number): Promise<unknown> {
    return this.#client.get(`/v1/blocks/${height}`, { timeoutMs: this.#timeoutMs });
  }

  async #proven<T extends { readonly claims: readonly SignatureClaim[] }, P>(
    path: string,
    check: (body: unknown) => readonly [P, Result<T, ProofError>],
  ): Promise<Shown<T, P>> {
    let body: unknown;
    try {
      body = await this.#client.get(path, { timeoutMs: this.#timeoutMs });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { kind: "none", why: error.message, code: error.details.nodeCode };
    }
    const [proof, checked] = check(body);
    if (!checked.ok) return { kind: "untrue", why: `${checked.error.field} ${checked.error.detail}` };
    if (await areSigned(checked.value.claims)) return { kind: "proven", value: checked.value, proof };
    return { kind: "untrue", why: "certificate has a signature that is not its signer's" };
  }
}

/** It proves something, and not what was asked. */
function other(field: string): Result<never, ProofError> {
  return { ok: false, error: { code: "PROOF_INVALID", field, detail: "is not the one that was asked for" } };
}
