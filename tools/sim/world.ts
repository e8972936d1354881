/** What a simulated node finds around it. */
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import type { Genesis } from "../../chain/genesis.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { SyncLimits } from "../../consensus/sync/constants.ts";
import type { Lane } from "../../net/link/types.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import type { Dialing } from "./dialing.ts";
import type { Dice } from "./dice.ts";
import type { Persist } from "./disk.ts";
import type { EventQueue } from "./eventQueue.ts";
import type { Network } from "./network.ts";
import type { FaultProfile } from "./profile.ts";
import type { KeyedHashes } from "./signatures.ts";
import type { SimulatedNode } from "./simulatedNode.ts";

/** What all nodes of a run share. */
export interface World {
  readonly queue: EventQueue;
  readonly dice: Dice;
  readonly keys: KeyedHashes;
  readonly genesis: Genesis;
  readonly genesisBlock: Block;
  readonly application: () => Application;
  readonly settingsOf: (index: number) => ConsensusSettings;
  readonly syncLimits: SyncLimits;
  readonly floods: boolean;
  readonly nodes: readonly SimulatedNode[];
  readonly network: Network;
  readonly dialing: Dialing;
  readonly profile: FaultProfile;
  readonly watch: Watch;
  /** Nodes keep backups, which costs time. */
  readonly backsUp: boolean;
  indexOf(key: string): number;
}

/** Who looks on: the oracles, the workload, the trace. */
export interface Watch {
  started(node: SimulatedNode): void;
  stepped(node: SimulatedNode, input: Input, effects: readonly Effect[]): void;
  persisted(node: SimulatedNode, persist: Persist): void;
  /** A frame is about to go on the wire. */
  sent(node: SimulatedNode, to: number, lane: Lane, parts: readonly Uint8Array[]): void;
  delivering(node: SimulatedNode, from: number, lane: Lane, parts: readonly Uint8Array[]): void;
  linkUp(node: SimulatedNode, peer: number): void;
}
