import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { decodeCertificate } from "../../consensus/certificate.ts";
import { AckTable } from "../../consensus/leading/ackTable.ts";
import { makeLedger } from "../fixtures/memoryLedger.ts";
import {
  CHAIN_ID,
  fakeSignature,
  KEYS,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const genesis = testGenesis({}, KEYS);
const SELF = KEYS[0] as string;
const VIEW = 2;
const MAJORITY = 3;

/** Ten blocks of one view. */
function makeLine(): BlockNode[] {
  const { ledger } = makeLedger(genesis);
  const nodes: BlockNode[] = [];
  let parent: NaiveBlock = naiveGenesis(genesis);
  for (let i = 0; i < 10; i++) {
    parent = naiveChild(genesis, parent, { view: VIEW });
    ledger.add(parent.block);
    nodes.push(ledger.get(parent.id) as BlockNode);
  }
  return nodes;
}
const nodes = makeLine();
const ack = (signer: string, node: BlockNode): { node: BlockNode; signature: Uint8Array } => ({
  node,
  signature: fakeSignature(signer + node.id),
});

describe("a leader's acks (docs/protocol.md, sections 4 and 5)", () => {
  it("the greatest block that a majority holds is decided [S3], and its certificate stands", () => {
    const acks = fc.array(fc.tuple(fc.nat(KEYS.length - 1), fc.nat(nodes.length - 1)), { maxLength: 20 });
    fc.assert(
      fc.property(acks, (given) => {
        const table = new AckTable();
        const best = new Map<string, BlockNode>();
        for (const [who, what] of given) {
          const [signer, node] = [KEYS[who] as string, nodes[what] as BlockNode];
          const news = node.height > (best.get(signer)?.height ?? 0);
          expect(table.record(signer, ack(signer, node))).toBe(news);
          if (news) best.set(signer, node);
        }
        const holders = (height: number): number => [...best.values()].filter((node) => node.height >= height).length;
        const decided = nodes.filter((node) => holders(node.height) >= MAJORITY).at(-1);
        expect(table.decided(nodes.at(-1) as BlockNode, 0)?.id).toBe(decided?.id);
        if (decided === undefined) return;

        const bytes = table.certificate(decided, SELF, (node) => fakeSignature(SELF + node.id));
        const certificate = decodeCertificate(bytes, CHAIN_ID, lookupOf(genesis.configuration));
        if (!certificate.ok) throw new Error(certificate.error.detail);
        expect([certificate.value.id, certificate.value.claims.length]).toEqual([decided.id, MAJORITY]);
        for (const { key, signature } of certificate.value.claims) {
          const of = key === SELF ? decided : (best.get(key) as BlockNode);
          expect(signature).toEqual(fakeSignature(key + of.id));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("the certificate takes the acks nearest above the block: its path is as short as can be", () => {
    const table = new AckTable();
    [9, 3, 2, 8].forEach((height, i) =>
      table.record(KEYS[i + 1] as string, ack(KEYS[i + 1] as string, nodes[height] as BlockNode)),
    );
    const bytes = table.certificate(nodes[2] as BlockNode, SELF, () => new Uint8Array(64));
    const certificate = decodeCertificate(bytes, CHAIN_ID, lookupOf(genesis.configuration));
    expect(certificate.ok && certificate.value.claims.map((claim) => claim.key)).toEqual([KEYS[3], KEYS[2], KEYS[4]]);
  });
});
