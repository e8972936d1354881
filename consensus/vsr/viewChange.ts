/** Who asks for another view, and who has left for mine: one entry a replica each, of the newest it said. */
import type { BlockRef } from "../../chain/header.ts";
import { isAtLeast } from "../leading/messages.ts";
import type { Incarnations } from "./recovery.ts";

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

  /** The highest view that `majority` replicas ask for, or for one above it, since `since` (ms); undefined: too few ask. */
  agreed(majority: number, since: number): number | undefined {
    const views = [...this.#asks.values()].filter(({ at }) => at >= since).map(({ view }) => view);
    return views.sort((a, b) => b - a)[majority - 1];
  }
}

interface Departure {
  readonly head: BlockRef;
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

  /** The best head among a majority's, the primary's own among them [V1] [S1]; undefined: too few have left. */
  best(primary: string, majority: number): BlockRef | undefined {
    if (!this.#departures.has(primary)) return undefined;
    const counted = [...this.#departures].filter(([replica]) => this.#counts(replica)).map(([, { head }]) => head);
    if (counted.length < majority) return undefined;
    return counted.reduce((best, head) => (isAtLeast(best, head) ? best : head));
  }

  /** Nobody knows of a later incarnation of who sent it [V2]. */
  #counts(replica: string): boolean {
    const own = this.#departures.get(replica)?.incarnations.of(replica) ?? 0;
    return [...this.#departures.values()].every(({ incarnations }) => incarnations.of(replica) <= own);
  }

  #isNewer(replica: string, a: Departure, b: Departure): boolean {
    const [ofA, ofB] = [a.incarnations.of(replica), b.incarnations.of(replica)];
    return ofA !== ofB ? ofA > ofB : !isAtLeast(b.head, a.head);
  }
}
