/** One node as a light client sees it: what it shows is checked before it counts. */
import { checkBlockProof, type BlockProof, type ProvenBlock } from "../../../consensus/blockProof.ts";
import { checkHeadProof, type HeadProof, type ProvenHead } from "../../../consensus/headProof.ts";
import type { ProofError } from "../../../consensus/proofMembers.ts";
import { checkTransactionProof, type ProvenTransaction } from "../../../consensus/transactionProof.ts";
import type { SignatureClaim } from "../../../chain/signing.ts";
import type { Result } from "../../base/result.ts";
import { CairnClient } from "../client.ts";
import { ClientError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import { isObject } from "../shape.ts";
import { areSigned } from "./signatures.ts";
import type { Trust } from "./trust.ts";

/** What a node showed: proven, untrue, or nothing. */
export type Shown<T, P> =
  | { readonly kind: "proven"; readonly value: T; readonly proof: P }
  /** What it sent does not hold. */
  | { readonly kind: "untrue"; readonly why: string }
  | None;

/** It says that it has none (`code`), or says nothing. */
interface None {
  readonly kind: "none";
  readonly why: string;
  readonly code: string | undefined;
}

export class LightNode {
  readonly url: string;
  readonly #trust: Trust;
  readonly #client: CairnClient;
  readonly #timeoutMs: number;

  /** @param timeoutMs for one answer */
  constructor(url: string, trust: Trust, platform: Partial<Platform>, timeoutMs: number) {
    this.url = url;
    this.#trust = trust;
    this.#client = new CairnClient(url, { platform });
    this.#timeoutMs = timeoutMs;
  }

  head(from: number): Promise<Shown<ProvenHead, HeadProof>> {
    return this.#proven(`/v1/proofs/head?from=${from}`, (body) => [
      body as HeadProof,
      checkHeadProof(body, this.#trust.genesis),
    ]);
  }

  block(height: number): Promise<Shown<ProvenBlock, BlockProof>> {
    return this.#proven(`/v1/blocks/${height}/proof`, (body) => {
      const checked = checkBlockProof(body, this.#trust.genesis);
      return [body as BlockProof, checked.ok && checked.value.height !== height ? other("height") : checked];
    });
  }

  transaction(id: string): Promise<Shown<ProvenTransaction, unknown>> {
    return this.#proven(`/v1/transactions/${id}?proof=true`, (body) => {
      const proof = isObject(body) ? body["proof"] : undefined;
      const checked = checkTransactionProof(proof, this.#trust.genesis);
      return [proof, checked.ok && checked.value.id !== id ? other("id") : checked];
    });
  }

  /** The JSON of a block, not checked. */
  body(height: number): Promise<unknown> {
    return this.#client.get(`/v1/blocks/${height}`, { timeoutMs: this.#timeoutMs });
  }

  /** What is signed by producers that are not known yet counts once the node has proven that they came to be. */
  async #proven<T extends { readonly claims: readonly SignatureClaim[] }, P>(
    path: string,
    check: (body: unknown) => readonly [P, Result<T, ProofError>],
  ): Promise<Shown<T, P>> {
    const asked = await this.#asked(path);
    if (asked.kind === "none") return asked;
    let [proof, checked] = check(asked.body);
    while (!checked.ok && checked.error.code === "PRODUCERS_UNKNOWN") {
      const why = await this.#learnProducers();
      if (why !== undefined) return { kind: "untrue", why };
      [proof, checked] = check(asked.body);
    }
    if (!checked.ok) return { kind: "untrue", why: `${checked.error.field} ${checked.error.detail}` };
    if (await areSigned(checked.value.claims)) return { kind: "proven", value: checked.value, proof };
    return { kind: "untrue", why: "certificate has a signature that is not its signer's" };
  }

  /** Takes in the changes that follow those that are known. @returns what is wrong with what it shows */
  async #learnProducers(): Promise<string | undefined> {
    const { above } = this.#trust;
    const asked = await this.#asked(`/v1/proofs/producers?above=${above}`);
    // Another node may have shown them meanwhile.
    if (this.#trust.above > above) return undefined;
    if (asked.kind === "none") return `certificate is by producers that it does not prove: ${asked.why}`;
    return this.#trust.learn(asked.body);
  }

  async #asked(path: string): Promise<{ readonly kind: "body"; readonly body: unknown } | None> {
    try {
      return { kind: "body", body: await this.#client.get(path, { timeoutMs: this.#timeoutMs }) };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { kind: "none", why: error.message, code: error.details.nodeCode };
    }
  }
}

/** It proves something, and not what was asked. */
function other(field: string): Result<never, ProofError> {
  return { ok: false, error: { code: "PROOF_INVALID", field, detail: "is not the one that was asked for" } };
}
