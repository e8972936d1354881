/** The leader's acks of its view, what a majority of them decides, and the certificate that proves it. */
import { ancestorAt, type BlockNode, branch } from "../../chain/forkDatabase.ts";
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

  /** The greatest height that `majority` producers have acknowledged; undefined: too few have spoken. */
  decidedHeight(majority: number): number | undefined {
    const heights = [...this.#acks.values()].map((ack) => ack.node.height).sort((a, b) => b - a);
    return heights[majority - 1];
  }

  /**
   * Proof that `node` is decided: the acks nearest above it, `majority` of them. The leader's own is made anew for
   * exactly `node`: whoever holds a block holds its ancestors.
   */
  certificate(
    node: BlockNode,
    view: number,
    majority: number,
    self: string,
    signFor: (node: BlockNode) => Uint8Array,
  ): Uint8Array {
    const chosen = [...this.#acks]
      .filter(([, ack]) => ack.node.height >= node.height)
      .map(([signer, ack]) => (signer === self ? { signer, node, signature: undefined } : { signer, ...ack }))
      .sort((a, b) => a.node.height - b.node.height)
      .slice(0, majority);
    const top = chosen.at(-1)?.node ?? node;
    const path = [node, ...branch(ancestorAt(top, node.height) as BlockNode, top)];
    return certificateMessage.encode({
      view,
      path: path.map((each) => each.block.headerBytes),
      acks: chosen.map((ack) => ({
        signer: ack.signer,
        position: ack.node.height - node.height,
        signature: ack.signature ?? signFor(node),
      })),
    });
  }
}
