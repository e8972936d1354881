/** Oracle 7: no queue, buffer or cache exceeds its bound. A size without a bound here is a fault, too. */
import { BLOCK_MAX_BYTES } from "../../../chain/block.ts";
import { HARD_LIMITS, ORPHAN_MAX_BYTES, ORPHANS_MAX, UNFLUSHED_MAX_TRANSACTIONS } from "../../../chain/constants.ts";
import {
  type ConsensusSettings,
  EARLY_VOTES_MAX,
  HELD_BLOCKS_MAX,
  WINDOW_BLOCKS,
} from "../../../consensus/constants.ts";
import {
  RANGE_REQUESTS_MAX,
  REQUESTS_PER_PEER,
  type SyncLimits,
  WANTED_MAX,
} from "../../../consensus/sync/constants.ts";
import { AWAITED_MAX, KEPT_BYTES_MAX, KEPT_MAX } from "../../../net/transport/broadcastTree.ts";
import { ARRIVALS_MAX } from "../../../net/transport/linkStates.ts";
import { ADDRESS_BOOK_MAX, RETURN_PATHS_MAX } from "../../../net/transport/constants.ts";
import {
  GATE_BOUNDS,
  OUTBOUND_PEERS,
  OWED_PERSISTS_MAX,
  READ_ASKERS_MAX,
  READS_MAX,
  SCORED_PEERS_MAX,
} from "../../../src/replica/constants.ts";
import { EVIDENCE_PER_PRODUCER } from "../../../src/replica/evidenceStore.ts";
import { RuleBroken } from "../violation.ts";

/** Branches that a run can have at once: every view may leave one of at most a window. */
const BRANCHES_MAX = 32;
/** Writes beyond the bound: of blocks that were let in before, and of records, one a view. */
const PERSISTS_BEYOND = 512;

export type Sizes = Readonly<Record<string, number>>;

export function boundsOf(
  settings: ConsensusSettings,
  limits: SyncLimits,
  peers: number,
  producers: number,
  duplicateWindowCount: number,
): Sizes {
  return {
    blocks: BRANCHES_MAX * WINDOW_BLOCKS,
    blockBytes: BRANCHES_MAX * WINDOW_BLOCKS * BLOCK_MAX_BYTES,
    orphans: ORPHANS_MAX,
    orphanBytes: ORPHAN_MAX_BYTES,
    unflushedTransactions: UNFLUSHED_MAX_TRANSACTIONS + WINDOW_BLOCKS * HARD_LIMITS.blockTransactions,
    overlayKeys: UNFLUSHED_MAX_TRANSACTIONS,
    windowCount: duplicateWindowCount,
    held: HELD_BLOCKS_MAX,
    gateWaiting: 3 * peers * GATE_BOUNDS.maxWaiting,
    // Those of peers that are gone have one share together.
    blockRequests: (peers + 1) * REQUESTS_PER_PEER + WANTED_MAX,
    // The first range is asked for whatever else is there.
    pullRanges: limits.pullRanges + 1,
    rangeRequests: peers * RANGE_REQUESTS_MAX,
    mempoolCount: settings.mempoolTransactions,
    mempoolBytes: settings.mempoolBytes,
    reads: READS_MAX,
    earlyVotes: producers * EARLY_VOTES_MAX,
    arrivals: ARRIVALS_MAX,
    broadcastsAwaited: AWAITED_MAX,
    broadcastsKept: KEPT_MAX,
    broadcastBytesKept: KEPT_BYTES_MAX,
    evidence: producers * EVIDENCE_PER_PRODUCER,
    scoredPeers: SCORED_PEERS_MAX,
    addressBook: ADDRESS_BOOK_MAX,
    // Those that are dialed, and those linked by that.
    addressesDialed: OUTBOUND_PEERS,
    readAskers: READ_ASKERS_MAX,
    routes: producers * peers,
    seqnoRequests: producers,
    returnPaths: RETURN_PATHS_MAX,
    persistOutstanding: OWED_PERSISTS_MAX + PERSISTS_BEYOND,
  };
}

export function assertBounded(node: number, sizes: Sizes, bounds: Sizes): void {
  for (const [name, size] of Object.entries(sizes)) {
    const bound = bounds[name];
    if (bound === undefined) throw new RuleBroken("bounds", "every size has a bound", name, [node]);
    if (size > bound)
      throw new RuleBroken("bounds", "no queue, buffer or cache exceeds its bound", `${name}: ${size} > ${bound}`, [
        node,
      ]);
  }
}
