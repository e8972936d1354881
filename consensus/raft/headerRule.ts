/** What Raft asks of a header beyond the rules of the chain. */
import { type Configuration, isProducer } from "../../chain/configuration.ts";
import type { HeaderRule } from "../../chain/ledger.ts";

export function raftHeaderRule(configuration: Configuration): HeaderRule {
  return ({ id, header }, parent) => {
    const fault = (code: string, detail: string) => ({ code, detail: `block ${header.height} ${id}: ${detail}` });
    const above = parent.block.header;
    const sameView = header.view === above.view;
    if (!isProducer(configuration, header.producer)) return fault("NOT_A_PRODUCER", header.producer);
    if (sameView && above.closing) return fault("FOLLOWS_CLOSING", `in view ${header.view}`);
    // A view has one leader [R1].
    if (sameView && header.producer !== above.producer) return fault("TWO_LEADERS", `in view ${header.view}`);
    if (header.nextConfiguration !== undefined) return fault("UNSUPPORTED", "a change of the producer set");
    if (header.entryHash !== undefined || header.proofHash !== undefined) {
      return fault("UNSUPPORTED", "entry or proof under raft");
    }
    return undefined;
  };
}
