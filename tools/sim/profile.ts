/**
 * What goes wrong in a run, and how often. `drawProfile` draws one of many kinds, so that a sweep sees calm runs with one
 * kind of fault as well as wild ones: some mistakes show only where nothing else disturbs.
 */
import { SYNC_LIMITS, type SyncLimits } from "../../consensus/sync/constants.ts";
import type { EngineName } from "../../chain/genesis.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import { Dice } from "./dice.ts";

/** Times in milliseconds; probabilities in [0, 1]; mean intervals are for the whole network, Infinity for never. */
export interface FaultProfile {
  readonly name: string;
  readonly latency: {
    /** Range from which each pair draws its typical one-way latency. */
    readonly lowMs: number;
    readonly highMs: number;
    /** A message takes up to this share longer. */
    readonly jitter: number;
    /** Now and then one takes very much longer. */
    readonly tailChance: number;
    readonly tailMs: number;
    /** One direction of a pair takes up to so many times as long as the other. */
    readonly asymmetry?: number;
  };
  /** Bytes a millisecond of one direction of a link, for blocks and transactions; Infinity: no limit. */
  readonly bytesPerMs: number;
  /** Of all messages: changed on the way. The link's own check finds it, so the link breaks. */
  readonly corruption: number;
  /** Of messages of the urgent lane. */
  readonly urgent: {
    readonly loss: number;
    readonly duplicate: number;
    readonly reorder: number;
    /** How late a message comes that is out of order, typically. */
    readonly lateMs: number;
  };
  readonly disk: { readonly typicalMs: number; readonly capMs: number };
  /** `yearAhead`: how often a jump is one of a year. */
  readonly clock: {
    readonly offsetMs: number;
    readonly driftPpm: number;
    readonly jumpEveryMs: number;
    readonly jumpMs: number;
    readonly yearAhead: number;
  };
  readonly crash: {
    readonly everyMs: number;
    readonly downMs: number;
    /** In the middle of a step's effects instead of between two steps. */
    readonly midStep: number;
    /** Nobody is told: the machine lost power, peers find out by their pings. */
    readonly silent: number;
    /** Its peers are cut off one by one, so that it lives on alone for a moment before it dies. */
    readonly afterIsolation: number;
  };
  /** All nodes at once. */
  readonly blackout: { readonly everyMs: number; readonly downMs: number };
  readonly partition: { readonly everyMs: number; readonly durationMs: number };
  /** A link breaks and the kernel says so at once. */
  /** `wholeNode`: how often it is all links of one node instead of one. */
  readonly linkBreak: { readonly everyMs: number; readonly wholeNode: number };
  /** Everything but urgent messages to one node is stuck: it hears of a chain that it does not have. */
  readonly clog: { readonly everyMs: number; readonly durationMs: number };
  readonly pause: { readonly everyMs: number; readonly durationMs: number };
  /** Every step of an overloaded node takes so long. */
  readonly slow: { readonly everyMs: number; readonly durationMs: number; readonly stepMs: number };
  readonly diskFull: { readonly everyMs: number; readonly durationMs: number };
  /** Blocks below the fork database do not read. */
  readonly readErrors: { readonly everyMs: number; readonly durationMs: number };
  /** What at most a minority of producers, or a follower, has lost after a crash: see `Damage`. */
  readonly damage: { readonly block: number; readonly record: number; readonly disk: number };
  /**
   * A producer that may fail, or a follower, dies for some seconds and comes back from a backup. The rule that keeps it
   * from voting twice counts on what its peers remember: nobody else crashes, and elections are over when it is back.
   * `confirmed`: it keeps its disk but for the record, and its operator confirms the loss.
   */
  readonly restore: { readonly everyMs: number; readonly confirmed?: boolean };
  /** The last follower, where there is one, serves ranges that are not true. */
  readonly lies: boolean;
  /** Of messages of the last follower, where there is one: cut short, changed or random bytes. */
  readonly garbled: number;
  /** Two nodes dial each other at once: one or both of them use a link that gives way to the other. */
  readonly mutualConnects: number;
  /** How often some of those that may fail stay broken for good when the rest heals. */
  readonly brokenForGood: number;
  /** Links that a partition cuts notice after this, at random up to three times as long. */
  readonly pingTimeoutMs: number;
  readonly redialMs: number;
  /** So few signatures are checked within the step that asks, as the shell does; more take a while. */
  readonly checkedOnTheSpot: number;
}

export interface WorkloadProfile {
  readonly transactionsPerSecond: number;
  /** Now and then this many at once. */
  readonly burst: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly shortestExpiryMs: number;
  readonly longestExpiryMs: number;
  /** The same bytes again, at another node: a client that retries. */
  readonly retry: number;
  /** Stops so long before the faults do. */
  readonly quietMs: number;
  /** Goes on for so long after the faults stop. */
  readonly afterHealMs: number;
}

export const NO_FAULTS: FaultProfile = {
  name: "none",
  latency: { lowMs: 0.1, highMs: 1, jitter: 0.2, tailChance: 0, tailMs: 0 },
  bytesPerMs: Infinity,
  corruption: 0,
  urgent: { loss: 0, duplicate: 0, reorder: 0, lateMs: 0 },
  disk: { typicalMs: 0.5, capMs: 5 },
  clock: { offsetMs: 0, driftPpm: 0, jumpEveryMs: Infinity, jumpMs: 0, yearAhead: 0 },
  crash: { everyMs: Infinity, downMs: 0, midStep: 0, silent: 0, afterIsolation: 0 },
  blackout: { everyMs: Infinity, downMs: 0 },
  partition: { everyMs: Infinity, durationMs: 0 },
  linkBreak: { everyMs: Infinity, wholeNode: 0 },
  clog: { everyMs: Infinity, durationMs: 0 },
  pause: { everyMs: Infinity, durationMs: 0 },
  slow: { everyMs: Infinity, durationMs: 0, stepMs: 0 },
  diskFull: { everyMs: Infinity, durationMs: 0 },
  readErrors: { everyMs: Infinity, durationMs: 0 },
  damage: { block: 0, record: 0, disk: 0 },
  restore: { everyMs: Infinity },
  lies: false,
  garbled: 0,
  mutualConnects: 0,
  brokenForGood: 0,
  pingTimeoutMs: 2_000,
  redialMs: 250,
  checkedOnTheSpot: 4,
};

export const DEFAULT_WORKLOAD: WorkloadProfile = {
  transactionsPerSecond: 10,
  burst: 0,
  keys: 40,
  valueBytes: 16,
  shortestExpiryMs: 5_000,
  longestExpiryMs: 60_000,
  retry: 0,
  quietMs: 0,
  afterHealMs: 0,
};

export const NO_WORKLOAD: WorkloadProfile = { ...DEFAULT_WORKLOAD, transactionsPerSecond: 0 };

type Draw = (dice: Dice) => Partial<FaultProfile>;

/** Kinds of bad weather; `wild` is most of them at once. */
const KINDS: Record<string, Draw> = {
  lossy: (dice) => ({ urgent: drawUrgent(dice, 0.5) }),
  crashing: (dice) => ({ crash: drawCrash(dice), disk: drawDisk(dice) }),
  blackouts: (dice) => ({
    blackout: { everyMs: dice.between(2_000, 8_000), downMs: dice.between(100, 2_000) },
    disk: drawDisk(dice),
  }),
  partitions: (dice) => ({ partition: drawPartition(dice), pingTimeoutMs: dice.between(300, 4_000) }),
  flapping: (dice) => ({
    linkBreak: { everyMs: dice.between(100, 1_500), wholeNode: 0.3 },
    redialMs: dice.between(20, 400),
  }),
  pausing: (dice) => ({ pause: drawPause(dice), clock: drawClock(dice) }),
  /** Leaders change all the time, heads differ, messages come from views long past: where elections go wrong. */
  churning: (dice) => ({
    crash: { ...drawCrash(dice), everyMs: dice.between(300, 1_200), downMs: dice.between(20, 600) },
    partition: { everyMs: dice.between(400, 1_500), durationMs: dice.between(300, 1_500) },
    linkBreak: { everyMs: dice.between(300, 1_500), wholeNode: 0.7 },
    clog: { everyMs: dice.between(300, 1_000), durationMs: dice.between(300, 1_500) },
    urgent: { ...drawUrgent(dice, 0.2), lateMs: dice.between(20, 500) },
    disk: drawDisk(dice),
    latency: { lowMs: 1, highMs: 40, jitter: 1, tailChance: 0.05, tailMs: 600, asymmetry: 1 },
    pingTimeoutMs: dice.between(200, 1_000),
    redialMs: dice.between(20, 200),
  }),
  wild: (dice) => ({
    urgent: drawUrgent(dice, 0.2),
    crash: drawCrash(dice),
    disk: drawDisk(dice),
    partition: drawPartition(dice),
    linkBreak: { everyMs: dice.between(500, 5_000), wholeNode: 0.3 },
    clog: { everyMs: dice.between(2_000, 8_000), durationMs: dice.between(200, 3_000) },
    pause: drawPause(dice),
    clock: drawClock(dice),
    damage: { block: dice.chance(0.5) ? 0.3 : 0, record: dice.chance(0.2) ? 0.1 : 0, disk: dice.chance(0.2) ? 0.1 : 0 },
    slow: { everyMs: dice.between(2_000, 10_000), durationMs: 1_000, stepMs: dice.between(0.5, 10) },
    corruption: dice.chance(0.5) ? dice.between(0, 0.002) : 0,
    bytesPerMs: dice.chance(0.3) ? dice.between(20, 2_000) : Infinity,
    latency: {
      lowMs: 0.2,
      highMs: dice.between(1, 60),
      jitter: 1,
      tailChance: 0.02,
      tailMs: dice.between(50, 800),
      asymmetry: dice.between(1, 10),
    },
    pingTimeoutMs: dice.between(300, 4_000),
    redialMs: dice.between(50, 1_000),
  }),
  rotting: (dice) => ({
    crash: { ...drawCrash(dice), everyMs: dice.between(300, 1_500), downMs: dice.between(20, 1_500) },
    clog: { everyMs: dice.between(300, 1_000), durationMs: dice.between(300, 1_500) },
    latency: { lowMs: 1, highMs: 30, jitter: 1, tailChance: 0.02, tailMs: 200, asymmetry: 1 },
    disk: drawDisk(dice),
    damage: { block: 0.9, record: 0, disk: 0 },
    readErrors: drawReadErrors(dice),
  }),
  /** Overloaded processes, slow and full disks, thin and noisy lines. */
  overloaded: (dice) => ({
    slow: { everyMs: dice.between(500, 4_000), durationMs: dice.between(200, 3_000), stepMs: dice.between(0.5, 20) },
    diskFull: { everyMs: dice.between(2_000, 10_000), durationMs: dice.between(100, 6_000) },
    disk: drawDisk(dice),
    bytesPerMs: dice.between(20, 2_000),
    corruption: dice.between(0, 0.005),
    redialMs: dice.between(20, 400),
    readErrors: drawReadErrors(dice),
  }),
  /** Disks that forget: of a minority of producers, and of followers. */
  forgetful: (dice) => ({
    crash: { ...drawCrash(dice), everyMs: dice.between(500, 3_000) },
    damage: { block: dice.between(0, 0.5), record: dice.between(0, 0.5), disk: dice.between(0, 0.7) },
    disk: drawDisk(dice),
  }),
  /** Clocks that jump, and one that is a year ahead. */
  jumping: (dice) => ({
    clock: {
      ...drawClock(dice),
      jumpEveryMs: dice.between(500, 5_000),
      jumpMs: 3_000,
      yearAhead: dice.between(0, 0.5),
    },
    pause: drawPause(dice),
  }),
  /** Nodes fall behind all the time, and one of their sources lies. */
  lying: (dice) => ({
    lies: true,
    crash: { ...drawCrash(dice), everyMs: dice.between(800, 3_000), downMs: dice.between(500, 4_000) },
    clog: { everyMs: dice.between(1_000, 4_000), durationMs: dice.between(300, 2_000) },
    linkBreak: { everyMs: dice.between(1_000, 5_000), wholeNode: 0.5 },
    disk: drawDisk(dice),
    pingTimeoutMs: dice.between(300, 2_000),
    redialMs: dice.between(20, 400),
  }),
};

/**
 * Kinds that came later. What "default" means for a seed stays as it was, so that old seeds are the same runs: sweeps
 * name these where they want them.
 */
const LATER_KINDS: Record<string, Draw> = {
  restored: (dice) => ({
    restore: { everyMs: dice.between(5_000, 10_000) },
    pingTimeoutMs: dice.between(300, 1_000),
    redialMs: dice.between(20, 400),
  }),
  confirmed: (dice) => ({
    restore: { everyMs: dice.between(5_000, 10_000), confirmed: true },
    pingTimeoutMs: dice.between(300, 1_000),
    redialMs: dice.between(20, 400),
  }),
  /** Links come and go, and both sides dial at once. */
  dialing: (dice) => ({
    mutualConnects: dice.between(0.3, 1),
    linkBreak: { everyMs: dice.between(100, 1_000), wholeNode: 0.5 },
    crash: { ...drawCrash(dice), everyMs: dice.between(1_500, 6_000) },
    redialMs: dice.between(20, 200),
  }),
  /** A follower whose every so many-th frame is not what it should be. */
  garbling: (dice) => ({
    garbled: dice.between(0.01, 0.2),
    linkBreak: { everyMs: dice.between(1_000, 5_000), wholeNode: 0.5 },
    clog: { everyMs: dice.between(1_000, 4_000), durationMs: dice.between(300, 2_000) },
    redialMs: dice.between(20, 200),
  }),
};

export const LATER_NAMES: readonly string[] = ["restored", "dialing", "garbling"];
export const LATER_BFT_NAMES: readonly string[] = ["restored", "confirmed", "dialing"];
const FIRST_NAMES: readonly string[] = Object.keys(KINDS);
export const PROFILE_NAMES: readonly string[] = [...FIRST_NAMES, ...Object.keys(LATER_KINDS)];

/** @param kind one of {@link PROFILE_NAMES}; undefined: any */
export function drawProfile(dice: Dice, kind?: string): FaultProfile {
  const name = kind ?? dice.pick(FIRST_NAMES);
  const draw = KINDS[name] ?? LATER_KINDS[name];
  if (draw === undefined) throw new RangeError(`no fault profile ${name}; there are ${PROFILE_NAMES.join(", ")}`);
  const highMs = dice.between(0.5, 20);
  const latency = {
    lowMs: 0.1,
    highMs,
    jitter: dice.between(0, 1),
    tailChance: 0.005,
    tailMs: dice.between(10, 200),
    asymmetry: dice.chance(0.3) ? dice.between(1, 8) : 1,
  };
  const disk = { typicalMs: dice.between(0.2, 3), capMs: 50 };
  return {
    ...NO_FAULTS,
    latency,
    disk,
    checkedOnTheSpot: dice.chance(0.5) ? 4 : 0,
    brokenForGood: 0.4,
    ...draw(dice),
    name,
  };
}

export function drawWorkload(dice: Dice): WorkloadProfile {
  return {
    transactionsPerSecond: dice.chance(0.2) ? dice.between(20, 60) : dice.between(2, 20),
    burst: dice.chance(0.1) ? 900 : 0,
    keys: dice.integer(1, 60),
    valueBytes: dice.integer(0, 40),
    shortestExpiryMs: dice.chance(0.4) ? 1 : 5_000,
    // Above what the genesis allows, too: whether that is too late depends on whose clock is asked.
    longestExpiryMs: dice.chance(0.2) ? 61_500 : dice.chance(0.1) ? 5_050 : dice.between(6_000, 60_000),
    retry: dice.chance(0.5) ? 0.2 : 0,
    quietMs: dice.chance(0.5) ? dice.between(0, 1_500) : 0,
    afterHealMs: dice.chance(0.5) ? 2_000 : 0,
  };
}

/** Half of all runs have windows so small that who lags a little pulls. */
export function drawSyncLimits(dice: Dice): SyncLimits {
  if (dice.chance(0.5)) return SYNC_LIMITS;
  return {
    farBehindBlocks: dice.integer(2, 24),
    rangeBlocks: dice.integer(1, 8),
    rangeBytes: dice.integer(100, 4_000),
    pullRanges: dice.integer(2, 6),
  };
}

/** More than half of all BFT runs have tenures so short that views are handed over, by blocks, time, or both. */
export function drawSettings({ seed, engine }: { seed: number; engine?: EngineName }): Partial<ConsensusSettings> {
  const dice = new Dice(seed ^ 0x7e9);
  if (engine !== "bft") return {};
  const blocks = dice.chance(0.5) ? { tenureBlocks: dice.integer(2, 40) } : {};
  return { ...blocks, ...(dice.chance(0.2) && { tenureMs: dice.integer(200, 4_000) }) };
}

function drawUrgent(dice: Dice, most: number): FaultProfile["urgent"] {
  return {
    loss: dice.between(0, most),
    duplicate: dice.between(0, most),
    reorder: dice.between(0, most),
    lateMs: dice.between(5, 50),
  };
}

function drawDisk(dice: Dice): FaultProfile["disk"] {
  return dice.chance(0.3)
    ? { typicalMs: dice.between(10, 80), capMs: 800 }
    : { typicalMs: dice.between(0.2, 10), capMs: 200 };
}

function drawCrash(dice: Dice): FaultProfile["crash"] {
  return {
    everyMs: dice.between(800, 6_000),
    downMs: dice.between(50, 4_000),
    midStep: 0.5,
    silent: dice.between(0, 0.5),
    afterIsolation: dice.between(0, 0.5),
  };
}

function drawReadErrors(dice: Dice): FaultProfile["readErrors"] {
  return { everyMs: dice.between(500, 5_000), durationMs: dice.between(50, 3_000) };
}

function drawPartition(dice: Dice): FaultProfile["partition"] {
  return { everyMs: dice.between(1_000, 6_000), durationMs: dice.between(300, 5_000) };
}

function drawPause(dice: Dice): FaultProfile["pause"] {
  return { everyMs: dice.between(800, 4_000), durationMs: dice.between(50, 2_500) };
}

function drawClock(dice: Dice): FaultProfile["clock"] {
  return { ...NO_FAULTS.clock, offsetMs: dice.between(0, 400), driftPpm: dice.between(0, 300) };
}
