/** Whether submitters are to be told that nobody leads: not at once, an election takes its time. */
import type { EngineName } from "../../chain/genesis.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { Clock } from "./clock.ts";

/** Without a leader for this many election or view timeouts they are told. */
const TIMEOUTS = 2;

export interface LeadSight {
  readonly leader: string | undefined;
  /** Transactions that wait for a block. */
  readonly waiting: number;
}

export class LeaderAbsence {
  readonly #look: () => LeadSight;
  readonly #clock: Clock;
  readonly #isBft: boolean;
  readonly #patienceMs: number;
  #since: number | undefined;

  constructor(
    engine: EngineName,
    { electionTimeoutMs, viewTimeoutMs }: Pick<ConsensusSettings, "electionTimeoutMs" | "viewTimeoutMs">,
    clock: Clock,
    look: () => LeadSight,
  ) {
    this.#isBft = engine === "bft";
    this.#patienceMs = TIMEOUTS * (this.#isBft ? viewTimeoutMs : electionTimeoutMs);
    this.#clock = clock;
    this.#look = look;
  }

  /** Asked whenever somebody submits: the time counts from when it was seen first. */
  isLong(): boolean {
    const { leader, waiting } = this.#look();
    const now = this.#clock.now();
    if (leader !== undefined) this.#since = undefined;
    else this.#since ??= now;
    // Under BFT a transaction that waits is what makes producers look for another leader: one is always taken.
    if (this.#isBft && waiting === 0) return false;
    return this.#since !== undefined && now > this.#since + this.#patienceMs;
  }
}
