/** What a replica starts from. */
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import type { ExecutionSetting } from "../../chain/execution.ts";
import type { Bottom } from "../../chain/forkDatabase.ts";
import type { Genesis } from "../../chain/genesis.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { BlockLog } from "../../consensus/sync/bestChain.ts";
import type { SyncLimits } from "../../consensus/sync/constants.ts";
import type { RangeLog } from "../../consensus/sync/rangeServer.ts";
import type { KeptAddresses } from "../../net/transport/addressBook.ts";
import type { PeerKey } from "../base/key.ts";

/** What the shell read from disk, and the services that stay outside. */
export interface ReplicaStart {
  readonly genesis: Genesis;
  readonly application: Application;
  readonly settings: ConsensusSettings;
  readonly self: PeerKey;
  /** Signs a 32-byte digest with this node's key; the key stays in the shell. */
  readonly sign: (digest: Uint8Array) => Uint8Array;
  /** Whether a signature is valid, at once: for what is sent, and rarely. What comes is checked by `checkSignatures`. */
  readonly verify: (claim: SignatureClaim) => boolean;
  /** State as of `bottom`, flushed; the duplicate window up to `bottom`. */
  readonly execution: ExecutionSetting;
  /** The irreversible block promised on disk. */
  readonly bottom: Bottom;
  readonly certificate: Uint8Array;
  /** Blocks above it, all branches, parents first: from this node's own disk, checked when they came. */
  readonly blocks: readonly Block[];
  readonly log: BlockLog & RangeLog;
  /** The engine's record; undefined: missing or damaged. */
  readonly record: Uint8Array | undefined;
  /** Evidence against producers that the disk holds. */
  readonly evidence?: readonly Uint8Array[];
  /** Ids of the blocks that the operator rejected. */
  readonly rejected?: readonly string[];
  /** Addresses of other nodes that were known before the restart, their signatures checked. */
  readonly addresses?: readonly KeptAddresses[];
  /** Links that this node is to have dialed, configured ones included; default {@link OUTBOUND_PEERS}. */
  readonly outboundPeers?: number;
  readonly seed: number;
  /** The simulator draws small ones; all nodes of a chain have the same. */
  readonly syncLimits?: SyncLimits;
  /** No link is pruned: what is for everyone is flooded, for measurements beside the tree. Default false. */
  readonly floods?: boolean;
}
