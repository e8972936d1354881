import { expect, it } from "vitest";
import { Finality } from "../../consensus/finality.ts";
import { BestChain } from "../../consensus/sync/bestChain.ts";
import { PeerKnowledge } from "../../consensus/sync/peerKnowledge.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const left1 = naiveChild(genesis, root, { view: 1 });
const right1 = naiveChild(genesis, root, { view: 2 });
const left2 = naiveChild(genesis, left1, { view: 3 });
const NO_LOG = {
  idAt: () => undefined,
  heightOf: () => undefined,
  blockAt: () => undefined,
  changeProving: () => undefined,
  byId: () => undefined,
};

it("what a peer has of a branch is remembered while another one is best (docs/decisions/023)", () => {
  const { ledger } = makeLedger(genesis);
  const chain = new BestChain(ledger, NO_LOG);
  const known = new PeerKnowledge(chain);
  for (const { block } of [left1, right1, left2]) {
    ledger.add(block);
    settle(ledger);
    if (block !== left2.block) known.learnHeight(1);
  }
  expect([chain.head.id, known.height(), known.tips.length]).toEqual([left2.id, 1, 2]);
  known.learnHeight(2);
  expect(known.tips.map(({ id }) => id)).toEqual([right1.id, left2.id]);
  ledger.setIrreversible(ledger.get(left1.id) as NonNullable<ReturnType<typeof ledger.get>>);
  known.beforeRelease(left1);
  expect([known.settledHeight, known.tips.map(({ id }) => id)]).toEqual([1, [left2.id]]);
});

it("a certificate of a block that is here counts after a newer one of a block that is not (docs/decisions/023)", () => {
  const { ledger } = makeLedger(genesis);
  const finality = new Finality(ledger, undefined);
  const certificate = ({ id, height, block }: NaiveBlock) => ({
    id,
    height,
    historyRoot: block.header.historyRoot,
    bytes: utf8(id),
  });
  ledger.add(left1.block);
  finality.adopt(certificate(left2));
  expect(finality.isNews(1, left1.id)).toBe(true);
  finality.adopt(certificate(left1));
  expect([ledger.root.id, finality.newest?.id, finality.shown]).toEqual([left1.id, left2.id, utf8(left1.id)]);
  expect([finality.isNews(1, left1.id), finality.isNews(2, left2.id)]).toEqual([false, false]);
});
