/** What VSR asks of a header beyond the rules of the chain, and whose turn a view is. */
import type { HeaderRule } from "../../chain/headerRules.ts";
import type { ProducerSets } from "../../chain/producerSets.ts";
import { changeProofFault } from "../leading/changeProof.ts";

/**
 * Views go round: every producer leads one in turn; while the set is changed, those of the one that is left.
 * @param sets those that judge the block that opens the view
 */
export function primaryOf({ current: { producers } }: ProducerSets, view: number): string {
  return producers[view % producers.length] as string;
}

export function vsrHeaderRule(chainId: string): HeaderRule {
  return (block, parent, chain) => {
    const { id, header } = block;
    const fault = (code: string, detail: string) => ({ code, detail: `block ${header.height} ${id}: ${detail}` });
    const above = parent.block.header;
    if (header.producer !== primaryOf(parent.setsAfter, header.view)) return fault("NOT_THE_LEADER", header.producer);
    // View 0 is that of block 0, which nobody leads.
    if (header.view === 0) return fault("NOT_THE_LEADER", "in view 0");
    if (header.view === above.view && above.closing) return fault("FOLLOWS_CLOSING", `in view ${header.view}`);
    if (header.entryHash !== undefined) return fault("UNSUPPORTED", "entry under vsr");
    const unproven = changeProofFault(block, parent, chain, chainId);
    return unproven && fault(unproven.code, unproven.detail);
  };
}
