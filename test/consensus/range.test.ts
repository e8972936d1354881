/** A range is trusted by hash: what is not linked, not proven or not what was asked for is refused. */
import { describe, expect, it } from "vitest";
import { inclusionProof, leafHash } from "../../chain/merkle.ts";
import { decodePayload, encodeRangeResponsePayload } from "../../consensus/messages.ts";
import { type Anchor, type BlockParts, openRange, type RangeResponse } from "../../consensus/sync/range.ts";
import { concatBytes, hexBytes } from "../../src/base/bytes.ts";
import { makeTransaction, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const chain: NaiveBlock[] = [naiveGenesis(genesis)];
for (let i = 1; i <= 40; i++) {
  chain.push(naiveChild(genesis, chain[i - 1] as NaiveBlock, { transactions: [makeTransaction(`put k${i} v`, i)] }));
}
const leaves = concatBytes(...chain.map(({ id }) => leafHash(hexBytes(id))));
const anchor = anchorAt(40);

function at(height: number): NaiveBlock {
  return chain[height] as NaiveBlock;
}
function anchorAt(height: number): Anchor {
  return { height, id: at(height).id, historyRoot: at(height).block.header.historyRoot };
}
function range(from: number, last: number, blocks: readonly BlockParts[] = parts(from, last)): RangeResponse {
  const path = last === anchor.height ? [] : inclusionProof(leaves.subarray(0, 32 * anchor.height), last);
  const frame = encodeRangeResponsePayload(blocks, { from, anchorHeight: anchor.height, path });
  const decoded = decodePayload(genesis.chainId, frame);
  if (!decoded.ok || decoded.value.kind !== "rangeResponse") throw new Error("undecodable");
  return decoded.value.response;
}
function parts(from: number, last: number): BlockParts[] {
  return chain.slice(from, last + 1).map(({ block }) => block);
}
function codeOf(response: RangeResponse, from: number, to: number): string {
  const opened = openRange(response, from, to, anchor);
  return opened.ok ? "ok" : opened.error.code;
}

describe("a range", () => {
  it.each([
    [1, 10],
    [7, 7],
    [30, 39],
    [31, 40],
    [40, 40],
  ])("from %d to %d opens without a signature looked at", (from, last) => {
    const blocks = parts(from, last).map((block) => ({ ...block, signature: new Uint8Array(64) }));
    const opened = openRange(range(from, last, blocks), from, last, anchor);
    expect(opened.ok && opened.value.map(({ id }) => id)).toEqual(chain.slice(from, last + 1).map(({ id }) => id));
  });

  it("may end before what was asked for, not after it", () => {
    expect(codeOf(range(5, 8), 5, 20)).toBe("ok");
    expect(codeOf(range(5, 8), 5, 7)).toBe("RANGE_BOUNDS");
    expect(codeOf(range(5, 4, []), 5, 7)).toBe("RANGE_BOUNDS");
  });

  it("with a body that does not match its header is refused", () => {
    const blocks = parts(5, 8).map((block, i) => (i === 1 ? { ...block, body: at(20).block.body } : block));
    expect(codeOf(range(5, 8, blocks), 5, 8)).toBe("RANGE_BLOCK");
  });

  it("whose blocks are not each the parent of the next is refused", () => {
    const other = naiveChild(genesis, at(5), { time: at(6).block.header.time + 1 }).block;
    expect(codeOf(range(5, 8, [at(5).block, other, at(7).block, at(8).block]), 5, 8)).toBe("RANGE_LINK");
    expect(codeOf(range(5, 8, [at(5).block, at(7).block, at(8).block]), 5, 8)).toBe("RANGE_LINK");
    expect(codeOf(range(5, 8, parts(6, 8)), 5, 8)).toBe("RANGE_LINK");
  });

  it("whose last block is not in the anchor's history is refused", () => {
    const other = naiveChild(genesis, at(7), { time: at(8).block.header.time + 1 }).block;
    expect(codeOf(range(5, 8, [...parts(5, 7), other]), 5, 8)).toBe("RANGE_PROOF");
    const proven = range(5, 8);
    const wrong = { ...proven, proof: { ...proven.proof, path: range(5, 9).proof.path } };
    expect(codeOf(wrong, 5, 8)).toBe("RANGE_PROOF");
    expect(openRange(proven, 5, 8, anchorAt(39)).ok).toBe(false);
    const fork = naiveChild(genesis, at(39), { time: at(40).block.header.time + 1 }).block;
    expect(codeOf(range(38, 40, [...parts(38, 39), fork]), 38, 40)).toBe("RANGE_PROOF");
  });
});
