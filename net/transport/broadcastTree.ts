/**
 * Broadcasts over the tree of `linkStates.ts`: whole over active links, announced over backup links. An announced one
 * that does not come in time is asked of who announced it, one announcer after the other, by a graft.
 *
 * What is broadcast supersedes what was before (certificates, presence): so each bound drops the oldest.
 */
import { sha256Hex } from "../../src/base/hash.ts";
import type { Lane, PeerKey } from "../link/types.ts";
import type { LinkStates } from "./linkStates.ts";
import { ANNOUNCED_MAX, type TreeMessage } from "./treeMessages.ts";

export interface BroadcastTreeHost {
  readonly links: LinkStates;
  /** Milliseconds, constant within a step. */
  now(): number;
  /** Does it come from where blocks come from? Copies of anything else say nothing of the links that blocks should take. */
  shapes(payload: Uint8Array): boolean;
  /** A whole broadcast, to a neighbour. */
  send(to: PeerKey, lane: Lane, payload: Uint8Array): void;
  sendAnnouncement(to: PeerKey, ids: readonly string[]): void;
  /** A request that costs this node more than its sender: is it looked at now? */
  admits(from: PeerKey): boolean;
}

/** Announcements wait so long for company, ms: what they announce is under way on active links. */
const ANNOUNCE_AFTER_MS = 20;
/** What was announced is asked for after this, ms: it has a longer way over the tree than its announcement had. */
const GRAFT_AFTER_MS = 250;
/** The next who announced it is asked after this, ms: a round trip over a slow link. */
const GRAFT_AGAIN_MS = 250;
/** Each announcer is asked so often: a graft may be lost, and nobody has to send what it announces. */
const GRAFTS_MAX = 2;
/** Broadcasts kept for those who graft, and their bytes. */
export const KEPT_MAX = 256;
export const KEPT_BYTES_MAX = 2 * 1024 * 1024;
/** Announced broadcasts that are waited for. */
export const AWAITED_MAX = 1_024;
/** Announcers remembered of one broadcast. */
const ANNOUNCERS_MAX = 8;

interface Awaited {
  /** Those to ask, in order. */
  readonly announcers: PeerKey[];
  asked: number;
  at: number;
}

export class BroadcastTree {
  readonly #host: BroadcastTreeHost;
  /** What was passed on, oldest first. */
  readonly #kept = new Map<string, { readonly lane: Lane; readonly payload: Uint8Array }>();
  #keptBytes = 0;
  readonly #awaited = new Map<string, Awaited>();
  /** By backup link, ids that are to be announced. */
  readonly #toAnnounce = new Map<PeerKey, string[]>();
  #announceAt = Number.POSITIVE_INFINITY;

  constructor(host: BroadcastTreeHost) {
    this.#host = host;
  }

  /** Announced broadcasts that are waited for. */
  get awaited(): number {
    return this.#awaited.size;
  }
  get kept(): number {
    return this.#kept.size;
  }
  get keptBytes(): number {
    return this.#keptBytes;
  }

  get deadline(): number {
    let earliest = this.#announceAt;
    for (const { at } of this.#awaited.values()) earliest = Math.min(earliest, at);
    return earliest;
  }

  /** Passes it on, or sends one of this node's own, to every neighbour but `except`. */
  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void {
    const { links } = this.#host;
    const id = sha256Hex(payload);
    links.own(id);
    this.#keep(id, lane, payload);
    for (const [peer, { state }] of links.links()) {
      if (peer === except) continue;
      if (state === "active") this.#host.send(peer, lane, payload);
      else this.#announceLater(peer, id);
    }
  }

  /** A whole broadcast came. @returns whether for the first time */
  received(from: PeerKey, payload: Uint8Array): boolean {
    const id = sha256Hex(payload);
    this.#awaited.delete(id);
    return this.#host.links.arrived(id, from, this.#host.shapes(payload));
  }

  receive(from: PeerKey, message: TreeMessage): void {
    const { links } = this.#host;
    if (message.kind === "prune") links.pruned(from);
    else if (message.kind === "announcement") for (const id of message.ids) this.#announced(from, id);
    else {
      links.grafted(from);
      if (message.id !== undefined && this.#host.admits(from)) this.#sendKept(from, message.id);
      // What was about to be announced goes whole.
      for (const id of this.#toAnnounce.get(from) ?? []) if (id !== message.id) this.#sendKept(from, id);
      this.#toAnnounce.delete(from);
    }
  }

  peerDown(peer: PeerKey): void {
    this.#toAnnounce.delete(peer);
    for (const [id, { announcers }] of this.#awaited) {
      const index = announcers.indexOf(peer);
      if (index !== -1) announcers.splice(index, 1);
      if (announcers.length === 0) this.#awaited.delete(id);
    }
  }

  tick(): void {
    const now = this.#host.now();
    if (now >= this.#announceAt) {
      this.#announceAt = Number.POSITIVE_INFINITY;
      for (const [peer, ids] of this.#toAnnounce) this.#host.sendAnnouncement(peer, ids);
      this.#toAnnounce.clear();
    }
    for (const [id, awaited] of this.#awaited) if (now >= awaited.at) this.#ask(id, awaited, now);
  }

  #announced(from: PeerKey, id: string): void {
    if (this.#host.links.firstFrom(id) !== undefined) return;
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) {
      if (this.#awaited.size >= AWAITED_MAX) this.#awaited.delete(this.#awaited.keys().next().value as string);
      this.#awaited.set(id, { announcers: [from], asked: 0, at: this.#host.now() + GRAFT_AFTER_MS });
    } else if (!awaited.announcers.includes(from) && awaited.announcers.length < ANNOUNCERS_MAX)
      awaited.announcers.push(from);
  }

  #ask(id: string, awaited: Awaited, now: number): void {
    const { announcers, asked } = awaited;
    if (asked >= GRAFTS_MAX * announcers.length) {
      this.#awaited.delete(id);
      return;
    }
    awaited.at = now + GRAFT_AGAIN_MS;
    awaited.asked++;
    this.#host.links.graft(announcers[asked % announcers.length] as PeerKey, id);
  }

  #announceLater(peer: PeerKey, id: string): void {
    // Who announced it has it.
    if (this.#awaited.get(id)?.announcers.includes(peer) === true) return;
    const ids = this.#toAnnounce.get(peer);
    if (ids === undefined) this.#toAnnounce.set(peer, [id]);
    else if (ids.push(id) > ANNOUNCED_MAX) ids.shift();
    this.#announceAt = Math.min(this.#announceAt, this.#host.now() + ANNOUNCE_AFTER_MS);
  }

  #sendKept(to: PeerKey, id: string): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined) this.#host.send(to, kept.lane, kept.payload);
  }

  #keep(id: string, lane: Lane, payload: Uint8Array): void {
    if (this.#kept.has(id)) return;
    this.#kept.set(id, { lane, payload });
    this.#keptBytes += payload.length;
    for (const [oldest, { payload: bytes }] of this.#kept) {
      if (this.#kept.size <= KEPT_MAX && this.#keptBytes <= KEPT_BYTES_MAX) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }
}
