/** Of every engine: what becomes of processes that die, stop, or are slow. */
import { CONSENSUS_DEFAULTS } from "../../../consensus/constants.ts";
import { NO_WORKLOAD } from "../profile.ts";
import type { Stage } from "../scenarios/stage.ts";
import {
  crash,
  decide,
  demand,
  demandDecided,
  demandStandstill,
  highestView,
  open,
  type Scenario,
  type Subject,
  turnOf,
  viewOf,
} from "./subject.ts";

/** Links of at most 1.2 ms one way and writes of at most 5 ms: six messages and four writes. */
const FEW_ROUND_TRIPS_MS = 40;
/** With everybody there and nothing in the way. */
const PROMPTLY_MS = 100;

export const CRASHES: readonly Scenario[] = [
  {
    name: "normal operation",
    demand: "under load every node tells of every transaction that it is irreversible, and no view is left",
    run: (subject) => {
      const stage = open(subject, 1, { workload: { ...NO_WORKLOAD, transactionsPerSecond: 50 }, followers: 1 });
      const view = highestView(stage);
      const ids = stage.up.flatMap((index) => stage.submit(index, 5));
      stage.underLoad(() => stage.advance(1_000));
      demandDecided(stage, ids);
      demand(stage.simulation.workload.counts.irreversible > 50, "the load is decided");
      demand(highestView(stage) === view, "no view is left");
      for (const index of stage.others(...producers(stage))) demand(stage.height(index) > 5, "followers follow");
    },
  },
  {
    name: "idle network",
    demand: "in a minute without transactions no block is made, no view is left, and nothing is written",
    run: (subject) => {
      const stage = open(subject, 1);
      stage.settle();
      const before = stage.up.map((index) => `${viewOf(stage, index)} ${stage.head(index).id}`);
      let writes = 0;
      stage.simulation.onlookers.push({ persisted: () => writes++ });
      stage.advance(60_000);
      const after = stage.up.map((index) => `${viewOf(stage, index)} ${stage.head(index).id}`);
      demand(before.join() === after.join(), "views and heads stay");
      demand(writes === 0, "nothing is written");
    },
  },
  {
    name: "follower crash",
    demand: "as many followers as may fail die: the view goes on; they come back and have everything",
    run: (subject) => {
      const stage = open(subject, 2);
      const { leader } = stage;
      const view = highestView(stage);
      const victims = stage.others(leader).slice(0, 2);
      crash(stage, ...victims);
      for (let i = 0; i < 5; i++) decide(stage, stage.up[i % stage.up.length] as number, PROMPTLY_MS);
      for (const victim of victims) stage.start(victim);
      stage.settle();
      demand(highestView(stage) === view && stage.leader === leader, "no view is left");
    },
  },
  {
    name: "quorum",
    demand: "with one more producer down than may fail nothing is decided; with one of them back everything is",
    run: (subject) => {
      const stage = open(subject, 1);
      const [first, second] = stage.others(stage.leader) as [number, number];
      crash(stage, first, second);
      const ids = demandStandstill(stage, 8_000);
      stage.start(second);
      stage.settle();
      demandDecided(stage, ids);
    },
  },
  {
    name: "leader crash",
    demand:
      "another one decides what waits elsewhere, soon when the kernel tells of the crash, and after a timeout else",
    run: (subject) => {
      for (const silent of [false, true]) {
        const stage = open(subject, 1);
        const old = stage.leader;
        stage.crash(old, silent);
        const at = stage.others(old)[0] as number;
        decide(stage, at, silent ? subject.silentLeaderMs : subject.nextLeaderMs);
        demand(stage.leader !== old, "another one leads");
        stage.start(old);
        stage.settle();
      }
    },
  },
  {
    name: "leaders crash one after the other",
    demand: "each dies as soon as it leads, as many as may fail: the next one decides",
    run: (subject) => {
      const stage = open(subject, 3);
      for (let dead = 0; dead < 3; dead++) {
        const old = stage.leader;
        stage.crash(old, dead === 1);
        stage.submit(stage.up[0] as number);
        const another = (): boolean => ![undefined, old].includes(stage.simulation.leader());
        stage.until("another one leads", another, subject.silentLeaderMs);
      }
      decide(stage, stage.up.at(-1) as number, subject.silentLeaderMs);
      stage.startAll();
      stage.settle();
    },
  },
  {
    name: "the leader and the next ones are dead",
    demand: "as many as may fail die at once, those whose turn is next among them: the first one alive decides",
    run: (subject) => {
      const stage = open(subject, 3);
      const { leader } = stage;
      const view = viewOf(stage, leader);
      const next = [1, 2].map((each) => turnOf(stage, view + each)).filter((index) => index !== leader);
      // Where leaders are elected it is nobody's turn: any two.
      const victims = subject.engine === "raft" ? stage.others(leader).slice(0, 2) : next;
      for (const victim of [leader, ...victims]) stage.crash(victim, true);
      decide(stage, stage.up[0] as number, 3 * subject.silentLeaderMs);
      stage.startAll();
      stage.settle();
    },
  },
  {
    name: "the next ones crash during the change",
    demand: "who is about to lead dies before it does, and the one after it: the change goes on to the next",
    run: (subject) => {
      const stage = open(subject, 3);
      stage.crash(stage.leader);
      stage.submit(stage.up[0] as number);
      for (let dead = 1; dead < 3; dead++) {
        let about: number | undefined;
        stage.until("one is about to lead", () => (about = aboutToLead(subject, stage)) !== undefined, 10_000);
        demand(stage.simulation.leader() === undefined, "it does not lead yet");
        stage.crash(about as number);
      }
      decide(stage, stage.up[0] as number, 3 * subject.silentLeaderMs);
      stage.startAll();
      stage.settle();
    },
  },
  {
    name: "restart of all",
    demand:
      "power fails everywhere, three times, with writes under way: everything that was told to be irreversible stays",
    run: (subject) => {
      const stage = open(subject, 1, { followers: 1, workload: { ...NO_WORKLOAD, transactionsPerSecond: 30 } });
      stage.underLoad(() => {
        for (let round = 0; round < 3; round++) {
          stage.advance(1_000);
          for (const index of stage.others()) stage.crash(index, true);
          stage.startAll();
        }
        stage.advance(1_000);
      });
      demand(stage.simulation.workload.counts.irreversible > 20, "the load is decided");
    },
  },
  {
    name: "hand-over on planned shutdown",
    demand: `a leader that stops loses no time (${FEW_ROUND_TRIPS_MS} ms until its successor decides) and no transaction, and costs one view`,
    run: (subject) => {
      const stage = open(subject, 1, { workload: { ...NO_WORKLOAD, transactionsPerSecond: 60 } });
      const { simulation } = stage;
      simulation.beginWorkload();
      stage.advance(500);
      const old = stage.leader;
      const view = highestView(stage);
      const held = stage.submit(old, 50);
      let decidedAt: number | undefined;
      simulation.onlookers.push({
        stepped: (_, __, effects) => {
          const isNext = effects.some((effect) => effect.kind === "irreversible" && effect.block.view > view);
          if (isNext) decidedAt ??= simulation.nowMs;
        },
      });
      const before = simulation.nowMs;
      stage.stop(old, 2 * CONSENSUS_DEFAULTS.electionTimeoutMs);
      stage.until("the next view decides", () => decidedAt !== undefined, FEW_ROUND_TRIPS_MS);
      demand((decidedAt as number) - before <= FEW_ROUND_TRIPS_MS, "no time is lost");
      demandDecided(stage, held);
      stage.advance(1_000);
      simulation.endWorkload();
      stage.settle();
      demand(highestView(stage) === view + 1, "one view is left, by the hand-over, and none by the stop");
    },
  },
  {
    name: "planned shutdown of a follower",
    demand: "what it holds is decided before it stops, and no view is left",
    run: (subject) => {
      const stage = open(subject, 1);
      const { leader } = stage;
      const view = highestView(stage);
      const [follower] = stage.others(leader) as [number];
      const held = stage.submit(follower, 50);
      stage.stop(follower);
      demandDecided(stage, held);
      decide(stage, leader, PROMPTLY_MS);
      demand(highestView(stage) === view && stage.leader === leader, "no view is left");
    },
  },
  {
    name: "slow node",
    demand:
      "as many followers as may fail take 60 ms for every step, for 5 s: the rest decides as before in the same view, and they come after",
    run: (subject) => {
      const stage = open(subject, 1);
      const { leader } = stage;
      const view = highestView(stage);
      const [slow] = stage.others(leader) as [number];
      stage.node(slow).slowDown(60, 5_000);
      for (let i = 0; i < 20; i++) {
        decide(stage, leader, PROMPTLY_MS);
        stage.advance(200);
      }
      stage.advance(1_000);
      stage.settle();
      demand(highestView(stage) === view, "no view is left");
    },
  },
];

function producers(stage: Stage): number[] {
  return stage.others().filter((index) => stage.node(index).isProducer);
}

/** Who stands for election, or whose turn is the view that is entered but not opened; undefined: nobody yet. */
function aboutToLead({ engine }: Subject, stage: Stage): number | undefined {
  if (engine === "raft") return stage.up.find((index) => stage.status(index).engine.status === "candidate");
  const view = highestView(stage);
  const next = turnOf(stage, view);
  return stage.up.includes(next) && viewOf(stage, next) === view && stage.status(next).engine.status !== "leader"
    ? next
    : undefined;
}
