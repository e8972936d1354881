/** View changes and recovery of VSR (docs/testing.md, section 2). All oracles watch: what is not said here must hold as well. */
import { describe, expect, it } from "vitest";
import { encodeSigned } from "../../../consensus/messages.ts";
import { refOf } from "../../../consensus/leading/messages.ts";
import { primaryOf } from "../../../consensus/vsr/headerRule.ts";
import { encodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const open = (producers: number): Stage => Stage.open(producers, { engine: "vsr" });
const viewOf = (stage: Stage, index: number): number => stage.status(index).engine.view;

/**
 * What a replica that never lost its record says when it leaves for a view now, for this primary if not for the one whose
 * turn it is. A relay may keep it for as long as it likes.
 */
function departure(stage: Stage, of: number, view: number, to?: number): Uint8Array {
  const { keys, genesis } = stage.simulation;
  const { key } = stage.node(of);
  const { setsAfter } = stage.head(of);
  const primary = to === undefined ? primaryOf(setsAfter, view) : stage.node(to).key;
  const content = { view, head: refOf(stage.head(of)), incarnations: [], primary, config: setsAfter.hash };
  return encodeSigned(genesis.chainId, key, { kind: "doViewChange", content }, (digest) => keys.sign(key, digest));
}

/** It comes by way of a follower. */
function arrives(stage: Stage, payload: Uint8Array, of: number, by: number, at: number): void {
  const envelope = { source: stage.node(of).key, destinations: [stage.node(at).key], ttl: 3, broadcast: false };
  const frame = concatBytes(...encodeEnvelope(envelope, payload));
  stage.node(at).step({ kind: "received", from: stage.node(by).key, lane: "urgent", frame });
}

/**
 * The two are linked again one way after the other, block by block: a view that one has opened is told to the one that has
 * acknowledged, and not to the primary. Then all is healed.
 */
function meetAndSettle(stage: Stage, opener: number, backup: number): void {
  stage.advance(30);
  stage.unblock(opener, backup);
  stage.advance(60);
  stage.unblock(backup, opener);
  stage.advance(400);
  stage.heal();
  stage.settle();
}

/** The record goes with the disk, and the others tell what was in it. */
function recovers(stage: Stage, index: number): void {
  stage.crash(index);
  stage.loseDisk(index);
  stage.start(index);
  stage.until("it follows", () => stage.status(index).engine.status === "follower", 20_000);
}

/** The primary makes a block and decides it with this one alone, of whom the others learn nothing more. */
function decideWith(stage: Stage, primary: number, backup: number): void {
  stage.part(stage.others(primary, backup), [primary, backup]);
  const { height } = stage.head(backup);
  stage.submit(primary);
  stage.until("the backup has acknowledged it", () => stage.head(backup).height > height, 2_000);
  stage.block(primary, backup);
  stage.until("it is decided", () => stage.height(primary) > height, 2_000);
}

describe("view changes", () => {
  it.each([
    [1, 0],
    [3, 1],
    [4, 1],
    [5, 2],
    [7, 3],
  ])("%d producers commit with %d of them down, the primary among them", (producers, tolerated) => {
    const stage = open(producers);
    stage.commit(stage.leader);
    const primary = stage.leader;
    const victims = [primary, ...stage.others(primary)].slice(0, tolerated);
    for (const victim of victims) stage.crash(victim);
    stage.commit(stage.elect());
    stage.startAll();
    stage.settle();
  });

  it("the next primaries in a row are dead and nobody is told: the turn goes on to one that lives", () => {
    const stage = open(7);
    const view = viewOf(stage, stage.leader);
    const doomed = [0, 1, 2].map((after) => (view + after) % 7);
    for (const index of doomed) stage.crash(index, true);
    const leader = stage.elect(undefined, 20_000);
    expect(doomed).not.toContain(leader);
    stage.commit(leader);
  });

  it("one cut-off replica disturbs nobody, neither while it is away nor when it comes back", () => {
    const stage = open(3);
    const view = viewOf(stage, stage.leader);
    const away = stage.others(stage.leader)[0] as number;
    stage.cutOff(away);
    stage.advance(20_000);
    stage.commit(stage.leader);
    expect(viewOf(stage, away)).toBe(view);
    stage.heal();
    stage.settle();
    expect(viewOf(stage, stage.leader)).toBe(view);
  });

  it("a primary cut off with uncommitted blocks leads no more, and follows when it returns", () => {
    const stage = open(5);
    const old = stage.leader;
    stage.commit(old);
    stage.cutOff(old);
    stage.submit(old);
    const leader = stage.elect(old, 5_000);
    stage.commit(leader);
    expect(stage.status(old).engine.status).not.toBe("leader");
    stage.heal();
    stage.settle();
    expect(stage.status(old).engine.status).toBe("follower");
  });

  it("a primary that restarts in its own view makes no second block of it [S7]", () => {
    const stage = open(3);
    const old = stage.leader;
    const view = viewOf(stage, old);
    stage.crash(old);
    stage.start(old);
    stage.commit(stage.elect());
    expect(viewOf(stage, stage.leader)).toBeGreaterThan(view);
    stage.settle();
  });
});

describe("a lost record [V2]", () => {
  it("a replica whose disk is lost takes part again after the others told what it may have promised", () => {
    const stage = open(3);
    stage.commit(stage.leader);
    const victim = stage.others(stage.leader)[0] as number;
    stage.crash(victim);
    stage.loseDisk(victim);
    stage.start(victim);
    stage.until("it follows", () => stage.status(victim).engine.status === "follower", 5_000);
    // The other one may go now: the one that came back makes the majority.
    stage.crash(stage.others(stage.leader, victim)[0] as number);
    stage.commit(stage.leader);
  });

  it("a lost primary comes back, too: the others leave its view first", () => {
    const stage = open(3);
    const old = stage.leader;
    stage.commit(old);
    stage.crash(old);
    stage.loseDisk(old);
    stage.start(old);
    stage.elect(old, 5_000);
    stage.until("it follows", () => stage.status(old).engine.status === "follower", 10_000);
    stage.settle();
  });

  it("two lost at one time wait for an operator", () => {
    const stage = open(3);
    stage.commit(stage.leader);
    for (const victim of stage.others(stage.leader)) {
      stage.crash(victim);
      stage.loseDisk(victim);
      stage.start(victim);
    }
    stage.advance(20_000);
    const recovering = stage.up.filter((index) => stage.status(index).engine.status === "recovering");
    expect(recovering).toHaveLength(2);
    expect(stage.simulation.leader()).toBeUndefined();
  });

  it.each([
    ["in an open view", false],
    ["between two views", true],
  ])("two lost at one time, the third one %s: an operator's confirmation for one of them is enough", (_, between) => {
    const stage = open(3);
    stage.commit(stage.leader);
    const primary = stage.leader;
    const view = viewOf(stage, primary);
    const next = (view + 1) % 3;
    const left = stage.others(primary, next)[0] as number;
    stage.crash(primary);
    if (between) stage.until("it leaves", () => viewOf(stage, left) > view, 5_000);
    stage.crash(next);
    expect(stage.head(left).view).toBe(view);
    stage.loseDisk(primary);
    stage.node(next).damageDisk("confirmed");
    stage.simulation.watch.damaged(stage.node(next), "confirmed");
    stage.start(primary);
    stage.start(next);
    stage.commit(stage.elect(undefined, 30_000));
    stage.until(
      "both are back",
      () => stage.up.every((index) => stage.status(index).engine.status !== "recovering"),
      30_000,
    );
    stage.settle();
  });

  it("a departure is for the primary that it names, whomever a relay takes it to [S8]", () => {
    const stage = Stage.open(5, { engine: "vsr", followers: 1 });
    const relay = 5;
    stage.commit(stage.leader);
    const view = viewOf(stage, stage.leader);
    const next = (view + 1) % 5;
    const other = stage.others(stage.leader, next, relay)[0] as number;
    arrives(stage, departure(stage, other, view + 1, stage.leader), other, relay, next);
    stage.advance(100);
    expect(viewOf(stage, next)).toBe(view);
    // One of five opens nothing, but who gets it from one who has left leaves, too.
    arrives(stage, departure(stage, other, view + 1), other, relay, next);
    stage.advance(100);
    expect(viewOf(stage, next)).toBe(view + 1);
    stage.settle();
  });

  it("a departure from before the loss opens no view, also where who counts it has lost its own record since", () => {
    const stage = Stage.open(3, { engine: "vsr", followers: 1 });
    const relay = 3;
    stage.commit(stage.leader);
    const primary = stage.leader;
    const view = viewOf(stage, primary);
    const next = (view + 1) % 3;
    const other = stage.others(primary, next, relay)[0] as number;
    const early = departure(stage, other, view + 1);
    recovers(stage, other);
    stage.commit(primary);
    recovers(stage, next);
    stage.commit(primary);
    decideWith(stage, primary, other);
    arrives(stage, early, other, relay, next);
    meetAndSettle(stage, next, other);
  });

  it.each([
    ["as it was sent", false],
    ["made for the one whose turn it is now", true],
  ])("a departure from before a change of the producer set opens no view for another primary: %s", (_, forIt) => {
    const stage = Stage.open(3, { engine: "vsr", followers: 3, changes: true });
    const relay = 5;
    stage.commit(stage.leader);
    // It loses its record, which the others of the first set remember, and is the only one of them that stays.
    const stays = stage.others(stage.leader, 3, 4, relay)[0] as number;
    const views = Array.from({ length: 20 }, (__, view) => view);
    const early = new Map([undefined, 3, 4].map((to) => [to, views.map((view) => departure(stage, stays, view, to))]));
    recovers(stage, stays);
    stage.commit(stage.leader);
    stage.change(stage.leader, [stays, 3, 4]);
    stage.advance(500);
    stage.commit(stage.leader);
    const primary = stage.leader;
    const producers = stage.producers(primary);
    const next = producers.find((index) => index !== primary && index !== stays) as number;
    const backup = producers.find((index) => index !== primary && index !== next) as number;
    const view = views.find((each) => each > viewOf(stage, primary) && producers[each % 3] === next) as number;
    decideWith(stage, primary, backup);
    const kept = early.get(forIt ? next : undefined)?.[view] as Uint8Array;
    arrives(stage, kept, stays, relay, next);
    meetAndSettle(stage, next, backup);
  });
});
