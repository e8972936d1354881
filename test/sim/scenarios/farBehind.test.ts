/** Who is far behind pulls ranges (docs/protocol.md, section 3): from several sources, whatever becomes of them. */
import { describe, expect, it } from "vitest";
import { decodeBlock } from "../../../chain/block.ts";
import { elementAt } from "../../../chain/byteList.ts";
import { decodePayload, encodeRangeResponsePayload } from "../../../consensus/messages.ts";
import type { Lane } from "../../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { falselySigned } from "../../../tools/sim/liar.ts";
import { NO_FAULTS, NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { comeToRest } from "../../../tools/sim/run.ts";
import { readWire } from "../../../tools/sim/wire.ts";
import { Stage, type StageOptions } from "../../../tools/sim/scenarios/stage.ts";

const LIMITS = { farBehindBlocks: 32, rangeBlocks: 16, rangeBytes: 16 * 1024, pullRanges: 8 };
const FOLLOWER = 3;

/** What reaches the follower, and what it says of itself. */
class Watched {
  streamed = 0;
  pulls = 0;
}

/** Three producers with so many blocks; node 3, the follower, has none of them and is down. */
function farBehind(
  blocks: number,
  options: StageOptions = {},
  down: readonly number[] = [FOLLOWER],
): { stage: Stage; watched: Watched } {
  const watched = new Watched();
  const stage = Stage.open(3, {
    followers: 1,
    syncLimits: LIMITS,
    ...options,
    onlooker: {
      stepped: (node, input, effects) => {
        if (node.index !== FOLLOWER) return;
        if (input.kind === "received" && input.lane === "chain") {
          const message = readWire("chain", [input.frame]);
          if (message.kind === "block") watched.streamed++;
        }
        for (const effect of effects)
          if (effect.kind === "log" && effect.message.includes("pulls ranges")) watched.pulls++;
        const { sync, sizes } = node.replica.status();
        if ((sizes["pullRanges"] ?? 0) > 0) expect(sync.state).toBe("syncing");
      },
    },
  });
  for (const each of down) stage.crash(each);
  while (stage.simulation.watch.finality.height < blocks) stage.commit(stage.leader);
  return { stage, watched };
}

/** A range as a liar sends it: of some blocks up to a height the signatures are false, which no hash covers. */
function withFalseSignatures(lane: Lane, parts: readonly Uint8Array[], upTo: number): readonly Uint8Array[] {
  const opened = lane === "bulk" ? decodeEnvelope(concatBytes(...parts)) : undefined;
  const decoded = opened && decodePayload("", opened.payload);
  if (decoded?.ok !== true || decoded.value.kind !== "rangeResponse") return parts;
  const { blocks, proof } = decoded.value.response;
  const lies = Array.from({ length: blocks.count }, (_, index) => {
    const block = decodeBlock(elementAt(blocks, index));
    if (!block.ok) throw new Error(block.error.code);
    const { height } = block.value.header;
    return height <= upTo && height % 10 === 5 ? falselySigned(block.value) : block.value;
  });
  return encodeEnvelope(opened!.envelope, encodeRangeResponsePayload(lies, proof));
}

function caughtUp(stage: Stage, boundMs = 30_000): void {
  stage.until("it has caught up", () => stage.height(FOLLOWER) >= stage.simulation.watch.finality.height, boundMs);
}

describe("a follower far behind", () => {
  it("pulls what is far and is streamed what is near: nothing twice", { timeout: 120_000 }, () => {
    const { stage, watched } = farBehind(2_100, { syncLimits: undefined as never });
    stage.start(FOLLOWER);
    caughtUp(stage);
    expect(watched.pulls).toBe(1);
    // What is inside the window, by at most all three producers.
    expect(watched.streamed).toBeLessThanOrEqual(3 * 256);
    comeToRest(stage.simulation);
  });

  it("catches up while the chain grows, and pulls again when it falls behind again", { timeout: 60_000 }, () => {
    const { stage, watched } = farBehind(200, { workload: { ...NO_WORKLOAD, transactionsPerSecond: 60 } });
    stage.simulation.beginWorkload();
    stage.start(FOLLOWER);
    stage.advance(4_000);
    expect(stage.height(FOLLOWER)).toBeGreaterThan(stage.height(stage.leader) - LIMITS.farBehindBlocks);
    expect(watched.pulls).toBe(1);
    stage.simulation.network.clog(FOLLOWER);
    stage.cutOff(FOLLOWER);
    stage.advance(12_000);
    stage.simulation.network.clearAll();
    stage.advance(8_000);
    expect(watched.pulls).toBeGreaterThan(1);
    expect(stage.height(FOLLOWER)).toBeGreaterThan(stage.height(stage.leader) - LIMITS.farBehindBlocks);
    stage.simulation.endWorkload();
    comeToRest(stage.simulation);
  });

  it("goes on with others when one source stalls, and when one dies", { timeout: 60_000 }, () => {
    const { stage, watched } = farBehind(600);
    const [stalled, dying] = stage.others(stage.leader, FOLLOWER) as [number, number];
    stage.start(FOLLOWER);
    stage.until("the pull is under way", () => stage.height(FOLLOWER) >= 32, 10_000);
    // It stays connected: nothing that it says gets through any more.
    stage.node(stalled).pause(60_000);
    stage.until("it goes on without it", () => stage.height(FOLLOWER) >= 300, 10_000);
    stage.crash(dying, true);
    stage.until("it goes on without both", () => stage.height(FOLLOWER) >= 560, 20_000);
    expect(watched.pulls).toBe(1);
    stage.start(dying);
    caughtUp(stage);
  });

  it("takes nothing of a source that lies, and needs it for nothing", { timeout: 60_000 }, () => {
    const { stage } = farBehind(300, { followers: 2, faults: { ...NO_FAULTS, lies: true } });
    stage.until("the liar has the chain", () => stage.height(4) === stage.height(0), 2_000);
    stage.start(FOLLOWER);
    caughtUp(stage);
    stage.settle();
  });

  it("does not stream on what it has not checked, and who is below it gets everything", { timeout: 60_000 }, () => {
    // 4 is the follower's only source, and what it sends is true by its hashes; 5 is connected to the follower alone.
    const [source, below] = [4, 5];
    const { stage } = farBehind(300, { followers: 3 }, [FOLLOWER, below]);
    stage.node(source).hostile = {
      index: source,
      garbles: false,
      instead: (lane, parts) => [withFalseSignatures(lane, parts, 200)],
      healed: () => undefined,
    };
    stage.part([FOLLOWER], [0, 1, 2, source]);
    stage.part([below], [0, 1, 2, source]);
    stage.start(FOLLOWER);
    stage.start(below);
    stage.advance(2_000);
    stage.join([FOLLOWER], [source]);
    stage.until("the follower streams to who is below it", () => stage.height(below) > 0, 10_000);
    expect(stage.height(FOLLOWER)).toBeLessThan(200);
    stage.until("it has caught up", () => stage.height(below) >= stage.simulation.watch.finality.height, 60_000);
    expect(stage.simulation.watch.finality.height).toBe(stage.height(FOLLOWER));
  });

  it("that dies on the way goes on where its disk was", { timeout: 60_000 }, () => {
    const { stage, watched } = farBehind(600);
    let before = 0;
    for (const at of [48, 150, 300, 450]) {
      stage.start(FOLLOWER);
      expect(stage.height(FOLLOWER)).toBeGreaterThanOrEqual(before);
      stage.until(`it is at ${at}`, () => stage.height(FOLLOWER) >= at, 20_000);
      before = stage.height(FOLLOWER);
      stage.crash(FOLLOWER, true);
    }
    stage.start(FOLLOWER);
    caughtUp(stage);
    expect(watched.pulls).toBe(5);
    comeToRest(stage.simulation);
  });

  it("without any source that has the blocks says so", { timeout: 60_000 }, () => {
    // More than is asked for at once, and under way when it is cut off.
    const { stage } = farBehind(300);
    stage.start(FOLLOWER);
    stage.until("the pull is under way", () => stage.height(FOLLOWER) >= 16, 10_000);
    stage.cutOff(FOLLOWER);
    stage.advance(10_000);
    const { sync } = stage.status(FOLLOWER);
    expect([sync.state, sync.stalledBecause]).toEqual([
      "syncing",
      "no connected peer serves the blocks that come next",
    ]);
    stage.heal();
    caughtUp(stage);
  });
});
