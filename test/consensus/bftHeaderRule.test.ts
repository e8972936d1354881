/** A block that opens a view, judged where what its timeout certificate reports is below the blocks that are kept. */
import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef } from "../../chain/header.ts";
import { lookupOf, singleSet } from "../../chain/producerSets.ts";
import { encodeQuorumCertificate, timeoutEntry } from "../../consensus/bft/certificates.ts";
import { bftHeaderRule } from "../../consensus/bft/headerRule.ts";
import { CHAIN_ID, fakeSignature, KEYS, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis({}, KEYS.slice(0, 4));
const zero = naiveGenesis(genesis);
const reported = naiveChild(genesis, zero, { view: 1 });
const { setsNamed } = lookupOf(genesis.configuration);
const rule = bftHeaderRule({ chainId: CHAIN_ID, setsNamed, genesis: { view: 0, height: 0, id: zero.id } });

const sign = (signer: number) => ({ signer, signature: fakeSignature(`${signer}`) });
const { view, height, id } = reported as BlockRef;
const highest = encodeQuorumCertificate(false, reported.block.headerBytes, [0, 1, 2].map(sign));
const reports = [0, 1, 2].map((signer) => ({ ...sign(signer), highQc: { view, height, id } }));

/** Opens view 5 on block 40 with a report of block 1, which this node has released long ago. */
const block = {
  id: "b".repeat(64),
  header: { height: 41, view: 5, producer: KEYS[5 % 4], irreversibleHeight: 30 },
  entry: timeoutEntry(5, reports, highest),
} as unknown as Block;
const parent = {
  block: { id: "a".repeat(64), header: { height: 40, view: 4, closing: false, irreversibleHeight: 30 } },
  setsAfter: singleSet(genesis.configuration),
} as unknown as BlockNode;

describe("a report below the blocks that are kept", () => {
  const judge = (idAt: (height: number) => string | undefined) => rule(block, parent, { idAt, setsNamed })?.code;

  it("counts as an ancestor: all there is irreversible, and a node whose pull ended in between refuses nothing decided", () => {
    expect(judge((at) => (at < 30 ? undefined : "a".repeat(64)))).toBeUndefined();
  });
  it("is none where another block is known to be there", () => {
    expect(judge(() => "c".repeat(64))).toBe("NOT_FROM_HIGHEST");
    expect(judge(() => id)).toBeUndefined();
  });
});
