import { describe, expect, it } from "vitest";
import { type Block, encodeBlockParts } from "../../chain/block.ts";
import { BLOCK_PREFIX } from "../../consensus/messages.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { KEYS, naiveChild, naiveGenesis, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";
import { makeReplica } from "../fixtures/replica.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const [SELF, PEER] = KEYS as [string, string];
const AHEAD = START_TIME + 10 * genesis.limits.clockToleranceMs;

describe("a block whose time is ahead of this node's clock (docs/protocol.md, section 4, time)", () => {
  /** It arrives, and its signature is valid if anybody asks. */
  function heldAfter(block: Block): { held: number; checks: number } {
    const replica = makeReplica(genesis, SELF, START_TIME);
    replica.step({ kind: "peerUp", peer: PEER }, START_TIME);
    const frame = concatBytes(BLOCK_PREFIX, ...encodeBlockParts(block));
    const effects = replica.step({ kind: "received", from: PEER, lane: "chain", frame }, START_TIME);
    const checks = effects.filter(({ kind }) => kind === "checkSignatures").length;
    if (checks > 0) replica.step({ kind: "signaturesChecked", batch: 1, valid: [true] }, START_TIME);
    return { held: replica.status().sizes["held"] as number, checks };
  }

  it("is held once its signature was checked", () => {
    expect(heldAfter(naiveChild(genesis, root, { time: AHEAD }).block)).toEqual({ held: 1, checks: 1 });
  });

  it("is not held where it could never be taken in, at a height that is irreversible: nobody checked who made it", () => {
    const { block } = naiveChild(genesis, root, { time: AHEAD, wrong: { height: 0 } });
    expect(heldAfter(block)).toEqual({ held: 0, checks: 0 });
  });
});
