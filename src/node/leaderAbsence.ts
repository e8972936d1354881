/** Whether submitters are to be told that nobody leads: not at once, an election takes its time. */
import type { EngineName } from "../../chain/genesis.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { Clock } from "./clock.ts";

/** Without a leader for this many election or view timeouts they are told. */
const TIMEOUTS = 2;

/** Short against any patience: an absence in which nobody submits is seen by these looks alone. */
const LOOK_EVERY_MS = 250;

export interface LeadSight {
  readonly leader: string | undefined;
  /** Transactions that wait for a block. */
  readonly waiting: number;
}

export class LeaderAbsence {
  readonly #sight: () => LeadSight;
  readonly #clock: Clock;
  readonly #isBft: boolean;
  readonly #patienceMs: number;
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    engine: EngineName,
    { electionTimeoutMs, viewTimeoutMs }: Pick<ConsensusSettings, "electionTimeoutMs" | "viewTimeoutMs">,
    clock: Clock,
    sight: () => LeadSight,
  ) {
    this.#isBft = engine === "bft";
    this.#patienceMs = TIMEOUTS * (this.#isBft ? viewTimeoutMs : electionTimeoutMs);
    this.#clock = clock;
    this.#sight = sight;
  }

  /** Looks for a leader as long as the node runs, so that an absence counts from its beginning and not from who asks. */
  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The time counts from when the absence was seen first. */
  look(): LeadSight {
    const seen = this.#sight();
    if (seen.leader !== undefined) this.#since = undefined;
    else this.#since ??= this.#clock.now();
    return seen;
  }

  /** Asked whenever somebody submits. */
  isLong(): boolean {
    const { waiting } = this.look();
    // Under BFT a transaction that waits is what makes producers look for another leader: one is always taken.
    if (this.#isBft && waiting === 0) return false;
    return this.#since !== undefined && this.#clock.now() > this.#since + this.#patienceMs;
  }
}
