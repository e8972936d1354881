/** The five modes of VSR, as pictures (docs/modes). */
import type { DrawnScenario } from "./drawn.ts";
import { faultyFollower, faultyLeader, idle, normal } from "./plays.ts";
import { recordMode } from "./recordMode.ts";

const THREE = { engine: "vsr", producers: 3 } as const;

export const VSR_MODES: readonly DrawnScenario[] = [
  {
    name: "vsr-normal",
    title: "VSR, normal: a transaction becomes irreversible",
    text:
      "A backup accepts a transaction and forwards it to the primary, whose turn the view is. It makes a block at once, sends it and writes it to disk at the same time. A backup acks (the paper's PrepareOk) when block and " +
      "record are on its disk. With its own write and one ack the primary has a majority of three: it broadcasts the certificate, and each node tells `irreversible` when its disk knows it.",
    record: () => recordMode(THREE, normal),
  },
  {
    name: "vsr-faulty-follower",
    title: "VSR, a backup is down: the others go on without it",
    text: "One backup crashes. Two of three are a majority, so a transaction is decided with the one ack that comes. When the backup is back, both sides say hello, and the first who has heard its answer sends what it lacks.",
    record: () => recordMode(THREE, faultyFollower),
  },
  {
    name: "vsr-faulty-leader",
    title: "VSR, the primary crashes: a view change",
    text:
      "The primary's process dies and the kernel closes its links: a hint to ask for the next view early. Who asks stays in its view until a majority asks; two of three do. Both leave: the view is on disk before `doViewChange` tells the next primary " +
      "of it, with the leaver's head. With a majority of departures, its own among them, and the best of their heads, the primary opens its view with an empty block; with it all that was left becomes decided.",
    record: () => recordMode(THREE, faultyLeader),
  },
  {
    name: "vsr-catch-up",
    title: "VSR, a replica lost its disk and comes back",
    text: "C was a backup; its disk is lost, and with it what it has promised. It asks the others with a nonce. Both answer, the primary with its head: C promises nothing until it holds that. The blocks come by hellos and the stream, as to anybody. Then it acks again.",
    record: () =>
      recordMode(
        THREE,
        (stage) => {
          stage.startAll();
          stage.settle();
          stage.advance(250);
        },
        (stage) => {
          const victim = stage.others(stage.leader)[1] as number;
          for (let i = 0; i < 3; i++) stage.commit(stage.leader);
          stage.crash(victim);
          stage.loseDisk(victim);
          stage.advance(500);
        },
      ),
  },
  {
    name: "vsr-idle",
    title: "VSR, idle: commit notices only",
    text: "Nothing is submitted: no block is made. The primary says every 100 ms that it is there and what is irreversible, and who answers keeps it in office. A second of it.",
    record: () => recordMode(THREE, idle),
  },
];
