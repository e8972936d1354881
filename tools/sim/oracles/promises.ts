/**
 * Oracle 5: vote records are monotone, also across restarts, and no message leaves before what it promises is on disk.
 * Frames are read by `wire.ts`, the disk is the simulated one: nothing here believes what the node says of itself.
 */
import { sha256Hex } from "../../../src/base/hash.ts";
import { RuleBroken } from "../violation.ts";
import type { WireMessage, WireRecord } from "../wire.ts";

/** A node's durable blocks. */
export interface DurableBlocks {
  has(id: string): boolean;
  /** Also when it was damaged or pruned since. */
  everHeld(id: string): boolean;
  parentOf(id: string): string | undefined;
  isIrreversible(id: string): boolean;
  /** It was there, and something else has become irreversible in its place since. */
  isPruned(id: string): boolean;
}

const BEFORE_DURABLE = "no message leaves before what it promises is on disk";
const MONOTONE = "vote records are monotone, also across restarts";

interface Durable {
  record: WireRecord;
  /** For whom this node's disk has ever said that it voted, by view. */
  readonly votes: Map<number, string>;
}

export class PromiseOracle {
  readonly #keys: readonly string[];
  readonly #issued: (WireRecord | undefined)[] = [];
  readonly #durable: (Durable | undefined)[] = [];
  /**
   * By node: its own blocks and acks that left it rightly. Others give them back to one that has lost its disk, and it
   * passes them on like anybody's.
   */
  readonly #told: Set<string>[];

  readonly #votes: boolean;

  /**
   * @param keys of the nodes, by index
   * @param votes who leads a view has voted for itself in it (Raft); else its turn it is, and its disk knows the view (VSR)
   */
  constructor(keys: readonly string[], votes = true) {
    this.#keys = keys;
    this.#votes = votes;
    this.#told = keys.map(() => new Set());
  }

  /** A node asked its disk to keep this record. */
  issued(node: number, record: WireRecord): void {
    const before = this.#issued[node];
    if (before !== undefined) assertMonotone(node, before, record);
    this.#issued[node] = record;
  }

  /** The disk has it. */
  durable(node: number, record: WireRecord): void {
    const known = this.#durable[node];
    if (known !== undefined) assertMonotone(node, known.record, record);
    const durable = known ?? { record, votes: new Map() };
    durable.record = record;
    if (record.votedFor !== undefined) vote(node, durable.votes, record.view, record.votedFor);
    this.#durable[node] = durable;
  }

  /** The node starts again from what its disk has. */
  restarted(node: number): void {
    this.#issued[node] = this.#durable[node]?.record;
  }

  /** Its disk is gone, and with it every promise: from here on it may make none. */
  lost(node: number): void {
    this.#durable[node] = this.#issued[node] = undefined;
  }

  /** Its disk is an older one: what it promised since is not known there, and stands. */
  restored(node: number, record: WireRecord | undefined): void {
    const durable = this.#durable[node];
    this.#issued[node] = record;
    if (durable === undefined || record === undefined) this.#durable[node] = undefined;
    else durable.record = record;
  }

  /** A message leaves a node. */
  sent(node: number, message: WireMessage, disk: DurableBlocks): void {
    const self = this.#keys[node] as string;
    switch (message.kind) {
      case "vote":
        if (message.signer !== self || !message.granted || message.preVote) return;
        return this.#assertVotedOrPast(node, message.view, message.candidate, "a vote");
      case "requestVote":
        if (message.signer === self && !message.preVote)
          this.#assertVotedOrPast(node, message.view, self, "a candidacy");
        return;
      case "doViewChange":
        if (message.signer !== self) return;
        this.#assertEntered(node, message.view, "a departure");
        return this.#assertHeld(
          node,
          message.head.id,
          disk,
          `a departure with ${message.head.view}/${message.head.height}`,
        );
      case "commitNotice":
      case "recoveryResponse":
        if (message.signer === self) this.#assertEntered(node, message.view, `a ${message.kind}`);
        return;
      case "heartbeat":
        if (message.signer === self) this.#assertVoted(node, message.view, self, "a heartbeat");
        return;
      case "heartbeatReply":
        if (message.signer === self) this.#assertEntered(node, message.view, "a heartbeat reply");
        return;
      case "ack":
        if (message.signer !== self) return;
        this.#assertAcked(node, message, disk);
        this.#toldOf(node).add(`ack ${message.id}`);
        return;
      case "block":
        if (message.header.producer !== self || this.#toldOf(node).has(message.id)) return;
        if (this.#votes) this.#assertVoted(node, message.header.view, self, "a block");
        else this.#assertEntered(node, message.header.view, "a block");
        this.#toldOf(node).add(message.id);
        return;
      case "certificate":
        return this.#assertCounted(node, message, disk);
      default:
        return;
    }
  }

  /** One step may vote and go on to a higher view: then the disk has only that, and can vote for nobody else either. */
  #assertVotedOrPast(node: number, view: number, candidate: string, what: string): void {
    const durable = this.#durable[node];
    if (durable !== undefined && durable.record.view > view && !durable.votes.has(view)) return;
    this.#assertVoted(node, view, candidate, what);
  }

  #assertVoted(node: number, view: number, candidate: string, what: string): void {
    const voted = this.#durable[node]?.votes.get(view);
    if (voted === candidate) return;
    const detail = `${what} of view ${view} for ${candidate.slice(0, 8)}; on disk: ${voted?.slice(0, 8) ?? "no vote of that view"}`;
    throw new RuleBroken("promises", BEFORE_DURABLE, detail, [node]);
  }

  #assertEntered(node: number, view: number, what: string): void {
    const entered = this.#durable[node]?.record.view;
    if (entered !== undefined && entered >= view) return;
    throw new RuleBroken("promises", BEFORE_DURABLE, `${what} of view ${view}; on disk: ${entered ?? "no record"}`, [
      node,
    ]);
  }

  #assertAcked(node: number, ack: Extract<WireMessage, { kind: "ack" }>, disk: DurableBlocks): void {
    const { acked } = this.#durable[node]?.record ?? { acked: { view: -1, height: -1 } };
    const recorded = acked.view !== ack.view ? acked.view > ack.view : acked.height >= ack.height;
    if (!recorded) {
      const detail = `an ack of ${ack.view}/${ack.height}; on disk: ${acked.view}/${acked.height}`;
      throw new RuleBroken("promises", BEFORE_DURABLE, detail, [node]);
    }
    this.#assertHeld(node, ack.id, disk, `an ack of ${ack.view}/${ack.height}`);
  }

  #assertHeld(node: number, id: string, disk: DurableBlocks, what: string): void {
    for (let at: string | undefined = id; at === undefined || !disk.isIrreversible(at); at = disk.parentOf(at)) {
      if (at !== undefined && disk.isPruned(at)) return;
      if (at === undefined || !disk.has(at)) {
        throw new RuleBroken("promises", BEFORE_DURABLE, `${what}: block ${at ?? `below ${id}`} is not on disk`, [
          node,
        ]);
      }
    }
  }

  #toldOf(node: number): Set<string> {
    return this.#told[node] as Set<string>;
  }

  /** A leader's own ack, too, counts only when its block is on disk. */
  #assertCounted(
    node: number,
    { view, path, acks }: Extract<WireMessage, { kind: "certificate" }>,
    disk: DurableBlocks,
  ): void {
    const self = this.#keys[node] as string;
    for (const { signer, position } of acks) {
      if (signer !== self) continue;
      const id = sha256Hex(path[position] as Uint8Array);
      const told = this.#toldOf(node);
      if (told.has(`ack ${id}`)) continue;
      if (disk.everHeld(id)) {
        told.add(`ack ${id}`);
        continue;
      }
      const detail = `a certificate of view ${view} with an ack of its own: block ${id} was never on disk`;
      throw new RuleBroken("promises", BEFORE_DURABLE, detail, [node]);
    }
  }
}

/** Also where the record does not know any more for whom it was. */
function vote(node: number, votes: Map<number, string>, view: number, candidate: string): void {
  const before = votes.get(view);
  if (before !== undefined && before !== candidate) {
    const detail = `view ${view}: for ${candidate.slice(0, 8)} after ${before.slice(0, 8)}`;
    throw new RuleBroken("promises", "a producer votes once a view [R1]", detail, [node]);
  }
  votes.set(view, candidate);
}

function assertMonotone(node: number, before: WireRecord, after: WireRecord): void {
  const fail = (detail: string): never => {
    throw new RuleBroken("promises", MONOTONE, detail, [node]);
  };
  if (after.view < before.view) fail(`view ${after.view} after ${before.view}`);
  if (after.view === before.view && before.votedFor !== undefined && after.votedFor !== before.votedFor) {
    fail(`vote of view ${after.view} for ${after.votedFor?.slice(0, 8)} after ${before.votedFor.slice(0, 8)}`);
  }
  const [now, then] = [after.acked, before.acked];
  const below = now.view !== then.view ? now.view < then.view : now.height < then.height;
  if (below) fail(`acked head ${now.view}/${now.height} after ${then.view}/${then.height}`);
}
