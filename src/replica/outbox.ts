/**
 * What a step does to the world, collected. A step makes at most one `persist`; messages that promise something wait
 * for it and for everything persisted before [S5].
 */
import type { DurableAction } from "../../consensus/engine.ts";
import type { Block } from "../../chain/block.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { encodeProducerSets } from "../../chain/producerSets.ts";
import type { Lane, PeerKey } from "../../net/link/types.ts";
import { OWED_BYTES_MAX, OWED_PERSISTS_MAX } from "./constants.ts";
import type { Effect, PersistedBlock, PersistedEvidence, PersistedIrreversible, PersistedSets } from "./types.ts";

/** What is done when a token has come back. */
export type AfterPersist =
  | { readonly kind: "action"; readonly action: DurableAction }
  | { readonly kind: "irreversible"; readonly node: BlockNode };

/** A block as the disk takes it: its parts, not copied. */
export function persistedBlock({ id, header, headerBytes, signature, body }: Block): PersistedBlock {
  return { height: header.height, id, parent: header.parent, header: headerBytes, signature, body };
}

/** The producer sets that follow from a block that changes them. */
export function persistedSets({ height, block, setsAfter }: BlockNode): PersistedSets {
  const provenHeight = setsAfter.next === undefined ? block.header.irreversibleHeight : 0;
  return { from: height + 1, provenHeight, sets: encodeProducerSets(setsAfter) };
}

export class Outbox {
  #effects: Effect[] = [];
  #sends: { to: PeerKey; lane: Lane; parts: readonly Uint8Array[]; durable: boolean }[] = [];
  #blocks: PersistedBlock[] = [];
  #recordChanged = false;
  #irreversible: PersistedIrreversible | undefined;
  #evidence: PersistedEvidence[] = [];
  #after: AfterPersist[] = [];
  #token = 0;
  #durableToken = 0;
  /** Bytes of blocks in writes that are not on disk yet, by token, ascending. */
  readonly #owed: { readonly token: number; readonly bytes: number }[] = [];
  #owedBytes = 0;
  /** By token, ascending. */
  readonly #waiting: { readonly token: number; readonly after: readonly AfterPersist[] }[] = [];

  /** Persists that are not on disk yet. */
  get outstanding(): number {
    return this.#token - this.#durableToken;
  }

  /** The disk does not take what it is given. */
  get owesTooMuch(): boolean {
    return this.outstanding > OWED_PERSISTS_MAX || this.#owedBytes > OWED_BYTES_MAX;
  }

  effect(effect: Effect): void {
    this.#effects.push(effect);
  }

  send(to: PeerKey, lane: Lane, parts: readonly Uint8Array[], durable: boolean): void {
    this.#sends.push({ to, lane, parts, durable });
  }

  persistBlock(block: PersistedBlock): void {
    this.#blocks.push(block);
  }
  persistRecord(): void {
    this.#recordChanged = true;
  }
  persistIrreversible(irreversible: PersistedIrreversible): void {
    const before = this.#irreversible?.producerSets ?? [];
    const producerSets = [...before, ...(irreversible.producerSets ?? [])];
    this.#irreversible = { ...irreversible, ...(producerSets.length > 0 && { producerSets }) };
  }
  persistEvidence(evidence: PersistedEvidence): void {
    this.#evidence.push(evidence);
  }
  whenDurable(after: AfterPersist): void {
    this.#after.push(after);
  }

  /** A token came back: what waited for it, and for those before it, in order. */
  persisted(token: number): AfterPersist[] {
    if (token > this.#token) throw new Error(`token ${token} was never given out`);
    this.#durableToken = Math.max(this.#durableToken, token);
    for (let first = this.#owed[0]; first !== undefined && first.token <= token; first = this.#owed[0]) {
      this.#owedBytes -= first.bytes;
      this.#owed.shift();
    }
    const done = this.#waiting.findIndex((each) => each.token > this.#durableToken);
    return this.#waiting.splice(0, done === -1 ? this.#waiting.length : done).flatMap((each) => each.after);
  }

  /** Actions that need nothing more on disk than is there already. */
  takeImmediate(): AfterPersist[] {
    if (this.#isDirty() || this.#token > this.#durableToken) return [];
    const after = this.#after;
    this.#after = [];
    return after;
  }

  /** Ends the step: the effects in the order in which they are to be carried out. */
  finish(encodeRecord: () => Uint8Array): Effect[] {
    const effects: Effect[] = [];
    if (this.#isDirty()) {
      this.#token++;
      effects.push({
        kind: "persist",
        token: this.#token,
        blocks: this.#blocks,
        ...(this.#recordChanged && { record: encodeRecord() }),
        ...(this.#irreversible && { irreversible: this.#irreversible }),
        ...(this.#evidence.length > 0 && { evidence: this.#evidence }),
      });
      if (this.#blocks.length > 0) {
        const bytes = this.#blocks.reduce((sum, { header, body }) => sum + header.length + body.length, 0);
        this.#owed.push({ token: this.#token, bytes });
        this.#owedBytes += bytes;
      }
      this.#blocks = [];
      this.#recordChanged = false;
      this.#irreversible = undefined;
      this.#evidence = [];
    }
    if (this.#after.length > 0) {
      this.#waiting.push({ token: this.#token, after: this.#after });
      this.#after = [];
    }
    const pending = this.#token > this.#durableToken;
    for (const { to, lane, parts, durable } of this.#sends) {
      effects.push({ kind: "send", to, lane, parts, ...(durable && pending && { after: this.#token }) });
    }
    this.#sends = [];
    effects.push(...this.#effects);
    this.#effects = [];
    return effects;
  }

  #isDirty(): boolean {
    if (this.#blocks.length > 0 || this.#evidence.length > 0) return true;
    return this.#recordChanged || this.#irreversible !== undefined;
  }
}
