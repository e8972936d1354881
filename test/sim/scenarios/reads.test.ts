/** Linearizable reads [R2] (docs/protocol.md, section 5): what a read may miss is judged by the oracle, at every answer. */
import { describe, expect, it } from "vitest";
import { READ_PATIENCE_MS } from "../../../src/replica/constants.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

describe("linearizable reads", () => {
  it("on every node, those outside the producer set included", () => {
    const stage = Stage.open(3, { followers: 1 });
    stage.commit(stage.leader, 20);
    stage.advance(500);
    for (const index of stage.up) {
      const { seen } = stage.reads;
      stage.read(index);
      stage.until("the read is answered", () => stage.reads.seen > seen, 100);
    }
    expect(stage.reads).toEqual({ seen: 4, refused: 0 });
  });

  it("a single producer answers by itself", () => {
    const stage = Stage.open(1);
    stage.read(0);
    expect(stage.reads.seen).toBe(1);
  });

  it("many share one round: a leader's heartbeats do not grow with its reads", () => {
    let heartbeats = 0;
    const stage = Stage.open(3, { followers: 1 });
    stage.commit(stage.leader);
    stage.advance(500);
    stage.simulation.onlookers.push({
      sent: (node, _, lane, parts) => {
        if (node.index === stage.leader && lane === "urgent" && parts.at(-1)?.[0] === 19) heartbeats++;
      },
    });
    for (let i = 0; i < 500; i++) for (const index of stage.up) stage.read(index);
    stage.until("all are answered", () => stage.reads.seen === 2000, 100);
    // To two followers each: at most one round begun before the others came, one for them, and those of idle time.
    expect(heartbeats).toBeLessThanOrEqual(2 * 4);
  });

  it("a leader that was cut off answers none, nor does who asks it; the others' readers see the newest", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    stage.commit(old);
    stage.cutOff(old);
    stage.read(old);
    const leader = stage.elect(old);
    stage.commit(leader, 5);
    stage.read(old);
    for (const index of stage.others(old)) stage.read(index);
    stage.until("the majority's are answered", () => stage.reads.seen === 2, 1_000);
    stage.advance(READ_PATIENCE_MS + 1_000);
    expect(stage.reads).toEqual({ seen: 2, refused: 2 });
    stage.heal();
    stage.settle();
    stage.read(old);
    stage.until("it reads again", () => stage.reads.seen === 3, 1_000);
  });

  it("a new leader waits for a block of its own view: until then it does not know what was decided", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    const [near, far] = stage.others(old) as [number, number];
    stage.commit(old, 3);
    // The successor has acked a block, and never hears that it is decided.
    stage.block(old, near);
    stage.commit(old, 3);
    stage.unblock(old, near);
    stage.crash(old);
    stage.read(near);
    stage.read(far);
    stage.elect(old);
    stage.until("both are answered", () => stage.reads.seen === 2, READ_PATIENCE_MS);
  });

  it("without a quorum reads are refused in time, and a restart of the leader loses none that waits elsewhere", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    const [a, b] = stage.others(old) as [number, number];
    stage.crash(a);
    stage.crash(b);
    stage.read(old);
    stage.advance(READ_PATIENCE_MS + 100);
    expect(stage.reads).toEqual({ seen: 0, refused: 1 });
    stage.startAll();
    const leader = stage.elect();
    const reader = stage.others(leader)[0] as number;
    stage.crash(leader);
    stage.read(reader);
    stage.until("it is answered by the next leader", () => stage.reads.seen === 1, READ_PATIENCE_MS);
  });
});
