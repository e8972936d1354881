/**
 * Evidence against producers, found here or told by others: one piece for each producer and kind. What is new is written
 * down and told to all neighbours, who check it for themselves; who connects gets all of it, and all get all of it now and
 * then.
 */
import {
  EVIDENCE_KINDS,
  EVIDENCE_WORDS,
  type Evidence,
  type EvidenceError,
  type EvidenceKind,
} from "../../consensus/bft/evidence.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { PeerKey } from "../base/key.ts";
import type { Result } from "../base/result.ts";
import { EVIDENCE_EVERY_MS } from "./constants.ts";
import type { LogLevel } from "./types.ts";

export interface EvidenceHost {
  /** Checks everything but the signatures; of what was `kept` also not whether it is against a producer, which it was. */
  decode(bytes: Uint8Array, kept: boolean): Result<Evidence, EvidenceError>;
  now(): number;
  /** To everyone but `from`. */
  spread(evidence: Uint8Array, from: PeerKey | undefined): void;
  /** To all neighbours, who may know it. */
  repeat(evidence: Uint8Array): void;
  isSigned(claim: SignatureClaim): boolean;
  /** Writes it down, and tells the shell. */
  keep(evidence: Evidence): void;
  accuse(producer: PeerKey, what: string): void;
  log(level: LogLevel, message: string, fields: Record<string, unknown>): void;
}

/** Logged where what this node's own engine has found does not hold. */
export const NO_EVIDENCE = "what was found against a producer is no evidence: please report this";

export class EvidenceStore {
  readonly #host: EvidenceHost;
  readonly #held = new Map<string, Evidence>();
  #repeatAt = Number.POSITIVE_INFINITY;

  constructor(host: EvidenceHost) {
    this.#host = host;
  }

  /** What this node's disk holds. It is checked again: whatever has become of the disk, nobody is accused falsely. */
  restore(kept: readonly Uint8Array[]): void {
    for (const bytes of kept) {
      const evidence = this.#host.decode(bytes, true);
      const fault = !evidence.ok
        ? evidence.error.detail
        : evidence.value.claims.every((claim) => this.#host.isSigned(claim))
          ? undefined
          : "a signature is not valid";
      if (evidence.ok && fault === undefined) this.#hold(evidence.value);
      else this.#host.log("error", "evidence on disk is not valid", { detail: fault });
    }
  }

  get all(): readonly Evidence[] {
    return [...this.#held.values()];
  }
  get size(): number {
    return this.#held.size;
  }

  get deadline(): number {
    return this.#repeatAt;
  }

  tick(): void {
    if (this.#host.now() < this.#repeatAt) return;
    this.#repeatAt = this.#host.now() + EVIDENCE_EVERY_MS;
    for (const { bytes } of this.all) this.#host.repeat(bytes);
  }

  isNews({ producer, kind }: Evidence): boolean {
    return !this.#held.has(nameOf(producer, kind));
  }

  /** Of this node's own engine. */
  found(bytes: Uint8Array): void {
    const evidence = this.#host.decode(bytes, false);
    // It has left the set, so long ago that it is not known any more.
    if (!evidence.ok && evidence.error.code === "PRODUCERS_UNKNOWN") return;
    // A fault of this program. Whoever can bring it about must not be able to stop this node by it.
    if (!evidence.ok) return this.#host.log("error", NO_EVIDENCE, { detail: evidence.error.detail });
    this.received(evidence.value, undefined);
  }

  /** Its signatures were checked. */
  received(evidence: Evidence, from: PeerKey | undefined): void {
    if (!this.isNews(evidence)) return;
    const { kind, producer, view, height } = evidence;
    const held = { ...evidence, bytes: evidence.bytes.slice() };
    this.#hold(held);
    this.#host.log("warn", "evidence against a producer", { producer, what: EVIDENCE_WORDS[kind], view, height });
    this.#host.keep(held);
    this.#host.spread(held.bytes, from);
  }

  #hold(evidence: Evidence): void {
    const { kind, producer } = evidence;
    if (this.#repeatAt === Number.POSITIVE_INFINITY) this.#repeatAt = this.#host.now() + EVIDENCE_EVERY_MS;
    this.#held.set(nameOf(producer, kind), evidence);
    this.#host.accuse(producer, EVIDENCE_WORDS[kind]);
  }
}

/** Pieces held of one producer at most. */
export const EVIDENCE_PER_PRODUCER = EVIDENCE_KINDS.length;

function nameOf(producer: string, kind: EvidenceKind): string {
  return `${producer} ${kind}`;
}
