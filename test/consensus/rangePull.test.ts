/** Catching up from far behind, by hand: who is asked for what and when, and what comes out in which order. */
import { describe, expect, it } from "vitest";
import { inclusionProof, leafHash } from "../../chain/merkle.ts";
import { decodePayload, encodeRangeResponsePayload } from "../../consensus/messages.ts";
import { LACKS_SHUN_MS, RANGE_TIMEOUT_MS, type SyncLimits } from "../../consensus/sync/constants.ts";
import type { Anchor, RangeRequest, RangeResponse } from "../../consensus/sync/range.ts";
import { RangeBatch } from "../../consensus/sync/rangeBatch.ts";
import { RangePull } from "../../consensus/sync/rangePull.ts";
import { concatBytes, hexBytes } from "../../src/base/bytes.ts";
import { type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const chain: NaiveBlock[] = [naiveGenesis(genesis)];
for (let i = 1; i <= 200; i++) chain.push(naiveChild(genesis, chain[i - 1] as NaiveBlock));
const leaves = concatBytes(...chain.map(({ id }) => leafHash(hexBytes(id))));
const LIMITS: SyncLimits = { farBehindBlocks: 20, rangeBlocks: 10, rangeBytes: 1_000, pullRanges: 8 };

function anchorAt(height: number): Anchor {
  const { id, block } = chain[height] as NaiveBlock;
  return { height, id, historyRoot: block.header.historyRoot };
}

class Bench {
  now = 0;
  anchor = anchorAt(100);
  readonly sources = new Map<string, number>();
  asked: { readonly peer: string; readonly request: RangeRequest }[] = [];
  readonly blamed: string[] = [];
  readonly unrequested: string[] = [];
  readonly taken: number[] = [];
  readonly pull = new RangePull({
    limits: LIMITS,
    now: () => this.now,
    anchor: () => this.anchor,
    sources: () => this.sources,
    request: (peer, request) => void this.asked.push({ peer, request }),
    fault: (peer, what) => void (what === "invalidRange" ? this.blamed : this.unrequested).push(peer),
  });

  constructor(...peers: string[]) {
    for (const peer of peers) this.sources.set(peer, 150);
    this.pull.begin(0);
  }

  /** Takes out what a peer, or anybody, was asked for. */
  askedOf(peer?: string): RangeRequest[] {
    const [mine, rest] = [this.asked.filter((each) => peer === undefined || each.peer === peer), this.asked];
    this.asked = rest.filter((each) => !mine.includes(each));
    return mine.map(({ request }) => request);
  }
  answer(peer: string, request: RangeRequest, count = request.to - request.from + 1, from = request.from): void {
    this.pull.receive(peer, response(request, count, from));
  }
  takeAll(): void {
    for (let blocks = this.pull.take(); blocks !== undefined; blocks = this.pull.take())
      this.taken.push(...blocks.map(({ header }) => header.height));
  }
  /** Everybody but `silent` answers until nothing more is asked. */
  run(silent: readonly string[] = []): void {
    for (let rounds = 0; rounds < 1_000 && this.asked.length > 0; rounds++) {
      const now = this.asked;
      this.asked = [];
      for (const { peer, request } of now) if (!silent.includes(peer)) this.answer(peer, request);
      this.takeAll();
    }
  }
}

function response({ from, anchorHeight }: RangeRequest, count: number, start = from): RangeResponse {
  const last = start + count - 1;
  const path = count === 0 || last === anchorHeight ? [] : inclusionProof(leaves.subarray(0, 32 * anchorHeight), last);
  const blocks = chain.slice(start, start + count).map(({ block }) => block);
  const decoded = decodePayload(genesis.chainId, encodeRangeResponsePayload(blocks, { from, anchorHeight, path }));
  if (!decoded.ok || decoded.value.kind !== "rangeResponse") throw new Error("undecodable");
  return decoded.value.response;
}

const ALL = Array.from({ length: 100 }, (_, i) => i + 1);

describe("a pull", () => {
  it("asks several peers at once and hands over in order, whatever comes first", () => {
    const bench = new Bench("a", "b");
    expect(new Set(bench.asked.map(({ peer }) => peer))).toEqual(new Set(["a", "b"]));
    const first = bench.asked.splice(0).reverse();
    for (const { peer, request } of first) bench.answer(peer, request);
    bench.takeAll();
    bench.run();
    expect(bench.taken).toEqual(ALL);
    expect(bench.pull.isDone).toBe(true);
  });

  it("never has more ranges under way than the bound, and always asks for the first", () => {
    const bench = new Bench("a", "b", "c", "d");
    expect(bench.pull.ranges).toBe(LIMITS.pullRanges);
    const [first, ...rest] = bench.asked.splice(0);
    for (const { peer, request } of rest) bench.answer(peer, request);
    expect(bench.asked).toEqual([]);
    expect(bench.pull.take()).toBeUndefined();
    bench.answer((first as { peer: string }).peer, (first as { request: RangeRequest }).request, 4);
    bench.takeAll();
    // The rest of the first is asked for at once, and nothing further.
    expect(bench.asked.map(({ request }) => request.from)).toEqual([5]);
    expect(bench.pull.ranges).toBe(LIMITS.pullRanges);
  });

  it("asks another peer for what did not come in time, and the late one last", () => {
    const bench = new Bench("a", "b");
    const late = bench.askedOf("a");
    bench.run();
    expect(bench.pull.isDone).toBe(false);
    bench.now += RANGE_TIMEOUT_MS;
    bench.pull.tick();
    const again = bench.askedOf("b").map(({ from }) => from);
    expect(again).toEqual(late.map(({ from }) => from));
    for (const request of late) bench.answer("b", request);
    bench.takeAll();
    bench.run();
    expect(bench.taken).toEqual(ALL);
  });

  it("takes an answer that comes late when nobody else was faster", () => {
    const bench = new Bench("a");
    const [request] = bench.askedOf() as [RangeRequest];
    bench.now += RANGE_TIMEOUT_MS;
    bench.pull.tick();
    bench.answer("a", request);
    bench.takeAll();
    expect(bench.taken).toEqual(ALL.slice(0, 10));
  });

  it("blames nobody whose answer comes too late to be of use, but who answers twice or was not asked", () => {
    const bench = new Bench("a", "b");
    const [byStream, byOther] = bench.askedOf("a") as [RangeRequest, RangeRequest];
    bench.pull.passed(byStream.to);
    bench.answer("a", byStream);
    bench.now += RANGE_TIMEOUT_MS;
    bench.pull.tick();
    bench.answer("b", byOther);
    const owed = (peer: string): boolean => bench.pull.owes(peer, byOther.from, byOther.anchorHeight);
    expect([owed("a"), owed("b"), owed("c")]).toEqual([true, false, false]);
    bench.answer("a", byOther);
    expect([owed("a"), bench.unrequested]).toEqual([false, []]);
    bench.answer("a", byOther);
    bench.answer("c", byOther);
    expect(bench.unrequested).toEqual(["a", "c"]);
  });

  it("blames who sends what is not proven, and asks others for it", () => {
    const bench = new Bench("a", "b");
    const [request] = bench.askedOf("a") as [RangeRequest];
    bench.answer("a", request, 5, request.from + 1);
    expect(bench.blamed).toEqual(["a"]);
    bench.pull.peerDown("a");
    bench.run(["a"]);
    expect(bench.taken).toEqual(ALL);
    expect(bench.asked.filter(({ peer }) => peer === "a")).toEqual([]);
  });

  it("asks others when a peer goes, or does not hold what the anchor proves", () => {
    const bench = new Bench("a", "b", "c");
    const [request] = bench.askedOf("a") as [RangeRequest];
    bench.answer("a", request, 0);
    bench.sources.delete("b");
    bench.pull.peerDown("b");
    bench.asked = bench.asked.filter(({ peer }) => peer === "c");
    bench.run();
    expect(bench.taken).toEqual(ALL);
    expect(bench.blamed).toEqual([]);
  });

  it("who refused is asked again after a while: its disk may read again", () => {
    const bench = new Bench("a");
    const [first] = bench.askedOf() as [RangeRequest];
    bench.answer("a", first, 0);
    expect([bench.askedOf(), bench.pull.isStarved, bench.pull.deadline]).toEqual([[], true, LACKS_SHUN_MS]);
    bench.now = LACKS_SHUN_MS;
    bench.pull.tick();
    expect(bench.asked[0]?.request).toEqual(first);
    bench.run();
    expect([bench.taken.length, bench.pull.isDone]).toEqual([100, true]);
  });

  it("without a peer that serves it is starved, until one comes", () => {
    const bench = new Bench();
    bench.sources.set("low", 50);
    bench.pull.proceed();
    expect([bench.asked.length, bench.pull.isStarved]).toEqual([0, true]);
    bench.sources.set("a", 100);
    bench.pull.proceed();
    expect(bench.pull.isStarved).toBe(false);
    bench.run();
    expect(bench.taken).toEqual(ALL);
  });

  it("goes on to a newer anchor when the chain has grown by more than what is streamed", () => {
    const bench = new Bench("a");
    bench.anchor = anchorAt(105);
    bench.run();
    expect([bench.taken.at(-1), bench.pull.isDone]).toEqual([100, true]);
    const grown = new Bench("a");
    grown.anchor = anchorAt(140);
    grown.run();
    expect([grown.taken.at(-1), grown.pull.isDone]).toEqual([140, true]);
    grown.pull.end();
    expect(grown.pull.isPulling).toBe(false);
  });

  it("leaves out what has become irreversible by other ways", () => {
    const bench = new Bench("a");
    bench.pull.passed(25);
    bench.asked = [];
    bench.now += RANGE_TIMEOUT_MS;
    bench.pull.tick();
    bench.run();
    expect(bench.taken).toEqual(ALL.slice(20));
    const overtaken = new Bench("a");
    overtaken.pull.passed(120);
    expect(overtaken.pull.isDone).toBe(true);
  });
});

describe("a range's states", () => {
  it("each edge throws from a state that does not have it", () => {
    const batch = new RangeBatch(1, 10, anchorAt(100));
    expect(() => batch.giveBack()).toThrow("waiting");
    expect(() => batch.take()).toThrow("waiting");
    batch.ask("a", 1);
    expect(() => batch.ask("b", 1)).toThrow("asked");
    expect(() => batch.take()).toThrow("asked");
    batch.giveBack();
    batch.ask("b", 2);
    const rest = batch.arrive([(chain[1] as NaiveBlock).block]);
    expect(rest && [rest.from, rest.to, rest.state.kind]).toEqual([2, 10, "waiting"]);
    expect(() => batch.arrive([])).toThrow("arrived");
    expect(() => batch.giveBack()).toThrow("arrived");
    expect(batch.take()).toHaveLength(1);
  });
});
