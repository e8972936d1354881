/** What Raft asks of a header beyond the rules of the chain. */
import type { HeaderRule } from "../../chain/headerRules.ts";
import { isMember } from "../../chain/producerSets.ts";
import { changeProofFault } from "../leading/changeProof.ts";

export function raftHeaderRule(chainId: string): HeaderRule {
  return (block, parent, chain) => {
    const { id, header } = block;
    const fault = (code: string, detail: string) => ({ code, detail: `block ${header.height} ${id}: ${detail}` });
    const above = parent.block.header;
    const sameView = header.view === above.view;
    if (!isMember(parent.setsAfter, header.producer)) return fault("NOT_A_PRODUCER", header.producer);
    if (sameView && above.closing) return fault("FOLLOWS_CLOSING", `in view ${header.view}`);
    // A view has one leader [R1].
    if (sameView && header.producer !== above.producer) return fault("TWO_LEADERS", `in view ${header.view}`);
    if (header.entryHash !== undefined) return fault("UNSUPPORTED", "entry under raft");
    const unproven = changeProofFault(block, parent, chain, chainId);
    return unproven && fault(unproven.code, unproven.detail);
  };
}
