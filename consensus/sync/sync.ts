/** All connections' hello/block machines, and requests for single blocks whose child came first. */
import type { Block } from "../../chain/block.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { AddOutcome } from "../../chain/ledger.ts";
import type { PeerKey } from "../../src/base/key.ts";
import { unreachable } from "../../src/base/result.ts";
import type { Certificate } from "../certificate.ts";
import type { Hello, SyncMessage } from "../messages.ts";
import type { BestChain, RawBlock } from "./bestChain.ts";
import { Connection } from "./connection.ts";
import { REQUEST_AGAIN_MS, REQUESTS_PER_PEER, WANTED_MAX } from "./constants.ts";
import { HelloAllowance } from "./helloAllowance.ts";

/** Which links blocks are streamed over, as far as the sync machine sees it. */
export interface BlockLinks {
  isActive(peer: PeerKey): boolean;
  /** A whole block came on its stream: when it came by another link first, this one is pruned. */
  arrived(id: string, from: PeerKey): unknown;
  /** The peer is asked to stream. */
  graft(peer: PeerKey): void;
}

/** What the replica does for its sync machine. */
export interface SyncHost {
  readonly chain: BestChain;
  readonly links: BlockLinks;
  now(): number;
  sendHello(to: PeerKey, hello: Hello): void;
  /** @returns bytes sent; undefined: its signature is false here */
  sendBlock(to: PeerKey, block: RawBlock, requested: boolean): number | undefined;
  sendBlockRequest(to: PeerKey, id: string): void;
  sendBlockAnnouncement(to: PeerKey, block: BlockRef): void;
  /** Takes a certificate in; it was checked, and proves something new. */
  adopt(certificate: Certificate, from: PeerKey): void;
  /** Takes in a block whose signature was checked; "held" when its time has not come, "surplus" when it is one too many. */
  acceptBlock(from: PeerKey, block: Block, requested: boolean): AddOutcome | { readonly kind: "held" | "surplus" };
  isKnown(id: string): boolean;
  /** The first ancestor of an orphan that is not here, not even as an orphan. */
  lowestMissing(orphan: Block): string;
  /** Certificate of exactly the root, if there is one. */
  /** @param isFinal only one of an irreversible block */
  rootCertificate(isFinal: boolean): Uint8Array | undefined;
  fault(peer: PeerKey, what: "invalidBlock" | "hellos", detail: string): void;
  finalityConflict(peer: PeerKey, detail: string): void;
}

/** Who caused a request: a peer by its key, the engine, or any of the peers that are gone. */
type Cause = string;
const ENGINE: Cause = "engine";
const GONE: Cause = "gone";

interface Request {
  askedAt: number;
  readonly tried: Set<PeerKey>;
  /** In whose shares it is. */
  readonly causes: Set<Cause>;
}

/** When a peer's hellos are looked at. */
export type HelloGate = Pick<HelloAllowance, "admits" | "takeDue" | "deadline">;

export class Sync {
  readonly #host: SyncHost;
  readonly #makeGate: (now: number) => HelloGate;
  readonly #connections = new Map<PeerKey, Connection>();
  readonly #gates = new Map<PeerKey, HelloGate>();
  readonly #requests = new Map<string, Request>();

  /** @param makeGate another one only where all that a gate may do is searched */
  constructor(host: SyncHost, makeGate: (now: number) => HelloGate = (now) => new HelloAllowance(now)) {
    this.#host = host;
    this.#makeGate = makeGate;
  }

  get deadline(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections.values()) earliest = Math.min(earliest, connection.deadline);
    for (const gate of this.#gates.values()) earliest = Math.min(earliest, gate.deadline);
    for (const request of this.#requests.values()) earliest = Math.min(earliest, request.askedAt + REQUEST_AGAIN_MS);
    return earliest;
  }

  get requests(): number {
    return this.#requests.size;
  }

  /** Blocks asked for: by id, when, and of whom. */
  pending(): ReadonlyMap<string, Readonly<Request>> {
    return this.#requests;
  }

  connections(): ReadonlyMap<PeerKey, Connection> {
    return this.#connections;
  }

  peerUp(peer: PeerKey): void {
    const { chain } = this.#host;
    const connection = new Connection(
      chain,
      {
        hello: (hello) => this.#host.sendHello(peer, hello),
        block: (block) => this.#host.sendBlock(peer, block, false),
        announce: (block) => this.#host.sendBlockAnnouncement(peer, block),
        isActive: () => this.#host.links.isActive(peer),
        isKnown: (id) => this.#host.isKnown(id),
        finalityConflict: (height, theirs, mine) =>
          this.#host.finalityConflict(peer, `block ${height} is ${mine} here and ${theirs} there, both irreversible`),
      },
      (isFinal) => this.#host.rootCertificate(isFinal),
      this.#host.now(),
    );
    this.#connections.set(peer, connection);
    this.#gates.set(peer, this.#makeGate(this.#host.now()));
    connection.open();
  }

  peerDown(peer: PeerKey): void {
    this.#connections.delete(peer);
    this.#gates.delete(peer);
    // Others may have what it was asked for, and its link takes up a share of its own when it is back.
    for (const { causes } of this.#requests.values()) if (causes.delete(peer)) causes.add(GONE);
    this.#holdToShare(GONE);
  }

  /** @param certificate of a hello, when it proves something new */
  receive(from: PeerKey, message: SyncMessage, certificate?: Certificate): void {
    // A hello's certificate is adopted before anything is compared [H2].
    if (certificate !== undefined) this.#host.adopt(certificate, from);
    const connection = this.#connections.get(from);
    if (connection === undefined) return;
    switch (message.kind) {
      case "hello":
        return this.#receiveHello(from, connection, message.hello);
      case "block":
        return this.#receiveBlock(from, connection, message.block);
      case "blockResponse":
        if (this.#requests.delete(message.block.id)) this.#accept(from, message.block);
        return;
      case "blockAnnouncement":
        return connection.announcementReceived(message.announced, this.#host.now());
      case "blockRequest": {
        // The budget first: a peer that does not read must not make this node read its disk.
        const block = connection.hasBudget ? this.#host.chain.byId(message.id) : undefined;
        if (block !== undefined) connection.spend(this.#host.sendBlock(from, block, true) ?? 0);
        return;
      }
      default:
        return unreachable(message);
    }
  }

  #receiveHello(from: PeerKey, connection: Connection, hello: Hello): void {
    const verdict = this.#gates.get(from)?.admits(hello, this.#host.now());
    if (verdict === "now") connection.receiveHello(hello, this.#host.now());
    else if (verdict === "tooMany") this.#host.fault(from, "hellos", "faster than they are looked at");
  }

  /** Its link is another now: what is to be streamed is, or is announced. */
  linkChanged(peer: PeerKey): void {
    this.#connections.get(peer)?.push();
  }

  headMoved(): void {
    for (const connection of this.#connections.values()) connection.headMoved(this.#host.now());
  }

  /** `node` is about to become the bottom of the fork database. */
  beforeRelease(node: BlockRef): void {
    for (const connection of this.#connections.values()) connection.beforeRelease(node);
  }

  drained(peer: PeerKey, bytes: number): void {
    this.#connections.get(peer)?.drained(bytes);
  }

  tick(): void {
    const now = this.#host.now();
    for (const [peer, connection] of this.#connections) {
      const waited = this.#gates.get(peer)?.takeDue(now);
      if (waited !== undefined) connection.receiveHello(waited, now);
      const missing = connection.tick(now);
      if (missing !== undefined && !this.#host.isKnown(missing.id)) this.#request(missing.id, peer);
    }
    this.#graft(now);
    for (const [id, request] of this.#requests) {
      if (now >= request.askedAt + REQUEST_AGAIN_MS) this.#ask(id, request);
    }
  }

  /** Of those who announced what has not come, one streams it: whoever was asked least. */
  #graft(now: number): void {
    const overdue = [...this.#connections]
      .filter(([, connection]) => connection.overdue(now) !== undefined)
      .sort(([, a], [, b]) => a.asks - b.asks);
    const [first] = overdue;
    for (const [, connection] of overdue) connection.asked(now, connection === first?.[1]);
    if (first !== undefined) this.#host.links.graft(first[0]);
  }

  #receiveBlock(from: PeerKey, connection: Connection, block: Block): void {
    this.#host.links.arrived(block.id, from);
    const outcome = this.#host.acceptBlock(from, block, false);
    // What is held back tells nothing of the peer's chain until it is taken in: its ancestors may be held, too.
    if (outcome.kind !== "held") connection.blockReceived(refOf(block), this.#host.now());
    this.#settle(from, block, outcome);
  }

  /** A block was held back, and its time has come. `from`: who sent it first. */
  released(from: PeerKey, block: Block, outcome: ReturnType<SyncHost["acceptBlock"]>): void {
    this.#settle(from, block, outcome);
  }

  /** These peers have sent this block, and it is here only now. */
  sentBefore(peers: readonly PeerKey[], block: Block): void {
    for (const peer of peers) this.#connections.get(peer)?.sentBefore(refOf(block), this.#host.now());
  }

  #accept(from: PeerKey, block: Block): void {
    this.#settle(from, block, this.#host.acceptBlock(from, block, true));
  }

  /** Pushes that were cut short go on. @returns whether there is still more */
  pushOn(): boolean {
    let more = false;
    for (const connection of this.#connections.values()) {
      if (connection.hasMore) connection.push();
      more ||= connection.hasMore;
    }
    return more;
  }

  /** A pull has brought me near enough to be streamed to. */
  pulled(): void {
    for (const connection of this.#connections.values()) connection.pulled(this.#host.now());
  }

  /** A block that is needed and was not sent: somebody is asked for it, and then another. */
  want(id: string): void {
    const [peer] = this.#connections.keys();
    if (peer !== undefined && !this.#host.isKnown(id)) this.#request(id, peer, ENGINE);
  }

  /** Was this block asked for, and has not come? */
  asked(id: string): boolean {
    return this.#requests.has(id);
  }

  /** What follows from taking in a block of theirs. */
  #settle(from: PeerKey, block: Block, outcome: ReturnType<SyncHost["acceptBlock"]>): void {
    if (outcome.kind === "orphan") this.#request(this.#host.lowestMissing(block), from);
    else if (outcome.kind === "rejected")
      this.#host.fault(from, "invalidBlock", `${outcome.reason.code}: ${outcome.reason.detail}`);
  }

  /** @param cause whose share it counts in: the peer's, unless it is gone */
  #request(id: string, from: PeerKey, cause: Cause = this.#connections.has(from) ? from : GONE): void {
    const known = this.#requests.get(id);
    if (known === undefined) {
      this.#requests.set(id, { askedAt: this.#host.now(), tried: new Set([from]), causes: new Set([cause]) });
      this.#host.sendBlockRequest(from, id);
    } else known.causes.add(cause);
    this.#holdToShare(cause);
  }

  /** Whoever names more than its share loses its own oldest, so that it takes nobody's place. */
  #holdToShare(cause: Cause): void {
    const own = [...this.#requests].filter(([, { causes }]) => causes.has(cause));
    const surplus = own.length - (cause === ENGINE ? WANTED_MAX : REQUESTS_PER_PEER);
    for (const [id, { causes }] of own.slice(0, Math.max(0, surplus))) {
      causes.delete(cause);
      if (causes.size === 0) this.#requests.delete(id);
    }
  }

  /** Asks a peer that was not asked yet; when all were, or it has come by other ways, the request is dropped. */
  #ask(id: string, request: Request): void {
    const next = [...this.#connections.keys()].find((peer) => !request.tried.has(peer));
    if (next === undefined || this.#host.isKnown(id)) {
      this.#requests.delete(id);
      return;
    }
    request.askedAt = this.#host.now();
    request.tried.add(next);
    this.#host.sendBlockRequest(next, id);
  }
}

function refOf({ id, header }: Block): BlockRef {
  return { view: header.view, height: header.height, id };
}
