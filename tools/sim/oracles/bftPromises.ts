/**
 * Oracle 5 for BFT, and 4: records are monotone across restarts, votes of one producer and view lie on one chain, nothing
 * leaves before it is on disk, in a certificate neither, no commit below a view change, and a view change reports what was committed.
 */
import { RuleBroken } from "../violation.ts";
import {
  readQuorum,
  type WireBftRecord,
  type WireCertificate,
  type WireMessage,
  type WireRef,
  type WireVote,
} from "../wire.ts";
import type { DurableBlocks } from "./promises.ts";

const BEFORE_DURABLE = "no message leaves before what it promises is on disk [B5]";
const COUNTED = "a producer's own vote counts only when it is on its disk [S5]";
const MONOTONE = "vote records are monotone, also across restarts";
const NO_COMMIT_BELOW = "no commit below a view change [B6]";
const ONE_CHAIN = "votes of one producer and view lie on one chain [B4]";

/** Highest of each view. */
interface Votes {
  readonly prepared: Map<number, WireRef>;
  readonly committed: Map<number, WireRef>;
}

interface Ever extends Votes {
  viewChangeSent: number;
}

interface Kept extends Votes {
  record: WireBftRecord;
}

export class BftPromiseOracle {
  readonly #keys: readonly string[];
  readonly #parentOf: (id: string) => { readonly parent: string; readonly height: number } | undefined;
  /** Keys by place in a certificate of this block. */
  readonly #membersOf: (id: string) => readonly string[] | undefined;
  readonly #issued: (WireBftRecord | undefined)[] = [];
  readonly #kept: (Kept | undefined)[] = [];
  /** That a disk of each node ever had, lost ones included: what was counted rightly stays in others' certificates. */
  readonly #ever: Ever[];
  /** What each node said rightly: it may say it again. */
  readonly #said: Set<string>[];

  constructor(
    keys: readonly string[],
    parentOf: (id: string) => { readonly parent: string; readonly height: number } | undefined,
    membersOf: (id: string) => readonly string[] | undefined = () => keys,
  ) {
    this.#keys = keys;
    this.#membersOf = membersOf;
    this.#parentOf = parentOf;
    this.#ever = keys.map(() => ({ prepared: new Map(), committed: new Map(), viewChangeSent: 0 }));
    this.#said = keys.map(() => new Set());
  }

  issued(node: number, record: WireBftRecord): void {
    const before = this.#issued[node];
    if (before !== undefined) this.#assertMonotone(node, before, record);
    this.#issued[node] = record;
  }

  durable(node: number, record: WireBftRecord): void {
    const known = this.#kept[node];
    if (known !== undefined) this.#assertMonotone(node, known.record, record);
    const kept = known ?? { record, prepared: new Map(), committed: new Map() };
    kept.record = record;
    this.#assertNothingElse(node, record);
    for (const { prepared, committed } of [kept, this.#ever[node] as Votes]) {
      if (record.prepared !== undefined) prepared.set(record.prepared.view, record.prepared);
      if (record.committed !== undefined) committed.set(record.committed.view, record.committed);
    }
    this.#kept[node] = kept;
  }

  restarted(node: number): void {
    this.#issued[node] = this.#kept[node]?.record;
  }

  lost(node: number): void {
    this.#kept[node] = this.#issued[node] = undefined;
  }

  /** Its disk is an older one: what it promised since is not known there, and stands. */
  restored(node: number, record: WireBftRecord | undefined): void {
    const kept = this.#kept[node];
    this.#issued[node] = record;
    if (kept === undefined || record === undefined) this.#kept[node] = undefined;
    else kept.record = record;
  }

  sent(node: number, message: WireMessage, disk: DurableBlocks): void {
    const certificate = certificateIn(message);
    if (certificate !== undefined) this.#assertCounted(node, certificate);
    if (message.kind !== "votes" && message.kind !== "viewChange") return;
    if (message.signer !== this.#keys[node]) return;
    if (message.kind === "votes") for (const vote of message.votes) this.#assertVoted(node, vote, disk);
    else this.#assertAsked(node, message.view, message.reported);
  }

  /** A certificate leaves: its own vote in it was said already, or is on its disk. */
  #assertCounted(node: number, certificate: WireCertificate): void {
    const place = this.#membersOf(certificate.id)?.indexOf(this.#keys[node] as string);
    if (place === undefined || !certificate.signers.includes(place)) return;
    const name = nameOf(certificate);
    const said = this.#said[node] as Set<string>;
    if (said.has(name)) return;
    const { prepared, committed } = this.#ever[node] as Votes;
    const votes = certificate.commit ? committed : prepared;
    const top = votes.get(certificate.view);
    // One step may vote in a view and go on to the next: then the disk has only that.
    const isPast = [...votes.keys()].some((view) => view > certificate.view);
    if (!isPast && (top === undefined || !this.#precedes(certificate, top)))
      throw new RuleBroken("promises", COUNTED, `${name} in a certificate that leaves`, [node]);
    said.add(name);
  }

  #assertVoted(node: number, vote: WireVote, disk: DurableBlocks): void {
    const name = nameOf(vote);
    const said = this.#said[node] as Set<string>;
    if (said.has(name)) return;
    const kept = this.#kept[node];
    const top = (vote.commit ? kept?.committed : kept?.prepared)?.get(vote.view);
    // One step may vote in a view and go on to the next: then the disk has only that, and can vote for nothing else below.
    const last = vote.commit ? kept?.record.committed : kept?.record.prepared;
    const isPast = last !== undefined && last.view > vote.view && !isBelow(last, vote);
    if (!isPast && (top === undefined || !this.#precedes(vote, top))) {
      const detail = `${name}; on disk ${top === undefined ? "none of that view" : `${top.height} ${top.id}`}`;
      throw new RuleBroken("promises", BEFORE_DURABLE, detail, [node]);
    }
    if (!disk.everHeld(vote.id)) throw new RuleBroken("promises", BEFORE_DURABLE, `${name}: the block`, [node]);
    said.add(name);
  }

  #assertAsked(node: number, view: number, reported: WireRef): void {
    const kept = this.#kept[node];
    if (kept === undefined || kept.record.viewChangeSent < view)
      throw new RuleBroken("promises", BEFORE_DURABLE, `a view change to ${view}`, [node]);
    for (const committed of kept.committed.values()) {
      if (committed.view >= view || !isBelow(reported, committed)) continue;
      const detail = `to ${view} reports ${reported.view}/${reported.height}, committed ${committed.view}/${committed.height}`;
      throw new RuleBroken("promises", "a view change reports what was committed [B7]", detail, [node]);
    }
  }

  /** Also where the record that was before is gone, or an older one came in its place. */
  #assertNothingElse(node: number, { prepared, committed, viewChangeSent }: WireBftRecord): void {
    const ever = this.#ever[node] as Ever;
    for (const [votes, vote] of [
      [ever.prepared, prepared],
      [ever.committed, committed],
    ] as const) {
      const other = vote && votes.get(vote.view);
      if (!vote || !other || this.#precedes(vote, other) || this.#precedes(other, vote)) continue;
      const detail = `view ${vote.view}: ${other.height} ${other.id} and ${vote.height} ${vote.id}`;
      throw new RuleBroken("promises", ONE_CHAIN, detail, [node]);
    }
    const top = committed && ever.committed.get(committed.view);
    if (committed && committed.view < ever.viewChangeSent && !(top && this.#precedes(committed, top)))
      throw new RuleBroken("promises", NO_COMMIT_BELOW, `view ${committed.view}, asked for ${ever.viewChangeSent}`, [
        node,
      ]);
    ever.viewChangeSent = Math.max(ever.viewChangeSent, viewChangeSent);
  }

  #assertMonotone(node: number, before: WireBftRecord, after: WireBftRecord): void {
    const fail = (rule: string, detail: string): never => {
      throw new RuleBroken("promises", rule, detail, [node]);
    };
    if (after.view < before.view) fail(MONOTONE, `view ${after.view} after ${before.view}`);
    if (after.viewChangeSent < before.viewChangeSent)
      fail(MONOTONE, `view change ${after.viewChangeSent} after ${before.viewChangeSent}`);
    if (isBelow(after.highQc, before.highQc))
      fail(MONOTONE, `highQc ${after.highQc.height} after ${before.highQc.height}`);
    if (isBelow(after.acked, before.acked)) fail(MONOTONE, `acked ${after.acked.height} after ${before.acked.height}`);
    for (const [was, is] of [
      [before.prepared, after.prepared],
      [before.committed, after.committed],
    ]) {
      if (was === undefined) continue;
      if (is === undefined || is.view < was.view) fail(MONOTONE, `a vote of view ${was.view} is forgotten`);
      else if (is.view === was.view && !this.#precedes(was, is))
        fail(ONE_CHAIN, `view ${is.view}: ${was.height} ${was.id} and ${is.height} ${is.id}`);
    }
    if (after.prepared !== undefined && after.prepared.view > after.view)
      fail(MONOTONE, `prepared in view ${after.prepared.view}, is in ${after.view}`);
    const { committed } = after;
    if (committed !== undefined && committed.id !== before.committed?.id && committed.view < before.viewChangeSent)
      fail(NO_COMMIT_BELOW, `view ${committed.view}, asked for ${before.viewChangeSent}`);
  }

  #precedes(ancestor: WireRef, block: WireRef): boolean {
    let at = block.id;
    for (let height = block.height; height > ancestor.height; height--) {
      const parent = this.#parentOf(at)?.parent;
      if (parent === undefined) return false;
      at = parent;
    }
    return at === ancestor.id;
  }
}

/** A Raft chain has others. */
function certificateIn(message: WireMessage): WireCertificate | undefined {
  if (message.kind === "quorum" || message.kind === "viewChange") return message.certificate;
  return message.kind === "hello" && message.rootCertificate ? readQuorum(message.rootCertificate) : undefined;
}

function nameOf({ commit, view, height, id }: WireVote): string {
  return `${commit ? "commit" : "prepare"} ${view}/${height} ${id}`;
}

function isBelow(a: WireRef, b: WireRef): boolean {
  return a.view !== b.view ? a.view < b.view : a.height < b.height;
}
