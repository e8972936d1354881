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
import type { Trust } from "./trust.ts";

/** What a node showed: proven, untrue, or nothing. */
export type Shown<T, P> =
  /** `trust`: the changes of the producer set by which it holds, as they were known then. */
  | { readonly kind: "proven"; readonly value: T; readonly proof: P; readonly trust: Trust }
  /** What it sent does not hold. */
  /** `isOfOthers`: it is certified by producers that nothing known here has brought. */
  | { readonly kind: "untrue"; readonly why: string; readonly isOfOthers?: true }
  | None;

/** It says that it has none (`code`), or says nothing. */
interface None {
  readonly kind: "none";
  readonly why: string;
  readonly code: string | undefined;
}

/** Of an answer with a proof of a block: 65 headers, 400 signatures and three paths in JSON are 170 kB. */
const PROOF_MAX_BYTES = 256 * 1024;
/** 32 changes, each with such a certificate and 200 keys: 5.4 MB. */
const PRODUCERS_MAX_BYTES = 6 * 1024 * 1024;
/** A transaction of 1 MiB, encoded and as text, with receipts: what `cairn tx verify` takes. */
const TRANSACTION_MAX_BYTES = 16 * 1024 * 1024;

/** A proof and what it shows, if it holds up to the signatures. */
type Check<T, P> = (body: unknown, genesis: TrustedGenesis) => readonly [P, Result<T, ProofError>];
type Signed = { readonly claims: readonly SignatureClaim[] };

export class LightNode {
  readonly url: string;
  readonly #client: CairnClient;
  readonly #timeoutMs: number;

  /** @param timeoutMs for one answer */
  constructor(url: string, platform: Partial<Platform>, timeoutMs: number) {
    this.url = url;
    this.#client = new CairnClient(url, { platform });
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Its newest block, as going on from one that it has at a height. Where the node has other changes of the producer set than
   * those that `trust` knows, it is judged by its own, from the genesis on: two certified histories are not for one to judge.
   */
  async head(from: number, trust: Trust): Promise<Shown<ProvenHead, HeadProof>> {
    const check: Check<ProvenHead, HeadProof> = (body, genesis) => {
      const checked = checkHeadProof(body, genesis);
      const proof = body as HeadProof;
      return [proof, checked.ok && proof.from !== from ? other("from") : checked];
    };
    const asked = await this.#asked(`/v1/proofs/head?from=${from}`, PROOF_MAX_BYTES);
    if (asked.kind === "none") return asked;
    const shown = await this.#judged(asked.body, check, trust);
    if (shown.kind === "proven" || !shown.isOfOthers || trust.above === 0) return shown;
    const byItsOwn = await this.#judged(asked.body, check, trust.untaught());
    return byItsOwn.kind === "proven" ? byItsOwn : shown;
  }

  block(height: number, trust: Trust): Promise<Shown<ProvenBlock, BlockProof>> {
    return this.#proven(`/v1/blocks/${height}/proof`, PROOF_MAX_BYTES, trust, (body, genesis) => {
      const checked = checkBlockProof(body, genesis);
      return [body as BlockProof, checked.ok && checked.value.height !== height ? other("height") : checked];
    });
  }

  /** A block of its own history, by its own changes of the producer set where those that are known do not bring it. */
  async ownBlock(height: number, trust: Trust): Promise<Shown<ProvenBlock, BlockProof>> {
    const shown = await this.block(height, trust.copy());
    return shown.kind === "untrue" && shown.isOfOthers ? this.block(height, trust.untaught()) : shown;
  }

  transaction(id: string, trust: Trust): Promise<Shown<ProvenTransaction, unknown>> {
    return this.#proven(`/v1/transactions/${id}?proof=true`, TRANSACTION_MAX_BYTES, trust, (body, genesis) => {
      const proof = isObject(body) ? body["proof"] : undefined;
      const checked = checkTransactionProof(proof, genesis);
      return [proof, checked.ok && checked.value.id !== id ? other("id") : checked];
    });
  }

  /** The JSON of a block, not checked. */
  body(height: number): Promise<unknown> {
    return this.#client.get(`/v1/blocks/${height}`, { timeoutMs: this.#timeoutMs });
  }

  async #proven<T extends Signed, P>(
    path: string,
    maxBytes: number,
    trust: Trust,
    check: Check<T, P>,
  ): Promise<Shown<T, P>> {
    const asked = await this.#asked(path, maxBytes);
    return asked.kind === "none" ? asked : this.#judged(asked.body, check, trust);
  }

  /** What is signed by producers that are not known yet counts once the node has proven that they came to be. */
  async #judged<T extends Signed, P>(
    body: unknown,
    check: Check<T, P>,
    trust: Trust,
  ): Promise<Exclude<Shown<T, P>, None>> {
    for (;;) {
      const then = trust.copy();
      const [proof, checked] = check(body, then.genesis);
      if (checked.ok) {
        if (await areSigned(checked.value.claims)) return { kind: "proven", value: checked.value, proof, trust: then };
        return { kind: "untrue", why: "certificate has a signature that is not its signer's" };
      }
      const { code, field, detail } = checked.error;
      if (code !== "PRODUCERS_UNKNOWN") return { kind: "untrue", why: `${field} ${detail}` };
      const why = await this.#learnProducers(trust);
      if (why !== undefined) return { kind: "untrue", why, isOfOthers: true };
    }
  }

  /** Takes in the changes that follow those that are known. @returns what is wrong with what it shows */
  async #learnProducers(trust: Trust): Promise<string | undefined> {
    const { above } = trust;
    const asked = await this.#asked(`/v1/proofs/producers?above=${above}`, PRODUCERS_MAX_BYTES);
    // Another node may have shown them meanwhile.
    if (trust.above > above) return undefined;
    if (asked.kind === "none") return `certificate is by producers that it does not prove: ${asked.why}`;
    return trust.learn(asked.body);
  }

  async #asked(path: string, maxBytes: number): Promise<{ readonly kind: "body"; readonly body: unknown } | None> {
    try {
      return { kind: "body", body: await this.#client.get(path, { timeoutMs: this.#timeoutMs, maxBytes }) };
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
