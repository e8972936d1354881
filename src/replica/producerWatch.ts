/**
 * Which producers are faulty, by a stated rule (docs/protocol.md, section 1, "Failure detector"): a producer that is there
 * announces itself every three seconds, whatever the engine has to say; one of which no signed message came for ten is
 * faulty, until one comes. One that announced its departure is stopped, not faulty. While this node has no link it cannot
 * tell, and while it slept itself it does not count.
 */
import type { PeerKey } from "../base/key.ts";
import type { Notice, NoticeKind } from "../../consensus/notice.ts";
import {
  NOTICE_CLOCK_MS,
  PRESENCE_EVERY_MS,
  SILENT_AFTER_MS,
  STARTING_ANNOUNCED_MS,
  WATCH_EVERY_MS,
} from "./constants.ts";
import type { LogLevel, ProducerState } from "./types.ts";

export interface WatchHost {
  readonly self: PeerKey;
  /** Those of the set, and of the next while it is changed. */
  producers(): readonly PeerKey[];
  now(): number;
  /** Is there any link? */
  hasLinks(): boolean;
  /** Signs and broadcasts. */
  announce(kind: NoticeKind, at: number): void;
  /** The producer is there again: its addresses may be dialed at once. */
  redial(producer: PeerKey): void;
  log(level: LogLevel, message: string, fields: Record<string, unknown>): void;
}

interface Watched {
  /** When a signed message of it came last, ms. */
  heardAt: number;
  /** Of its newest notice; an older one is a replay. */
  announcedAt: number;
  state: ProducerState["state"];
  /** When the state began, ms. */
  since: number;
  /** What it did; evidence is never forgotten. */
  evidence: string | undefined;
}

export class ProducerWatch {
  readonly #host: WatchHost;
  readonly #watched = new Map<PeerKey, Watched>();
  readonly #startedAt: number;
  #announces = false;
  #lookedAt: number;
  #presenceAt: number;
  #startingAt = Number.NEGATIVE_INFINITY;
  #lastAt = 0;
  #hasLeft = false;

  constructor(host: WatchHost) {
    this.#host = host;
    const now = host.now();
    this.#startedAt = this.#lookedAt = now;
    this.#presenceAt = now + PRESENCE_EVERY_MS;
    this.producersChanged();
  }

  /** Another set, or the first: who joins has the time to be heard that a silent one has; who left is watched no more. */
  producersChanged(): void {
    const { self } = this.#host;
    const now = this.#host.now();
    const producers = new Set(this.#host.producers());
    // Who joins is there, and says so at once.
    if (producers.has(self) && !this.#announces && now > this.#startedAt) this.#presenceAt = now;
    this.#announces = producers.has(self);
    producers.delete(self);
    for (const key of this.#watched.keys()) if (!producers.has(key)) this.#watched.delete(key);
    for (const key of producers) {
      if (this.#watched.has(key)) continue;
      this.#watched.set(key, { heardAt: now, announcedAt: 0, state: "active", since: now, evidence: undefined });
    }
  }

  get deadline(): number {
    return this.#watched.size === 0 ? Number.POSITIVE_INFINITY : this.#lookedAt + WATCH_EVERY_MS;
  }

  /** Of all other producers. */
  states(): ProducerState[] {
    return [...this.#watched].map(([key, { state, since, heardAt, evidence }]) => ({
      key,
      state,
      since,
      heardAt,
      ...(state === "faulty" && { because: evidence ?? "silent" }),
    }));
  }

  /** A link came up: who has just started says so to everyone. */
  peerUp(): void {
    const now = this.#host.now();
    if (!this.#announces || this.#hasLeft || now > this.#startedAt + STARTING_ANNOUNCED_MS) return;
    if (now < this.#startingAt + WATCH_EVERY_MS) return;
    this.#startingAt = now;
    this.#announce("nodeStarting");
  }

  tick(): void {
    const now = this.#host.now();
    const sleptMs = now - this.#lookedAt;
    if (sleptMs < WATCH_EVERY_MS) return;
    this.#lookedAt = now;
    const isBlind = sleptMs > 2 * WATCH_EVERY_MS || !this.#host.hasLinks();
    for (const [key, watched] of this.#watched) {
      if (watched.state !== "active") continue;
      if (isBlind) watched.heardAt = now;
      else if (now >= watched.heardAt + SILENT_AFTER_MS) this.#faulty(key, watched, undefined);
    }
    if (!this.#announces || this.#hasLeft || now < this.#presenceAt) return;
    this.#presenceAt = now + PRESENCE_EVERY_MS;
    this.#announce("nodePresence");
  }

  /** A signed message came over its signer's own link. */
  heard(signer: PeerKey): void {
    const watched = this.#watched.get(signer);
    // Who has said that it stops may have messages under way.
    if (watched === undefined || watched.state === "stopped") return;
    watched.heardAt = this.#host.now();
    this.#active(signer, watched);
  }

  /** Is it newer than what is known, and of about now? What is not may be a replay. */
  isNews({ signer, at }: Notice): boolean {
    const watched = this.#watched.get(signer);
    if (watched === undefined || Math.abs(at - this.#host.now()) > NOTICE_CLOCK_MS) return false;
    return at > watched.announcedAt;
  }

  /** Its signature was checked. @returns whether it was news */
  receive(notice: Notice): boolean {
    if (!this.isNews(notice)) return false;
    const { kind, signer, at } = notice;
    const watched = this.#watched.get(signer) as Watched;
    watched.announcedAt = at;
    watched.heardAt = this.#host.now();
    if (kind !== "nodeStopping") {
      this.#active(signer, watched);
      if (kind === "nodeStarting") this.#host.redial(signer);
    } else if (watched.state !== "stopped" && watched.evidence === undefined) {
      this.#enter(watched, "stopped");
      this.#host.log("info", "a producer stops", { producer: signer });
    }
    return true;
  }

  /** Evidence names it: faulty for as long as this process lives. */
  accuse(producer: PeerKey, what: string): void {
    const watched = this.#watched.get(producer);
    if (watched === undefined || watched.evidence !== undefined) return;
    this.#faulty(producer, watched, what);
  }

  /** This node is about to stop. */
  leave(): void {
    if (!this.#announces || this.#hasLeft) return;
    this.#announce("nodeStopping");
    this.#hasLeft = true;
  }

  #announce(kind: NoticeKind): void {
    this.#lastAt = Math.max(this.#lastAt + 1, Math.floor(this.#host.now()));
    this.#host.announce(kind, this.#lastAt);
  }

  #faulty(producer: PeerKey, watched: Watched, evidence: string | undefined): void {
    watched.evidence = evidence;
    this.#enter(watched, "faulty");
    const silentMs = Math.round(this.#host.now() - watched.heardAt);
    this.#host.log("warn", "a producer is faulty", { producer, because: evidence ?? "silent", silentMs });
  }

  #active(producer: PeerKey, watched: Watched): void {
    if (watched.state === "active" || watched.evidence !== undefined) return;
    const { state, since } = watched;
    this.#enter(watched, "active");
    this.#host.log("info", "a producer is back", { producer, was: state, forMs: Math.round(this.#host.now() - since) });
  }

  #enter(watched: Watched, state: Watched["state"]): void {
    watched.state = state;
    watched.since = this.#host.now();
  }
}
