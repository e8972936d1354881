/** Nodes that do nothing but route, over links with delay, loss and disorder, in virtual time; every step is looked at. */
import { decodeRouting, encodeSeqno } from "../../net/transport/routeMessages.ts";
import { Routing } from "../../net/transport/routing.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256, sha256Hex } from "../../src/base/hash.ts";
import type { Random } from "../../src/base/random.ts";

export interface LinkFaults {
  readonly delayMs: readonly [number, number];
  readonly loss: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const name = (index: number): string => sha256Hex(utf8(`router ${index}`));
/** As good as a signature here: nobody forges in these tests but where a test says so. */
const signatureOf = (producer: string, seqno: Uint8Array): Uint8Array =>
  concatBytes(sha256(concatBytes(utf8(producer), seqno)), new Uint8Array(32));

export class RoutingNetwork {
  now = 1_000_000;
  readonly keys: readonly string[];
  #producers: ReadonlySet<string>;
  readonly #routers = new Map<string, Routing>();
  /** Link to its life; a change of life voids what is in flight. */
  readonly #links = new Map<string, number>();
  readonly #random: Random;
  readonly #faults: LinkFaults;
  #events: Event[] = [];
  #order = 0;
  #life = 0;
  /** Bytes sent, and messages. */
  messages = 0;
  readonly lost: string[] = [];
  /** A node's clock as it starts, ms off. */
  clockOffset = (_index: number): number => 0;

  constructor(nodes: number, producers: number, faults: LinkFaults, random: Random) {
    this.keys = Array.from({ length: nodes }, (_, index) => name(index));
    this.#producers = new Set(this.keys.slice(0, producers));
    this.#faults = faults;
    this.#random = random;
    for (let index = 0; index < nodes; index++) this.start(index);
  }

  router(index: number): Routing {
    const router = this.#routers.get(this.keys[index] as string);
    if (router === undefined) throw new Error(`no router ${index}`);
    return router;
  }

  /** A process starts, with nothing but its key and its clock. */
  start(index: number): void {
    const self = this.keys[index] as string;
    const offset = this.clockOffset(index);
    this.#routers.set(
      self,
      new Routing({
        self,
        now: () => this.now + offset,
        isDestination: (key) => this.#producers.has(key),
        signSeqno: (seqno) => signatureOf(self, seqno),
        send: (to, payload) => this.#send(self, to, payload),
        lost: (producer) => void this.lost.push(producer),
      }),
    );
  }

  /** Other nodes are the destinations from now on; each learns of it by itself. */
  changeProducers(indexes: readonly number[], isTold = true): void {
    this.#producers = new Set(indexes.map((index) => this.keys[index] as string));
    for (let index = 0; index < this.keys.length; index++) {
      if (isTold) this.router(index).producersChanged();
      this.#settle(index);
    }
  }

  /** Its links break first, as they do. */
  restart(index: number): void {
    for (let other = 0; other < this.keys.length; other++) if (this.isLinked(index, other)) this.unlink(index, other);
    this.start(index);
  }

  link(a: number, b: number): void {
    this.#links.set(linkName(a, b), ++this.#life);
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      this.router(x).peerUp(this.keys[y] as string);
      this.#settle(x);
    }
  }

  unlink(a: number, b: number): void {
    if (!this.#links.delete(linkName(a, b))) return;
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      this.router(x).peerDown(this.keys[y] as string);
      this.#settle(x);
    }
  }

  isLinked(a: number, b: number): boolean {
    return this.#links.has(linkName(a, b));
  }

  measured(a: number, b: number, ms: number): void {
    this.router(a).measured(this.keys[b] as string, ms);
    this.#settle(a);
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.#next();
      const ticking = this.#nextTick();
      const at = Math.min(next?.at ?? Number.POSITIVE_INFINITY, ticking.at);
      if (at > until) break;
      this.now = Math.max(this.now, at);
      if (next !== undefined && next.at <= ticking.at) {
        this.#events = this.#events.filter((event) => event !== next);
        next.run();
      } else {
        this.router(ticking.index).tick();
        this.#settle(ticking.index);
      }
    }
    this.now = until;
  }

  /** Hops that a message from one node to a producer makes; undefined: it does not arrive. Throws for a loop. */
  hops(from: number, to: number): number | undefined {
    const destination = this.keys[to] as string;
    const seen = new Set<number>();
    for (let at = from; at !== to;) {
      if (seen.has(at)) throw new Error(`a loop to ${to}: ${[...seen, at].join(" ")}`);
      seen.add(at);
      const via = this.router(at).nextHop(destination);
      const next = via === undefined ? -1 : this.keys.indexOf(via);
      if (!this.isLinked(at, next)) return undefined;
      at = next;
    }
    return seen.size;
  }

  /** Every node's way to every producer, looked at. */
  assertNoLoop(): void {
    for (let to = 0; to < this.#producers.size; to++)
      for (let from = 0; from < this.keys.length; from++) this.hops(from, to);
  }

  /** Shortest ways over the links as they are. */
  distance(from: number, to: number): number | undefined {
    let front = new Set([from]);
    const seen = new Set(front);
    for (let hops = 0; front.size > 0; hops++) {
      if (front.has(to)) return hops;
      const next = new Set<number>();
      for (const at of front)
        for (let other = 0; other < this.keys.length; other++)
          if (this.isLinked(at, other) && !seen.has(other)) next.add(other);
      for (const at of next) seen.add(at);
      front = next;
    }
    return undefined;
  }

  /** Who can reach a producer by links, and has no way to it by routes. */
  get unreached(): [number, number][] {
    const pairs: [number, number][] = [];
    for (let to = 0; to < this.#producers.size; to++)
      for (let from = 0; from < this.keys.length; from++)
        if (from !== to && this.distance(from, to) !== undefined && this.hops(from, to) === undefined)
          pairs.push([from, to]);
    return pairs;
  }

  #send(from: string, to: string, payload: Uint8Array): void {
    this.messages++;
    const [a, b] = [this.keys.indexOf(from), this.keys.indexOf(to)];
    const life = this.#links.get(linkName(a, b));
    if (life === undefined || this.#random.next() < this.#faults.loss) return;
    const [low, high] = this.#faults.delayMs;
    const at = this.now + low + (high - low) * this.#random.next();
    this.#events.push({ at, order: this.#order++, run: () => this.#deliver(a, b, life, payload) });
  }

  #deliver(a: number, b: number, life: number, payload: Uint8Array): void {
    if (this.#links.get(linkName(a, b)) !== life) return;
    const message = decodeRouting(payload);
    if (message === undefined) throw new Error("undecodable");
    const router = this.router(b);
    for (const { producer, seqno, signature } of router.unproven(message)) {
      const right = signatureOf(producer, encodeSeqno(seqno));
      if (Buffer.compare(right, signature) !== 0) return;
    }
    router.receive(this.keys[a] as string, message);
    this.#settle(b);
  }

  #settle(index: number): void {
    this.router(index).finish();
    this.assertNoLoop();
  }

  #next(): Event | undefined {
    let first: Event | undefined;
    for (const event of this.#events)
      if (first === undefined || event.at < first.at || (event.at === first.at && event.order < first.order))
        first = event;
    return first;
  }

  #nextTick(): { readonly at: number; readonly index: number } {
    let first = { at: Number.POSITIVE_INFINITY, index: 0 };
    for (let index = 0; index < this.keys.length; index++) {
      const at = this.router(index).deadline - this.clockOffset(index);
      if (at < first.at) first = { at, index };
    }
    return first;
  }
}

function linkName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}
