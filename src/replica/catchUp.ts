/**
 * Ranges in the replica: who is far behind pulls and hands over to its ledger as fast as that executes; who is asked
 * serves. The seam: a pull ends within the window in which peers stream, and says so by a hello.
 */
import type { PeerKey } from "../base/key.ts";
import type { Block } from "../../chain/block.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { encodeRangeRequestPayload, encodeRangeResponsePayload } from "../../consensus/messages.ts";
import type { BestChain } from "../../consensus/sync/bestChain.ts";
import type { SyncLimits } from "../../consensus/sync/constants.ts";
import type { Anchor, RangeRequest, RangeResponse } from "../../consensus/sync/range.ts";
import { RangePull } from "../../consensus/sync/rangePull.ts";
import { type RangeLog, RangeServer } from "../../consensus/sync/rangeServer.ts";
import type { Sync } from "../../consensus/sync/sync.ts";
import type { Transport } from "../../net/transport/types.ts";
import { PULL_PERSISTS_MAX } from "./constants.ts";

export interface CatchUpHost {
  readonly limits: SyncLimits;
  readonly ledger: Ledger;
  readonly chain: BestChain;
  readonly log: RangeLog;
  readonly sync: Sync;
  readonly transport: Transport;
  now(): number;
  /** The newest certified block known. */
  anchor(): Anchor | undefined;
  /** Persists that are not on disk yet. */
  outstanding(): number;
  /** Takes blocks that are proven irreversible, in order. */
  acceptProven(blocks: readonly Block[]): void;
  fault(peer: PeerKey, what: "invalidRange" | "unrequested", detail: string): void;
  tell(message: string, fields: Record<string, unknown>): void;
}

export class CatchUp {
  readonly #host: CatchUpHost;
  readonly #pull: RangePull;
  readonly #server: RangeServer;

  constructor(host: CatchUpHost) {
    this.#host = host;
    const { limits, chain, log, transport } = host;
    this.#pull = new RangePull({
      limits,
      now: () => host.now(),
      anchor: () => host.anchor(),
      sources: () => this.#sources(),
      request: (peer, request) => transport.toNeighbour(peer, "bulk", encodeRangeRequestPayload(request)),
      fault: (peer, what, detail) => host.fault(peer, what, detail),
    });
    this.#server = new RangeServer({
      limits,
      chain,
      log,
      send: (peer, blocks, proof) => {
        const payload = encodeRangeResponsePayload(blocks, proof);
        transport.toNeighbour(peer, "bulk", payload);
        return payload.length;
      },
    });
  }

  get isPulling(): boolean {
    return this.#pull.isPulling;
  }
  get deadline(): number {
    return this.#pull.deadline;
  }
  get sizes(): { readonly pullRanges: number; readonly rangeRequests: number } {
    return { pullRanges: this.#pull.ranges, rangeRequests: this.#server.waiting };
  }

  tick(): void {
    this.#pull.tick();
  }

  peerDown(peer: PeerKey): void {
    this.#pull.peerDown(peer);
    this.#server.peerDown(peer);
  }

  drained(peer: PeerKey, bytes: number): void {
    this.#server.drained(peer, bytes);
  }

  requested(from: PeerKey, request: RangeRequest): void {
    this.#server.receive(from, request);
  }

  /** Is this range due from this peer? */
  owes(peer: PeerKey, from: number, anchorHeight: number): boolean {
    return this.#pull.owes(peer, from, anchorHeight);
  }

  arrived(from: PeerKey, response: RangeResponse): void {
    this.#pull.receive(from, response);
  }

  /** Begins, goes on, ends, serves. @returns whether there is more to do at once */
  work(): boolean {
    this.#pull.passed(this.#host.ledger.root.height);
    if (!this.#pull.isPulling && this.#isFarBehind()) this.#begin();
    else this.#pull.proceed();
    const delivered = this.#deliver();
    if (this.#pull.isDone && this.#host.ledger.isRootExecuted) this.#end();
    return this.#server.work() || delivered;
  }

  /** Why a pull does not go on; undefined: it does, or there is none. */
  stalledBecause(): string | undefined {
    if (!this.#pull.isPulling) return undefined;
    const { ledger } = this.#host;
    if (ledger.isPaused) return "execution waits for the state database to take what was executed";
    if (this.#host.outstanding() > PULL_PERSISTS_MAX) return "the disk does not keep up";
    if (!ledger.isRootExecuted) return undefined;
    if (this.#pull.isStarved) return "no connected peer serves the blocks that come next";
    return this.#pull.isWaiting ? "peers were asked for the blocks that come next and have not answered" : undefined;
  }

  /**
   * A certificate proves that there is more, and a peer that has much more does not stream. The certificate may be of a
   * block near by: where the producer set was changed above it, it is all that can be judged here yet.
   */
  #isFarBehind(): boolean {
    const { ledger, sync } = this.#host;
    const height = this.#host.anchor()?.height ?? 0;
    if (height <= ledger.root.height) return false;
    for (const connection of sync.connections().values()) if (connection.isFarAhead) return true;
    return false;
  }

  #begin(): void {
    const { ledger } = this.#host;
    this.#host.tell("is far behind: pulls ranges", {
      height: ledger.root.height,
      anchor: this.#host.anchor()?.height,
      peers: this.#host.sync.connections().size,
    });
    this.#pull.begin(ledger.root.height);
  }

  #end(): void {
    this.#pull.end();
    this.#host.tell("has pulled what was far: goes on by the stream", { height: this.#host.ledger.root.height });
    this.#host.sync.pulled();
  }

  /** One range at a time: the next comes when this one is executed, and the disk has taken those before. */
  #deliver(): boolean {
    const { ledger } = this.#host;
    if (!ledger.isRootExecuted || ledger.isPaused || this.#host.outstanding() > PULL_PERSISTS_MAX) return false;
    const blocks = this.#pull.take();
    if (blocks === undefined) return false;
    const news = blocks.filter((block) => block.header.height > ledger.root.height);
    if (news.length > 0) this.#host.acceptProven(news);
    return true;
  }

  /** What a peer has beyond its irreversible block is so, too, when its turn comes, or is refused. */
  *#sources(): Generator<readonly [PeerKey, number]> {
    for (const [peer, { peerHeight }] of this.#host.sync.connections()) {
      if (peerHeight !== undefined) yield [peer, peerHeight];
    }
  }
}
