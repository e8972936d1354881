/** What a header must be given its parent: the rules of the chain, and the shape of those that an engine adds. */
import { equalBytes, hexBytes } from "../src/base/bytes.ts";
import { type Block, blockBytes, transactionBytes } from "./block.ts";
import { HARD_LIMITS } from "./constants.ts";
import type { ExecutionSetting } from "./execution.ts";
import type { BlockNode, InvalidReason } from "./forkDatabase.ts";
import { frontierRoot } from "./merkle.ts";
import { endsChange, type ProducerLookup } from "./producerSets.ts";

/** What the engine requires of a header beyond the rules of the chain; undefined: nothing against it. */
export type HeaderRule = (
  block: Block,
  parent: Pick<BlockNode, "block" | "setsAfter">,
  chain: RuleChain,
) => InvalidReason | undefined;

/** What a rule may ask of the chain below a block. */
export interface RuleChain {
  /** Id of the block's ancestor at a height; undefined below what is kept. */
  readonly idAt: (height: number) => string | undefined;
  readonly setsNamed: ProducerLookup["setsNamed"];
}

/** What is wrong with a block given its parent, by the rules of the chain alone. */
export function headerFault(
  block: Block,
  parent: Pick<BlockNode, "block" | "frontier" | "setsAfter">,
  { limits }: Pick<ExecutionSetting, "limits">,
): InvalidReason | undefined {
  const { header } = block;
  const above = parent.block.header;
  const fault = (code: string, detail: string): InvalidReason => ({
    code,
    detail: `block ${header.height} ${block.id}: ${detail}`,
  });
  if (header.height !== above.height + 1) return fault("WRONG_HEIGHT", `parent has ${above.height}`);
  if (header.view < above.view) return fault("VIEW_DECREASES", `${header.view} after ${above.view}`);
  if (header.time <= above.time) return fault("TIME_DECREASES", `${header.time} after ${above.time}`);
  if (header.irreversibleHeight < above.irreversibleHeight || header.irreversibleHeight > above.height) {
    return fault("IRREVERSIBLE_HEIGHT", `${header.irreversibleHeight}, parent ${above.irreversibleHeight}`);
  }
  const sets = parent.setsAfter;
  if (header.configuration !== sets.hash) return fault("WRONG_CONFIGURATION", header.configuration);
  if (header.nextConfiguration !== undefined && sets.next !== undefined)
    return fault("CHANGE_UNDER_WAY", `since block ${sets.next.height}`);
  if (header.nextConfiguration === sets.current.hash) return fault("NO_CHANGE", header.nextConfiguration);
  if (endsChange(sets, header.irreversibleHeight) && !header.closing)
    return fault("CHANGE_NOT_CLOSED", `irreversible height ${header.irreversibleHeight}`);
  if (!equalBytes(hexBytes(header.historyRoot), frontierRoot(parent.frontier)))
    return fault("HISTORY_ROOT", header.historyRoot);
  if (block.transactions.count > Math.min(limits.blockTransactions, HARD_LIMITS.blockTransactions)) {
    return fault("TOO_MANY_TRANSACTIONS", `${block.transactions.count}`);
  }
  if (transactionBytes(block) > limits.blockBytes) return fault("BLOCK_TOO_LARGE", `${blockBytes(block)} bytes`);
  return undefined;
}
