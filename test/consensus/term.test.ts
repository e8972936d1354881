/** When the leader of one view gives it up (docs/protocol.md, section 4). */
import { expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import { isMember } from "../../chain/producerSets.ts";
import { transactionId } from "../../chain/transaction.ts";
import { CONSENSUS_DEFAULTS } from "../../consensus/constants.ts";
import type { EngineHost } from "../../consensus/engine.ts";
import { Term } from "../../consensus/leading/term.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { fakeSignature, KEYS, makeTransaction, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const [SELF] = KEYS as [string];

/** Three producers have become SELF alone: the head is what ended the change, judged by both sets. */
function chainOfOneLeft() {
  const { ledger } = makeLedger(testGenesis());
  for (const irreversibleHeight of [0, 0, 1]) {
    const time = START_TIME + 10 + ledger.head.height;
    ledger.startBlock({ view: 1, time, producer: SELF, irreversibleHeight, closing: false, proof: undefined });
    const proposal = makeTransaction(`propose ${makeConfiguration([SELF]).producers.join(",")}`, 1);
    if (ledger.head.height === 0) ledger.production?.pushTransaction(proposal, transactionId(proposal));
    ledger.finishBlock(fakeSignature);
    settle(ledger);
  }
  return ledger;
}

it("who elected a leader is heard while it has not opened its view, not who took part in its head", () => {
  const ledger = chainOfOneLeft();
  expect([ledger.head.sets.members.length, ledger.head.setsAfter.members]).toEqual([3, [SELF]]);
  let now = 1_000;
  const host = { self: SELF, settings: CONSENSUS_DEFAULTS, ledger, now: () => now };
  const term = new Term(host as unknown as EngineHost, {
    view: 2,
    sendHeartbeat: () => undefined,
    isElectedBy: (sets) => isMember(sets, SELF),
    askToLead: () => undefined,
  });
  expect(term.tick()).toBeUndefined();
  now += 2 * CONSENSUS_DEFAULTS.electionTimeoutMs;
  expect(term.tick()).toBeUndefined();
});
