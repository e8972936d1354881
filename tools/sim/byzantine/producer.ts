/**
 * A producer that lies: a real replica with its key, and between it and the network one or more ways of lying, each for a
 * while. When none goes on, it is as correct as any.
 */
import type { Lane } from "../../../net/link/types.ts";
import type { Effect, Input } from "../../../src/replica/types.ts";
import type { Hostile } from "../liar.ts";
import { bothBlocks, falseOpenings, invalidBlocks, twoBlocks, withheldBlocks } from "./blocks.ts";
import type { Lie, LieMaker } from "./lie.ts";
import { censorship, falseAnswers, falseHellos, falseRoutes, floods, replays, selective } from "./talk.ts";
import { staleReports, viewChanges, votesForAll, withheldVotes } from "./votes.ts";
import type { Parts, Workshop } from "./workshop.ts";

const LIES = {
  twoBlocks,
  bothBlocks,
  withheldBlocks,
  invalidBlocks,
  falseOpenings,
  votesForAll,
  withheldVotes,
  staleReports,
  viewChanges,
  falseHellos,
  falseAnswers,
  falseRoutes,
  replays,
  selective,
  floods,
  censorship,
} satisfies Record<string, LieMaker>;
export type LieName = keyof typeof LIES;
export const LIE_NAMES = Object.keys(LIES) as readonly LieName[];

/** Lies that act of themselves do so this often, microseconds. */
const TICK_US = 100_000;

/** Microseconds. */
interface Timers {
  readonly now: number;
  schedule(at: number, run: () => void): void;
}

export class ByzantineProducer implements Hostile {
  readonly index: number;
  readonly garbles = true;
  readonly #workshop: Workshop;
  readonly #queue: Timers;
  readonly #active = new Set<Lie>();
  #ended = false;

  constructor(workshop: Workshop, queue: Timers) {
    this.index = workshop.node.index;
    this.#workshop = workshop;
    this.#queue = queue;
  }

  /** Lies in this way from now on; Infinity: until it ends. */
  begin(name: LieName, durationMs: number): void {
    if (this.#ended) return;
    const lie = LIES[name](this.#workshop);
    this.#active.add(lie);
    if (lie.tick !== undefined) this.#tickLater(lie);
    if (durationMs !== Infinity)
      this.#queue.schedule(this.#queue.now + durationMs * 1000, () => void this.#active.delete(lie));
  }

  /** No more lies. */
  end(): void {
    this.#ended = true;
    this.#active.clear();
  }

  instead(lane: Lane, parts: Parts, to: number): readonly Parts[] {
    let said: readonly Parts[] = [parts];
    for (const lie of this.#active) {
      if (lie.instead !== undefined) said = said.flatMap((each) => lie.instead?.(lane, each, to) ?? [each]);
    }
    return said;
  }

  hears(input: Input): boolean {
    for (const lie of this.#active) if (lie.hears?.(input) === false) return false;
    return true;
  }

  stepped(input: Input, effects: readonly Effect[]): void {
    if (!this.#workshop.node.isUp) return;
    for (const lie of this.#active) lie.stepped?.(input, effects);
  }

  /** It lies on: who is correct does not depend on it. */
  healed(): void {}

  #tickLater(lie: Lie): void {
    this.#queue.schedule(this.#queue.now + TICK_US, () => {
      if (!this.#active.has(lie)) return;
      if (this.#workshop.node.isUp) lie.tick?.();
      this.#tickLater(lie);
    });
  }
}
