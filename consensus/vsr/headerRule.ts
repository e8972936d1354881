/** What VSR asks of a header beyond the rules of the chain, and whose turn a view is. */
import type { Configuration } from "../../chain/configuration.ts";
import type { HeaderRule } from "../../chain/ledger.ts";

/** Views go round: every producer leads one in turn. */
export function primaryOf({ producers }: Configuration, view: number): string {
  return producers[view % producers.length] as string;
}

export function vsrHeaderRule(configuration: Configuration): HeaderRule {
  return ({ id, header }, parent) => {
    const fault = (code: string, detail: string) => ({ code, detail: `block ${header.height} ${id}: ${detail}` });
    const above = parent.block.header;
    if (header.producer !== primaryOf(configuration, header.view)) return fault("NOT_THE_LEADER", header.producer);
    // View 0 is that of block 0, which nobody leads.
    if (header.view === 0) return fault("NOT_THE_LEADER", "in view 0");
    if (header.view === above.view && above.closing) return fault("FOLLOWS_CLOSING", `in view ${header.view}`);
    if (header.nextConfiguration !== undefined) return fault("UNSUPPORTED", "a change of the producer set");
    if (header.entryHash !== undefined || header.proofHash !== undefined) {
      return fault("UNSUPPORTED", "entry or proof under vsr");
    }
    return undefined;
  };
}
