/** Transports of a small network in virtual time: links with a latency, in order, and what the test loses of them. */
import { RoutedTransport } from "../../net/transport/routedTransport.ts";
import { decodeEnvelope } from "../../net/transport/envelope.ts";
import type { LinkState } from "../../net/transport/linkStates.ts";
import { decodeTreeMessage, type TreeMessage } from "../../net/transport/treeMessages.ts";
import { concatBytes, toHex } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";

export interface Frame {
  readonly from: number;
  readonly to: number;
  /** What it says of the tree; undefined: it carries a broadcast. */
  readonly tree: TreeMessage | undefined;
}

interface InFlight extends Frame {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly life: number;
}

/** Broadcasts whose text begins so say nothing of the way of blocks. */
export const PRESENCE = "presence";

export function keyOf(index: number): string {
  return toHex(sha256(utf8(`node ${index}`)));
}

export class TreeNetwork {
  readonly #transports: RoutedTransport[];
  readonly #latencies = new Map<string, number>();
  readonly #lives = new Map<string, number>();
  readonly #got: Set<string>[];
  #inFlight: InFlight[] = [];
  #now = 0;
  /** Whole copies that crossed a link, since it was set to 0. */
  copies = 0;
  /** Frames of which it says true are lost. */
  lost: (frame: Frame) => boolean = () => false;

  constructor(count: number, links: readonly (readonly [number, number, number?])[]) {
    this.#got = Array.from({ length: count }, () => new Set());
    this.#transports = Array.from({ length: count }, (_, index) => this.#made(index));
    for (const [a, b, latency = 1] of links) this.connect(a, b, latency);
  }

  connect(a: number, b: number, latency = 1): void {
    const name = linkName(a, b);
    this.#latencies.set(name, latency);
    this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1);
    this.#transport(a).peerUp(keyOf(b));
    this.#transport(b).peerUp(keyOf(a));
  }

  disconnect(a: number, b: number): void {
    const name = linkName(a, b);
    this.#latencies.delete(name);
    this.#inFlight = this.#inFlight.filter(({ from, to }) => linkName(from, to) !== name);
    this.#transport(a).peerDown(keyOf(b));
    this.#transport(b).peerDown(keyOf(a));
  }

  isLinked(a: number, b: number): boolean {
    return this.#latencies.has(linkName(a, b));
  }

  /** It loses all that it knew, and has its links again. */
  restart(node: number): void {
    const links = this.#transports
      .map((_, peer) => [peer, this.#latencies.get(linkName(node, peer))] as const)
      .filter((link): link is readonly [number, number] => link[1] !== undefined);
    for (const [peer] of links) this.disconnect(node, peer);
    this.#transports[node] = this.#made(node);
    for (const [peer, latency] of links) this.connect(node, peer, latency);
  }

  broadcast(node: number, text: string): void {
    this.#got[node]?.add(text);
    this.#transport(node).broadcast("urgent", utf8(text));
  }

  hasGot(node: number, text: string): boolean {
    return this.#got[node]?.has(text) === true;
  }
  /** Nodes that have not got it. */
  lacking(text: string): number[] {
    return this.#got.flatMap((got, node) => (got.has(text) ? [] : [node]));
  }

  state(at: number, peer: number): LinkState {
    return this.#transport(at).links.state(keyOf(peer));
  }
  sizes(node: number): Readonly<Record<string, number>> {
    return this.#transport(node).sizes;
  }
  transport(node: number): RoutedTransport {
    return this.#transport(node);
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const frame = this.#inFlight.reduce<InFlight | undefined>(
        (first, each) => (first === undefined || each.at < first.at ? each : first),
        undefined,
      );
      const timer = Math.min(...this.#transports.map(({ deadline }) => deadline));
      const next = Math.min(frame?.at ?? Infinity, timer);
      if (next > end) break;
      this.#now = Math.max(this.#now, next);
      if (frame !== undefined && frame.at <= timer) this.#deliver(frame);
      else for (const transport of this.#transports) if (transport.deadline <= this.#now) transport.tick();
    }
    this.#now = end;
  }

  #deliver(frame: InFlight): void {
    this.#inFlight.splice(this.#inFlight.indexOf(frame), 1);
    const { from, to, tree, bytes } = frame;
    if (this.lost(frame)) return;
    if (tree === undefined) this.copies++;
    const delivery = this.#transport(to).receive(keyOf(from), bytes);
    if (delivery === "undecodable") throw new Error(delivery);
    if (typeof delivery === "string") return;
    const text = new TextDecoder().decode(delivery.payload);
    if (this.#got[to]?.has(text) === true) throw new Error(`node ${to} is given ${text} twice`);
    this.#got[to]?.add(text);
    this.#transport(to).broadcast("urgent", delivery.payload, keyOf(from));
  }

  #made(index: number): RoutedTransport {
    this.#got[index]?.clear();
    const indices = new Map(this.#got.map((_, node) => [keyOf(node), node]));
    return new RoutedTransport({
      relaysMayLie: false,
      self: keyOf(index),
      now: () => this.#now,
      send: (peer, _lane, parts) => {
        const to = indices.get(peer) as number;
        const latency = this.#latencies.get(linkName(index, to));
        if (latency === undefined) return;
        const bytes = concatBytes(...parts);
        const payload = decodeEnvelope(bytes)?.payload as Uint8Array;
        const tree = decodeTreeMessage(payload);
        this.#inFlight.push({ from: index, to, tree, bytes, at: this.#now + latency, life: 0 });
      },
      linkChanged: () => undefined,
      shapesTree: (payload) => !new TextDecoder().decode(payload).startsWith(PRESENCE),
      admits: () => true,
      isDestination: () => false,
      signSeqno: () => new Uint8Array(64),
      lost: () => undefined,
    });
  }

  #transport(node: number): RoutedTransport {
    return this.#transports[node] as RoutedTransport;
  }
}

function linkName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}
