/** Of every engine: partitions, and messages that come twice, late or out of order. */
import { type FaultProfile, NO_FAULTS, NO_WORKLOAD } from "../profile.ts";
import { Stage } from "../scenarios/stage.ts";
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
  viewOf,
} from "./subject.ts";

/** Small, so that a hundred blocks are far. */
const RANGES = { farBehindBlocks: 32, rangeBlocks: 16, rangeBytes: 16 * 1024, pullRanges: 8 };

export const LINKS: readonly Scenario[] = [
  {
    name: "partition into halves",
    demand: "neither half decides anything; when it ends, everything submitted in both is decided, once",
    run: (subject) => {
      // Four producers are an even number for every engine, and a follower is no bridge between them.
      const stage = Stage.open(4, { engine: subject.engine, followers: 1 });
      stage.part([0, 1], [2, 3, 4]);
      const ids = demandStandstill(stage, 6_000);
      stage.heal();
      stage.settle();
      demandDecided(stage, ids);
    },
  },
  {
    name: "one against all",
    demand:
      "a leader that is cut off decides nothing; the others do; when it is back its blocks give way, and its transactions are not lost",
    run: (subject) => {
      const stage = open(subject, 1);
      const old = stage.leader;
      stage.cutOff(old);
      const [held] = stage.submit(old) as [string];
      const others = stage.others(old);
      decide(stage, others[0] as number, 10_000);
      demand(stage.placeOf(held) === undefined, "the one that is cut off decides nothing");
      stage.heal();
      stage.settle();
      demandDecided(stage, [held]);
      demand(
        others.every((index) => viewOf(stage, index) > 1),
        "the others left its view",
      );
    },
  },
  {
    name: "one-way partition of a leader",
    demand: "a leader that hears everybody and is not heard is replaced, and gives way when it hears of it",
    run: (subject) => {
      const stage = open(subject, 1);
      const mute = stage.leader;
      for (const other of stage.others(mute)) stage.block(mute, other);
      decide(stage, stage.others(mute)[0] as number, 10_000);
      demand(stage.simulation.leader() !== mute, "another one leads");
      stage.heal();
      stage.settle();
    },
  },
  {
    name: "one-way partition of a follower",
    demand:
      "a follower that hears nobody, and one that is not heard, cost no view, neither then nor when they are back",
    run: (subject) => {
      for (const isMute of [false, true]) {
        const stage = open(subject, 1);
        const { leader } = stage;
        const view = highestView(stage);
        const [cut] = stage.others(leader) as [number];
        for (const other of stage.others(cut)) {
          if (isMute) stage.block(cut, other);
          else stage.block(other, cut);
        }
        for (let i = 0; i < 5; i++) {
          decide(stage, leader, 1_000);
          stage.advance(1_000);
        }
        stage.heal();
        stage.settle();
        decide(stage, leader, 1_000);
        demand(stage.leader === leader && highestView(stage) === view, "no view is left");
      }
    },
  },
  {
    name: "duplicate and reordered messages",
    demand: "every other message of consensus comes twice or late: everything is decided, once",
    run: (subject) => demandDecidedOver(subject, { loss: 0, duplicate: 0.5, reorder: 0.5, lateMs: 50 }, 30, 2_000),
  },
  {
    name: "lost messages",
    demand: "one in five messages of consensus is lost: everything is decided all the same",
    run: (subject) => demandDecidedOver(subject, { loss: 0.2, duplicate: 0, reorder: 0, lateMs: 0 }, 20, 3_000),
  },
  {
    name: "catch-up of a far-behind follower",
    demand:
      "a producer and a follower that missed 100 blocks pull them from several peers, and the producer is as good for a quorum as before",
    run: (subject) => {
      let pulls = 0;
      const stage = open(subject, 1, {
        followers: 1,
        syncLimits: RANGES,
        onlooker: {
          stepped: (_, __, effects) => {
            for (const effect of effects) if (effect.kind === "log" && effect.message.includes("pulls ranges")) pulls++;
          },
        },
      });
      const follower = subject.bearing(1);
      const [producer] = stage.others(stage.leader, follower) as [number];
      crash(stage, producer, follower);
      for (let i = 0; i < 100; i++) decide(stage, stage.leader, 1_000);
      stage.start(producer);
      stage.start(follower);
      stage.settle();
      demand(pulls > 0, "ranges are pulled");
      // Now it is needed: another one goes.
      const [other] = stage.others(stage.leader, producer, follower) as [number];
      crash(stage, other);
      decide(stage, stage.leader, 1_000);
    },
  },
];

/** Decides a load for so long, virtual ms, where messages of consensus meet this. */
function demandDecidedOver(
  subject: Subject,
  urgent: FaultProfile["urgent"],
  transactionsPerSecond: number,
  forMs: number,
): void {
  const faults = { ...NO_FAULTS, urgent };
  const stage = open(subject, 1, { faults, workload: { ...NO_WORKLOAD, transactionsPerSecond } });
  stage.underLoad(() => stage.advance(forMs));
  demand(stage.simulation.workload.counts.irreversible > 30, "the load is decided");
}
