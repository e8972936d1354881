/**
 * Signatures in what the engine attached to a block are checked when it comes, unless it comes before the chain tells who
 * signed them: while the producer set is changed, the blocks that tell may still wait for their own signatures, or their
 * time. Then they are checked, at once, when the block is judged on top of its parent: that is seldom.
 */
import type { Block } from "../../chain/block.ts";
import type { HeaderRule } from "../../chain/headerRules.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { EngineKit } from "../../consensus/engines.ts";

export class LateAttachments {
  /** As long as they wait anywhere. */
  readonly #unchecked = new WeakSet<Block>();
  readonly headerRule: HeaderRule;

  constructor(kit: EngineKit, verify: (claim: SignatureClaim) => boolean) {
    this.headerRule = (block, parent, chain) => {
      const reason = kit.headerRule(block, parent, chain);
      if (reason !== undefined || !this.#unchecked.has(block)) return reason;
      const attached = kit.attachmentClaims(block);
      if (attached.ok && attached.value.every(verify)) return undefined;
      const detail = attached.ok ? "a signature is not valid" : attached.error.detail;
      return { code: "ATTACHMENT_INVALID", detail: `block ${block.header.height} ${block.id}: ${detail}` };
    };
  }

  unchecked(block: Block): void {
    this.#unchecked.add(block);
  }
}
