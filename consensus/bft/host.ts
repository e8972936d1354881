/** What the replica does for BFT beyond what it does for every engine. */
import type { BlockRef } from "../../chain/header.ts";
import type { EngineHost } from "../engine.ts";
import type { SignedVote, Votes } from "./messages.ts";

export interface BftHost extends EngineHost {
  /** Signs to prepare or to commit a block. */
  signVote(commit: boolean, block: BlockRef): Uint8Array;
  /** Votes to all other producers, or to one, in one frame. */
  sendVotes(votes: readonly SignedVote[], options: { readonly durable: boolean; readonly to?: string }): void;
  /** Gives votes back to their signer, a neighbour. */
  giveBackVotes(votes: Votes): void;
  /** Id of the irreversible block of a height below what the ledger keeps; undefined: the disk does not read, or not so far. */
  irreversibleIdAt(height: number): string | undefined;
  /** Somebody has this block, and it is needed here. */
  want(id: string): void;
  /** Does a transaction wait that could be in the next block? Executes some: not for every step. */
  canInclude(): boolean;
  /** Do transactions wait, whether or not they can be included? */
  hasPending(): boolean;
  /** A producer has signed what no correct one does (`evidence.ts`). */
  accuse(evidence: Uint8Array): void;
  /** Somebody is broken beyond what this protocol bears. @param certificates that contradict each other */
  halt(why: string, certificates?: readonly Uint8Array[]): void;
}
