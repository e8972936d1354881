import { describe, expect, it } from "vitest";
import type { NoticeKind } from "../../consensus/notice.ts";
import { NOTICE_CLOCK_MS, PRESENCE_EVERY_MS, SILENT_AFTER_MS, WATCH_EVERY_MS } from "../../src/replica/constants.ts";
import { ProducerWatch } from "../../src/replica/producerWatch.ts";

const [SELF, A, B, FOLLOWER] = ["self", "a", "b", "follower"] as const;

class Node {
  now = 1_000_000;
  links = 2;
  readonly said: [NoticeKind, number][] = [];
  readonly redialed: string[] = [];
  readonly logged: string[] = [];
  readonly watch: ProducerWatch;
  producers: readonly string[] = [SELF, A, B];
  constructor(self: string = SELF) {
    this.watch = new ProducerWatch({
      self,
      producers: () => this.producers,
      now: () => this.now,
      hasLinks: () => this.links > 0,
      announce: (kind, at) => void this.said.push([kind, at]),
      redial: (peer) => void this.redialed.push(peer),
      log: (_, message) => void this.logged.push(message),
    });
  }
  /** `heard`: who says something in every second. */
  pass(ms: number, heard: readonly string[] = []): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(end, this.now + WATCH_EVERY_MS);
      for (const each of heard) this.watch.heard(each);
      this.watch.tick();
    }
  }
  notice(signer: string, kind: NoticeKind, at = this.now): boolean {
    return this.watch.receive({ signer, kind, at });
  }
  state(key: string): unknown {
    const found = this.watch.states().find((each) => each.key === key);
    return found?.because ?? found?.state;
  }
}

describe("a producer is faulty (docs/protocol.md, section 1, failure detector)", () => {
  it("when no signed message of it came for ten seconds, and until one comes", () => {
    const node = new Node();
    node.pass(SILENT_AFTER_MS - WATCH_EVERY_MS, [B]);
    expect([node.state(A), node.state(B)]).toEqual(["active", "active"]);
    node.pass(WATCH_EVERY_MS, [B]);
    expect([node.state(A), node.state(B)]).toEqual(["silent", "active"]);
    expect(node.notice(A, "nodePresence")).toBe(true);
    expect(node.state(A)).toBe("active");
    node.pass(2 * SILENT_AFTER_MS, [B]);
    node.watch.heard(A);
    expect(node.state(A)).toBe("active");
    expect(node.logged).toEqual(["faulty", "back", "faulty", "back"].map((word) => `a producer is ${word}`));
  });

  it("not while all that is idle is the chain: presence every three seconds is asked of each", () => {
    const [node, other] = [new Node(), new Node(A)];
    for (let second = 0; second < 60; second++) {
      for (const each of [node, other]) each.pass(WATCH_EVERY_MS);
      for (const [kind, at] of other.said.splice(0)) node.notice(A, kind, at);
      for (const [kind, at] of node.said.splice(0)) other.notice(SELF, kind, at);
    }
    expect([node.state(A), node.state(B), other.state(SELF)]).toEqual(["active", "silent", "active"]);
  });

  it("not after it said that it stops, whatever is still under way; and it is there again when it says so", () => {
    const node = new Node();
    node.notice(A, "nodeStopping");
    node.watch.heard(A);
    node.pass(3 * SILENT_AFTER_MS, [B]);
    expect(node.state(A)).toBe("stopped");
    expect(node.notice(A, "nodeStarting")).toBe(true);
    expect([node.state(A), node.redialed]).toEqual(["active", [A]]);
  });

  it("not while this node has no link, or did not run: it cannot tell", () => {
    const node = new Node();
    node.links = 0;
    node.pass(10 * SILENT_AFTER_MS);
    node.links = 1;
    node.now += 10 * SILENT_AFTER_MS;
    node.watch.tick();
    expect([node.state(A), node.state(B)]).toEqual(["active", "active"]);
    node.pass(SILENT_AFTER_MS);
    expect([node.state(A), node.state(B)]).toEqual(["silent", "silent"]);
  });

  it("when evidence names it, and that is not forgotten", () => {
    const node = new Node();
    node.watch.accuse(A, "two blocks of one height");
    node.notice(A, "nodePresence");
    node.notice(A, "nodeStopping", node.now + 1);
    expect(node.state(A)).toBe("two blocks of one height");
  });
});

describe("a notice", () => {
  it("counts once: an older one, or one of another time, is a replay and clears nothing", () => {
    const node = new Node();
    expect(node.notice(A, "nodePresence")).toBe(true);
    expect(node.notice(A, "nodePresence")).toBe(false);
    const at = node.now;
    node.pass(2 * SILENT_AFTER_MS, [B]);
    expect([node.notice(A, "nodePresence", at), node.state(A)]).toEqual([false, "silent"]);
    expect(node.notice(A, "nodePresence", node.now - NOTICE_CLOCK_MS - 1)).toBe(false);
    expect(node.notice(A, "nodePresence", node.now + NOTICE_CLOCK_MS + 1)).toBe(false);
    expect(node.notice(FOLLOWER, "nodePresence")).toBe(false);
    expect([node.state(A), node.state(FOLLOWER)]).toEqual(["silent", undefined]);
  });

  it("is of the producers as they are: who joins has ten seconds to be heard, who leaves is watched no more", () => {
    const node = new Node();
    node.pass(2 * SILENT_AFTER_MS, [B]);
    expect([node.state(A), node.state(B)]).toEqual(["silent", "active"]);
    node.producers = [SELF, B, FOLLOWER];
    node.watch.producersChanged();
    expect([node.state(A), node.state(B), node.state(FOLLOWER)]).toEqual([undefined, "active", "active"]);
    node.pass(SILENT_AFTER_MS, [B]);
    expect(node.state(FOLLOWER)).toBe("silent");
    expect([node.notice(FOLLOWER, "nodePresence"), node.notice(A, "nodePresence")]).toEqual([true, false]);
  });

  it("begins when a node joins the producers, and ends when it leaves them", () => {
    const node = new Node(FOLLOWER);
    node.pass(PRESENCE_EVERY_MS);
    node.producers = [A, B, FOLLOWER];
    node.watch.producersChanged();
    node.pass(WATCH_EVERY_MS);
    expect(node.said.splice(0).map(([kind]) => kind)).toEqual(["nodePresence"]);
    node.producers = [A, B];
    node.watch.producersChanged();
    node.pass(60_000);
    expect(node.said).toEqual([]);
  });

  it("is sent by producers alone: of a start on new links, of presence in turn, of a stop once and then no more", () => {
    const node = new Node();
    for (let i = 0; i < 5; i++) node.watch.peerUp();
    expect(node.said.splice(0)).toEqual([["nodeStarting", 1_000_000]]);
    node.pass(4 * PRESENCE_EVERY_MS);
    expect(node.said.splice(0).map(([kind]) => kind)).toEqual(Array(4).fill("nodePresence"));
    node.watch.peerUp();
    node.watch.leave();
    node.watch.leave();
    node.pass(60_000);
    expect(node.said.map(([kind]) => kind)).toEqual(["nodeStopping"]);
    const follower = new Node(FOLLOWER);
    follower.watch.peerUp();
    follower.pass(60_000);
    follower.watch.leave();
    expect(follower.said).toEqual([]);
  });
});
