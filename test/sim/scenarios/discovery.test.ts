/** Nodes that are given one address find the rest (docs/protocol.md, section 1, "Discovery"). */
import { describe, expect, it } from "vitest";
import { signingDigest } from "../../../chain/signing.ts";
import { DIAL_PATIENCE_MS, TOLD_BY_ONE_MAX } from "../../../net/transport/constants.ts";
import { encodeAddressRecords, makeAddressRecord, RECORDS_MAX } from "../../../net/transport/addressMessages.ts";
import { OUTBOUND_PEERS, RECORDS_A_SECOND, RECORDS_AT_ONCE } from "../../../src/replica/constants.ts";
import { Stage, type StageOptions } from "../../../tools/sim/scenarios/stage.ts";

/** Every node is configured with the address of node 0, and with no other. */
const ONE_ADDRESS: StageOptions = { wired: (a, b) => a === 0 || b === 0, learnsAddresses: true };

const linked = (stage: Stage, a: number, b: number): boolean => stage.simulation.network.isLinked(a, b);
/** Links among those that are up. */
function links(stage: Stage): number {
  const { up } = stage;
  return up.flatMap((a) => up.filter((b) => b > a && linked(stage, a, b))).length;
}
const size = (stage: Stage, index: number): number => stage.status(index).sizes["addressBook"] as number;

describe("a node that is given one address", () => {
  it("is linked with all others soon: five nodes become a mesh", () => {
    const stage = Stage.open(1, { followers: 4, ...ONE_ADDRESS });
    stage.until("all are linked", () => links(stage) === 10, 10_000);
    stage.commit(4);
    stage.settle();
  });

  it("finds the rest when it comes late", () => {
    const stage = Stage.closed(3, { followers: 3, ...ONE_ADDRESS });
    for (const index of stage.others(5)) stage.start(index);
    stage.elect();
    stage.until("the others are linked", () => links(stage) === 10, 10_000);
    stage.start(5);
    stage.until("so is the newcomer", () => links(stage) === 15, 10_000);
    stage.settle();
  });

  it("finds them without that one from what it has kept, when nobody else knows anybody any more", () => {
    const stage = Stage.open(1, { followers: 4, ...ONE_ADDRESS });
    stage.until("all are linked", () => links(stage) === 10, 10_000);
    stage.advance(15_000);
    for (const index of stage.others()) stage.crash(index);
    for (const index of [1, 3, 4]) stage.simulation.dialing.keep(index, []);
    stage.advance(1_000);
    for (const index of [1, 2, 3, 4]) stage.start(index);
    stage.until("they are linked, all by way of it", () => links(stage) === 6, 10_000);
  });

  it("dials as many as it is to, and others where one of them is gone", () => {
    const stage = Stage.open(1, { followers: 14, ...ONE_ADDRESS });
    stage.advance(30_000);
    const chosen = stage.up.map((index) => stage.status(index).sizes["addressesDialed"] as number);
    expect(Math.max(...chosen)).toBeLessThanOrEqual(OUTBOUND_PEERS);
    // Who knows all others has dialed, or is linked with nearly everybody.
    for (const index of stage.up) expect(size(stage, index)).toBeGreaterThan(10);
    const before = stage.up.map(
      (index) => stage.up.filter((peer) => peer !== index && linked(stage, index, peer)).length,
    );
    expect(Math.min(...before)).toBeGreaterThanOrEqual(OUTBOUND_PEERS);
    for (const index of [0, 3, 7]) stage.crash(index);
    stage.advance(2 * DIAL_PATIENCE_MS);
    for (const index of stage.up) {
      const others = stage.up.filter((peer) => peer !== index && linked(stage, index, peer)).length;
      expect(others, `links of node ${index}`).toBeGreaterThanOrEqual(OUTBOUND_PEERS - 1);
    }
  });
});

describe("a neighbour that lies about addresses", () => {
  /** A mesh of three nodes and their neighbour 3, whose every word is the test's. */
  function open(): { stage: Stage; say: (keys: number, from: number, forged: boolean) => boolean } {
    const stage = Stage.open(1, { followers: 3, ...ONE_ADDRESS });
    const puppet = stage.puppet(3);
    puppet.connect(1);
    const { keys, genesis } = stage.simulation;
    const say = (count: number, from: number, forged: boolean): boolean => {
      const records = Array.from({ length: count }, (_, i) => {
        const key = keys.makeKey(`liar ${from + i}`);
        return makeAddressRecord(
          key,
          stage.node(1).clockMs,
          [`/ip4/9.9.${(from + i) >> 8}.${(from + i) & 255}/tcp/1`],
          (content) => keys.sign(forged ? puppet.key : key, signingDigest("addresses", genesis.chainId, content)),
        );
      });
      return puppet.unicast(1, "bulk", encodeAddressRecords(records));
    };
    return { stage, say };
  }

  it("under other nodes' names loses its link, and nothing of it is kept", () => {
    const { stage, say } = open();
    const before = size(stage, 1);
    say(3, 0, true);
    stage.advance(100);
    expect(size(stage, 1)).toBe(before);
    expect(say(1, 10, false)).toBe(false);
  });

  it("with ever more keys and links takes no more than its share; who is linked and who produces stays", () => {
    const { stage, say } = open();
    const puppet = stage.puppet(3);
    const known = size(stage, 1);
    puppet.takeBill();
    for (let from = 0; from < 6_000; from += RECORDS_MAX) {
      say(RECORDS_MAX, from, false);
      stage.advance(100);
    }
    const seconds = (6_000 / RECORDS_MAX) * 0.1;
    expect(size(stage, 1)).toBe(known + TOLD_BY_ONE_MAX);
    // Of what comes by one link few signatures are looked at.
    expect(puppet.takeBill().signatureChecks).toBeLessThanOrEqual(RECORDS_AT_ONCE + RECORDS_A_SECOND * seconds + 1);
    for (let from = 6_000; from < 12_000; from += RECORDS_MAX) {
      puppet.disconnect(1);
      puppet.connect(1);
      say(RECORDS_MAX, from, false);
      stage.advance(20);
    }
    expect(size(stage, 1)).toBeLessThanOrEqual(known + TOLD_BY_ONE_MAX);
    stage.advance(10_000);
    const kept = stage.simulation.dialing.kept(1).map(({ record }) => record.node);
    expect(kept).toEqual(expect.arrayContaining([stage.node(0).key, stage.node(2).key]));
    stage.commit(1);
  });
});
