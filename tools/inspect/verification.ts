/** What verification reports, wherever the chain comes from. */
import type { Counts } from "./chainVerifier.ts";
import type { Fault } from "./fault.ts";

export interface Report extends Counts {
  readonly ok: boolean;
  /** The first thing wrong; absent when `ok`. */
  readonly fault?: Fault;
  /** Of the directory only; absent when there is no such database. */
  readonly stateHeight?: number;
  readonly stateRows?: number;
  readonly indexHeight?: number;
  readonly indexEntries?: number;
  /** Blocks above the irreversible one. */
  readonly reversible?: number;
  /** Pieces against producers; absent when there is none. */
  readonly evidence?: number;
}

export interface Progress extends Counts {
  /** Height of the last block there is to check. */
  readonly target: number;
}

/** Told a few times a second at most while work goes on. */
export type OnProgress = (progress: Progress) => void;
