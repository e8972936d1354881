/**
 * Evidence against producers, found here or told by others: one piece for each producer and kind. What is new is handed to
 * the shell, which keeps it, and to all neighbours; who connects gets all of it.
 */
import { EVIDENCE_KINDS, type Evidence, type EvidenceError, type EvidenceKind } from "../../consensus/bft/evidence.ts";
import type { PeerKey } from "../base/key.ts";
import type { Result } from "../base/result.ts";
import type { LogLevel } from "./types.ts";

export interface EvidenceHost {
  decode(bytes: Uint8Array): Result<Evidence, EvidenceError>;
  /** To everyone but `from`. */
  spread(evidence: Uint8Array, from: PeerKey | undefined): void;
  tell(evidence: Evidence): void;
  accuse(producer: PeerKey, what: string): void;
  log(level: LogLevel, message: string, fields: Record<string, unknown>): void;
}

/** What the accused has done, for people. */
const WORDS: Record<EvidenceKind, string> = {
  twoBlocks: "two blocks at one place",
  twoVotes: "two votes at one place, or on two branches",
  lessReported: "a view change that reports less than was committed",
};

export class EvidenceStore {
  readonly #host: EvidenceHost;
  readonly #held = new Map<string, Evidence>();

  constructor(host: EvidenceHost) {
    this.#host = host;
  }

  /** What this node's disk holds: checked when it was found. */
  restore(kept: readonly Uint8Array[]): void {
    for (const bytes of kept) {
      const evidence = this.#host.decode(bytes);
      if (evidence.ok) this.#hold(evidence.value);
      else this.#host.log("error", "evidence on disk is not valid", { ...evidence.error });
    }
  }

  get all(): readonly Evidence[] {
    return [...this.#held.values()];
  }
  get size(): number {
    return this.#held.size;
  }

  isNews({ producer, kind }: Evidence): boolean {
    return !this.#held.has(nameOf(producer, kind));
  }

  /** Of this node's own engine. */
  found(bytes: Uint8Array): void {
    const evidence = this.#host.decode(bytes);
    if (!evidence.ok) throw new Error(`evidence that is none: ${evidence.error.detail}`);
    this.received(evidence.value, undefined);
  }

  /** Its signatures were checked. */
  received(evidence: Evidence, from: PeerKey | undefined): void {
    if (!this.isNews(evidence)) return;
    const { kind, producer, view, height } = evidence;
    this.#hold({ ...evidence, bytes: evidence.bytes.slice() });
    this.#host.log("warn", "evidence against a producer", { producer, what: WORDS[kind], view, height });
    this.#host.tell(evidence);
    this.#host.spread(evidence.bytes, from);
  }

  #hold(evidence: Evidence): void {
    const { kind, producer } = evidence;
    this.#held.set(nameOf(producer, kind), evidence);
    this.#host.accuse(producer, WORDS[kind]);
  }
}

/** Pieces held of one producer at most. */
export const EVIDENCE_PER_PRODUCER = EVIDENCE_KINDS.length;

function nameOf(producer: string, kind: EvidenceKind): string {
  return `${producer} ${kind}`;
}
