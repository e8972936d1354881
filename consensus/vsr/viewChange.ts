/** Who asks for another view, and who has left for mine: one entry a replica each, of the newest it said. */
import type { BlockRef } from "../../chain/header.ts";
import { hasMajority, isMember, majorityValue, type ProducerSets } from "../../chain/producerSets.ts";
import { isAtLeast } from "../leading/messages.ts";
import { type Incarnations, isLatest } from "./incarnations.ts";

interface Ask {
  readonly view: number;
  readonly at: number;
}

/** StartViewChange of each replica. An ask is said again and again while it stands: one not repeated is withdrawn. */
export class Asks {
  readonly #asks = new Map<string, Ask>();

  /** @param now ms */
  record(replica: string, view: number, now: number): void {
    // A lower one, too: whose primary of the higher view is gone asks for another.
    this.#asks.set(replica, { view, at: now });
  }

  withdraw(replica: string): void {
    this.#asks.delete(replica);
  }

  /** The highest view that majorities ask for, or for one above it, since `since` (ms); -1: too few ask. */
  agreed(sets: ProducerSets, since: number): number {
    return majorityValue(sets, (key) => {
      const ask = this.#asks.get(key);
      return ask !== undefined && ask.at >= since ? ask.view : -1;
    });
  }
}

/** What a replica left with. */
export interface Departure {
  readonly head: BlockRef;
  /** Hash of the producer sets that decide about what follows the head. */
  readonly config: string;
  readonly incarnations: Incarnations;
}

/** DoViewChange of each replica, of one view: of the view that its primary wants to open. */
export class Departures {
  readonly #departures = new Map<string, Departure>();

  record(replica: string, departure: Departure): void {
    const before = this.#departures.get(replica);
    if (before !== undefined && this.#isNewer(replica, before, departure)) return;
    this.#departures.set(replica, departure);
  }

  clear(): void {
    this.#departures.clear();
  }

  /**
   * The best head among a majority's, the primary's own among them [V1] [S1]; undefined: too few have left. Of all
   * majorities, each of which has what was decided, the one that asks for least: others may hold what nobody else can get
   * or take, a block of a time that is a year off, say. One that was made by other sets waits until its sender's head
   * has come to these: if its sender has lost its record since, it is the others of those sets who remember that [V2].
   * @param sets those that judge the block that opens the view [S10]
   */
  best(primary: string, sets: ProducerSets): BlockRef | undefined {
    const own = this.#departures.get(primary)?.head;
    if (own === undefined) return undefined;
    const counted = [...this.#departures].filter(
      ([replica, { config }]) =>
        isMember(sets, replica) &&
        // The primary's own goes with its head.
        (replica === primary || config === sets.hash) &&
        isLatest(replica, this.#departures),
    );
    const lowestFirst = counted.sort(([, a], [, b]) => a.head.view - b.head.view || a.head.height - b.head.height);
    const left = new Set(counted.map(([replica]) => replica).filter((replica) => replica === primary));
    for (const [replica, { head }] of lowestFirst) {
      left.add(replica);
      if (hasMajority(sets, (key) => left.has(key))) return isAtLeast(own, head) ? own : head;
    }
    return undefined;
  }

  #isNewer(replica: string, a: Departure, b: Departure): boolean {
    const [ofA, ofB] = [a.incarnations.of(replica), b.incarnations.of(replica)];
    return ofA !== ofB ? ofA > ofB : !isAtLeast(b.head, a.head);
  }
}
