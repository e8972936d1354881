/**
 * A peer whose every word the scenario chooses, connected to whom it likes. It holds the key of the node whose place it
 * takes. What it does and what it makes a node do are counted, so that a scenario can say who pays more.
 */
import type { Lane } from "../../../net/link/types.ts";
import { encodeEnvelope } from "../../../net/transport/envelope.ts";
import { encodeSigned, type SignedContent } from "../../../consensus/messages.ts";
import type { Bill } from "./bill.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { Effect, Input } from "../../../src/replica/types.ts";
import type { Simulation } from "../simulation.ts";
import type { SimulatedNode } from "../simulatedNode.ts";

type Send = Extract<Effect, { kind: "send" }>;
type Disconnect = Extract<Effect, { kind: "disconnect" }>;

export class Puppet {
  readonly index: number;
  readonly key: string;
  /** What nodes sent here, newest last, and by whom. */
  readonly heard: { readonly from: number; readonly lane: Lane; readonly frame: Uint8Array }[] = [];
  /** Reasons for which nodes closed their links with this peer. */
  readonly closed: { readonly by: number; readonly reason: string; readonly detail: string }[] = [];
  readonly #simulation: Simulation;
  readonly #linked = new Set<number>();
  /** Batches of signatures that came from here, `node batch`. */
  readonly #batches = new Set<string>();
  #bill: { -readonly [name in keyof Bill]: number } = { ...NOTHING };

  constructor(simulation: Simulation, index: number) {
    this.#simulation = simulation;
    this.index = index;
    this.key = simulation.node(index).key;
    simulation.watch.distrust(this.key);
    simulation.onlookers.push({
      stepped: (node, input, effects) => {
        const mine = this.#isMine(node, input);
        for (const effect of effects) this.#watch(node, effect, mine);
      },
    });
  }

  /** What all nodes paid since it was last asked for. */
  takeBill(): Bill {
    const bill = this.#bill;
    this.#bill = { ...NOTHING };
    return bill;
  }

  isConnected(to: number): boolean {
    return this.#linked.has(to);
  }

  connect(to: number): void {
    if (this.#linked.has(to)) return;
    this.#linked.add(to);
    this.#bill.connections++;
    this.#simulation.node(to).step({ kind: "peerUp", peer: this.key });
  }

  disconnect(to: number): void {
    if (!this.#linked.delete(to)) return;
    this.#simulation.node(to).step({ kind: "peerDown", peer: this.key, broken: false });
  }

  /** A frame as the link would hand it over. @returns false when the node has closed the link */
  say(to: number, lane: Lane, frame: Uint8Array): boolean {
    if (!this.#linked.has(to)) return false;
    this.#bill.bytesIn += frame.length;
    this.#simulation.node(to).step({ kind: "received", from: this.key, lane, frame });
    return this.#linked.has(to);
  }

  /** A payload in an envelope for one node. */
  unicast(to: number, lane: Lane, payload: Uint8Array): boolean {
    const destinations = [this.#simulation.node(to).key];
    const envelope = { source: this.key, destinations, ttl: 1, broadcast: false };
    return this.say(to, lane, concatBytes(...encodeEnvelope(envelope, payload)));
  }

  /** A message of consensus with a true signature. */
  signed(to: number, content: SignedContent): boolean {
    const { keys, genesis } = this.#simulation;
    const frame = encodeSigned(genesis.chainId, this.key, content, (digest) => keys.sign(this.key, digest));
    return this.unicast(to, "urgent", frame);
  }

  /** Is this step the answer to something that was said here? */
  #isMine({ index }: SimulatedNode, input: Input): boolean {
    if (input.kind === "received") return input.from === this.key;
    return input.kind === "signaturesChecked" && this.#batches.delete(`${index} ${input.batch}`);
  }

  #watch(node: SimulatedNode, effect: Effect, mine: boolean): void {
    if (effect.kind === "send") this.#hear(node, effect);
    else if (effect.kind === "disconnect") this.#close(node, effect);
    else if (mine && effect.kind === "checkSignatures") {
      this.#batches.add(`${node.index} ${effect.batch}`);
      this.#bill.signatureChecks += effect.claims.length;
    } else if (mine && effect.kind === "persist") {
      for (const { header, body } of effect.blocks) this.#bill.bytesPersisted += header.length + body.length;
      this.#bill.bytesPersisted += effect.record?.length ?? 0;
      for (const { bytes } of effect.evidence ?? []) this.#bill.bytesPersisted += bytes.length;
    }
  }

  #hear(node: SimulatedNode, { to, lane, parts }: Send): void {
    if (to !== this.key) return;
    const frame = concatBytes(...parts);
    this.#bill.bytesOut += frame.length;
    this.heard.push({ from: node.index, lane, frame });
  }

  /** The shell closes the link and says so to the replica, after the step that asked for it. */
  #close(node: SimulatedNode, { peer, reason, detail }: Disconnect): void {
    if (peer !== this.key) return;
    this.closed.push({ by: node.index, reason, detail });
    this.#linked.delete(node.index);
    const { queue } = this.#simulation;
    queue.schedule(queue.now, () => node.isUp && node.step({ kind: "peerDown", peer: this.key, broken: false }), node);
  }
}

const NOTHING: Bill = { connections: 0, bytesIn: 0, bytesOut: 0, signatureChecks: 0, bytesPersisted: 0 };
