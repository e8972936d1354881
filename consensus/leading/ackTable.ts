/** The leader's acks of its view, what a majority of them decides, and the certificate that proves it. */
import { isProducer, majorityOf } from "../../chain/configuration.ts";
import { ancestorAt, type BlockNode, branch } from "../../chain/forkDatabase.ts";
import { configurationsOf, majorityValue, type ProducerSets } from "../../chain/producerSets.ts";
import { certificateMessage } from "../certificate.ts";

export interface HeldAck {
  readonly node: BlockNode;
  readonly signature: Uint8Array;
}

export class AckTable {
  /** The highest ack of each producer. */
  readonly #acks = new Map<string, HeldAck>();

  /** @returns false when a higher or equal one was there */
  record(signer: string, ack: HeldAck): boolean {
    const held = this.#acks.get(signer);
    if (held !== undefined && held.node.height >= ack.node.height) return false;
    this.#acks.set(signer, ack);
    return true;
  }

  get(signer: string): HeldAck | undefined {
    return this.#acks.get(signer);
  }

  /**
   * The greatest block of a branch that majorities have acknowledged, each block judged by its own producer sets [S10]: who
   * holds a block holds its ancestors.
   * @param head of the branch
   * @param above only blocks above this height, and of the head's view, are looked at
   */
  decided(head: BlockNode, above: number): BlockNode | undefined {
    let sets: ProducerSets | undefined;
    let reached = 0;
    for (let at: BlockNode | undefined = head; at !== undefined && at.height > above; at = at.parent) {
      if (at.view !== head.view) return undefined;
      if (at.sets !== sets) {
        sets = at.sets;
        reached = majorityValue(sets, (key) => this.#acks.get(key)?.node.height ?? 0);
      }
      if (at.height <= reached) return at;
    }
    return undefined;
  }

  /**
   * Proof that `node` is decided: the acks nearest above it, as many as its producer sets ask for. The leader's own is
   * made anew for exactly `node`.
   */
  certificate(node: BlockNode, self: string, signFor: (node: BlockNode) => Uint8Array): Uint8Array {
    const nearest = [...this.#acks]
      .filter(([, ack]) => ack.node.height >= node.height)
      .map(([signer, ack]) => (signer === self ? { signer, node, signature: undefined } : { signer, ...ack }))
      .sort((a, b) => a.node.height - b.node.height);
    const signers = new Set<string>();
    for (const set of configurationsOf(node.sets)) {
      const ofSet = nearest.filter(({ signer }) => isProducer(set, signer));
      for (const { signer } of ofSet.slice(0, majorityOf(set))) signers.add(signer);
    }
    const chosen = nearest.filter(({ signer }) => signers.has(signer));
    const top = chosen.at(-1)?.node ?? node;
    const path = [node, ...branch(ancestorAt(top, node.height) as BlockNode, top)];
    return certificateMessage.encode({
      view: node.view,
      path: path.map((each) => each.block.headerBytes),
      acks: chosen.map((ack) => ({
        signer: ack.signer,
        position: ack.node.height - node.height,
        signature: ack.signature ?? signFor(node),
      })),
    });
  }
}
