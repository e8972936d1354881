import { describe, expect, it } from "vitest";
import { Conduct, FAULT_CLASSES, FAULT_WEIGHTS, type FaultClass } from "../../src/replica/conduct.ts";
import {
  DUPLICATES_BEYOND_REASON,
  FAULT_REPORT_EVERY_MS,
  REQUESTS_AT_ONCE,
  SCORE_BOUND,
  SCORE_HALF_LIFE_MS,
  SCORED_PEERS_MAX,
  SLOWED_REQUESTS_A_SECOND,
} from "../../src/replica/constants.ts";

const [PRODUCER, PEER, OTHER] = ["producer", "peer", "other"] as const;
const GRAVE = FAULT_CLASSES.filter((each) => FAULT_WEIGHTS[each] >= SCORE_BOUND);

class Node {
  now = 1_000;
  readonly disconnected: [string, string][] = [];
  readonly reported: unknown[] = [];
  readonly conduct = new Conduct({
    now: () => this.now,
    isProducer: (peer) => peer === PRODUCER,
    disconnect: (peer, reason) => void this.disconnected.push([peer, reason]),
    log: (_, message, fields) => void this.reported.push([message, fields["peer"], fields["fault"]]),
  });
  constructor() {
    for (const peer of [PRODUCER, PEER, OTHER]) this.conduct.peerUp(peer);
  }
  fault(peer: string, what: FaultClass, times = 1): void {
    for (let i = 0; i < times; i++) this.conduct.fault(peer, what, "why");
  }
  /** Of so many requests at once. */
  admitted(peer: string, requests: number): number {
    return Array.from({ length: requests }, () => this.conduct.admits(peer, false)).filter(Boolean).length;
  }
}

describe("misbehaviour (docs/protocol.md, section 1)", () => {
  it.each(GRAVE)(
    "%s costs a non-producer its link at once, and a producer no link: it is slowed and reported",
    (what) => {
      const node = new Node();
      node.fault(PEER, what);
      expect(node.disconnected).toEqual([[PEER, what === "undecodable" ? "undecodable" : "misbehaviour"]]);
      node.fault(PRODUCER, what, 50);
      expect(node.disconnected).toHaveLength(1);
      expect(node.reported).toEqual([["a producer misbehaves", PRODUCER, what]]);
      expect([node.conduct.isSlowed(PRODUCER), node.conduct.isSlowed(OTHER)]).toEqual([true, false]);
    },
  );

  it("what does not decode on the chain lane gives a producer a new link: the stream has a hole", () => {
    const node = new Node();
    node.conduct.fault(PRODUCER, "undecodable", "why", "chain");
    expect(node.disconnected).toEqual([[PRODUCER, "undecodable"]]);
  });

  it("lesser faults add up: half the bound slows, the bound costs the link", () => {
    const node = new Node();
    node.fault(PEER, "refusedMessage", 4);
    expect([node.conduct.isSlowed(PEER), node.disconnected]).toEqual([false, []]);
    node.fault(PEER, "refusedMessage");
    expect([node.conduct.isSlowed(PEER), node.disconnected]).toEqual([true, []]);
    node.fault(PEER, "refusedMessage", 5);
    expect(node.disconnected).toEqual([[PEER, "misbehaviour"]]);
  });

  it("a score decays by half in each half-life: slips that are far apart never cost a link", () => {
    const node = new Node();
    node.fault(PEER, "refusedMessage", 8);
    node.now += SCORE_HALF_LIFE_MS;
    expect(node.conduct.score(PEER)).toBeCloseTo(40);
    for (let hour = 0; hour < 100; hour++) {
      node.fault(PEER, "refusedMessage", 4);
      node.now += SCORE_HALF_LIFE_MS;
    }
    expect(node.disconnected).toEqual([]);
    node.now += 8 * SCORE_HALF_LIFE_MS;
    expect(node.conduct.score(PEER)).toBe(0);
  });

  it("a score outlives the link, is forgiven in bounded time, and scores of many peers are bounded", () => {
    const node = new Node();
    node.fault(PEER, "badSignature", 1_000);
    node.conduct.peerDown(PEER);
    node.conduct.peerUp(PEER);
    expect(node.conduct.isSlowed(PEER)).toBe(true);
    node.now += 2 * SCORE_HALF_LIFE_MS + 1;
    expect(node.conduct.isSlowed(PEER)).toBe(false);
    for (let i = 0; i < 2 * SCORED_PEERS_MAX; i++) node.fault(`peer ${i}`, "unrequested");
    expect(node.conduct.scored).toBe(SCORED_PEERS_MAX);
  });

  it("too many requests: an honest burst is served, a flood costs its sender the link and nobody else", () => {
    const node = new Node();
    expect([node.admitted(PEER, REQUESTS_AT_ONCE), node.disconnected]).toEqual([REQUESTS_AT_ONCE, []]);
    expect(node.admitted(PEER, SCORE_BOUND)).toBe(0);
    expect(node.disconnected).toEqual([[PEER, "misbehaviour"]]);
    expect([node.admitted(OTHER, 10), node.conduct.score(OTHER)]).toEqual([10, 0]);
  });

  it("of a peer that is slowed, so many requests a second are looked at", () => {
    const node = new Node();
    node.fault(PRODUCER, "invalidBlock");
    node.admitted(PRODUCER, REQUESTS_AT_ONCE);
    node.now += 1_000;
    expect(node.admitted(PRODUCER, 1_000)).toBe(SLOWED_REQUESTS_A_SECOND);
  });

  it("duplicates that news explain are no fault, others are, at last", () => {
    const node = new Node();
    for (let i = 0; i < 10 * DUPLICATES_BEYOND_REASON; i++) {
      node.conduct.news();
      for (const peer of [PEER, OTHER]) node.conduct.duplicate(peer);
    }
    expect(node.conduct.score(PEER)).toBe(0);
    for (let i = 0; i <= 10 * DUPLICATES_BEYOND_REASON + 10; i++) node.conduct.duplicate(PEER);
    expect(node.disconnected).toEqual([[PEER, "misbehaviour"]]);
    expect(node.conduct.score(OTHER)).toBe(0);
  });

  it("overload is counted and costs nothing", () => {
    const node = new Node();
    node.fault(PEER, "overload", 1_000);
    expect([node.conduct.score(PEER), node.conduct.counts.overload]).toEqual([0, 1_000]);
  });

  it("a producer's faults go to the log now and then, not each", () => {
    const node = new Node();
    node.fault(PRODUCER, "badSignature", 100);
    node.now += FAULT_REPORT_EVERY_MS;
    node.fault(PRODUCER, "badSignature");
    expect(node.reported).toHaveLength(2);
  });
});
