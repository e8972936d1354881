import { describe, expect, it } from "vitest";
import { type Block, encodeBlockParts } from "../../chain/block.ts";
import { BLOCK_PREFIX } from "../../consensus/messages.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Replica } from "../../src/replica/replica.ts";
import { KEYS, makeTransaction, naiveChild, naiveGenesis, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";
import { makeReplica } from "../fixtures/replica.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const [SELF, PEER, OTHER] = KEYS as [string, string, string];
const first = naiveChild(genesis, root, { producer: PEER, time: START_TIME + 1 });
const bad = naiveChild(genesis, first, {
  producer: PEER,
  time: START_TIME + 2,
  transactions: [makeTransaction("put k bad", 1)],
});
const above = naiveChild(genesis, bad, { producer: PEER, time: START_TIME + 3 });
const good = naiveChild(genesis, first, {
  producer: OTHER,
  view: 2,
  time: START_TIME + 4,
  transactions: [makeTransaction("put k good", 2)],
});
const NOW = START_TIME + 10;

const FIRST_RECORD = raftRecordMessage.encode({ view: 0, ackedHead: { view: 0, height: 0, id: root.id } });

function startWith(rejected: readonly string[] = [], blocks: readonly Block[] = [], record = FIRST_RECORD): Replica {
  return makeReplica(genesis, SELF, NOW, { rejected, blocks, record });
}

let batch = 0;
function tell(replica: Replica, block: Block): void {
  const frame = concatBytes(BLOCK_PREFIX, ...encodeBlockParts(block));
  for (const effect of replica.step({ kind: "received", from: PEER, lane: "chain", frame }, NOW)) {
    if (effect.kind === "checkSignatures") batch = effect.batch;
  }
  replica.step({ kind: "signaturesChecked", batch, valid: [true] }, NOW);
}

function valueOf(replica: Replica): string | undefined {
  const value = replica.ledger.read("k", "head");
  return value && Buffer.from(value).toString();
}

describe("a block that the operator rejects (DESIGN section 8)", () => {
  it("is left with all above it and undone; the next best is taken, and a restart remembers", () => {
    const blocks = [first.block, bad.block, above.block];
    const replica = startWith([], blocks);
    expect([replica.status().head.id, valueOf(replica)]).toEqual([above.id, "bad"]);
    replica.step({ kind: "rejectBlock", id: bad.id }, NOW);
    expect([replica.status().head.id, valueOf(replica)]).toEqual([first.id, undefined]);
    expect(replica.ledger.get(bad.id)?.invalid?.code).toBe("OPERATOR_REJECTED");
    expect(replica.ledger.get(above.id)?.invalid?.code).toBe("ANCESTOR_INVALID");
    const again = startWith([bad.id], blocks);
    expect([again.status().head.id, valueOf(again)]).toEqual([first.id, undefined]);
    const both = startWith([bad.id], [...blocks, good.block]);
    expect([both.status().head.id, valueOf(both)]).toEqual([good.id, "good"]);
  });

  it("may be rejected before it comes, and taken again once that is taken back", () => {
    const replica = startWith();
    replica.step({ kind: "peerUp", peer: PEER }, NOW);
    replica.step({ kind: "rejectBlock", id: bad.id }, NOW);
    replica.step({ kind: "acceptBlock", id: bad.id }, NOW);
    replica.step({ kind: "rejectBlock", id: first.id }, NOW);
    tell(replica, first.block);
    expect(replica.ledger.get(first.id)?.invalid?.code).toBe("OPERATOR_REJECTED");
    expect(replica.status().head.id).toBe(root.id);
  });

  it("stays promised where it was acked: no part in elections until another branch is as good", () => {
    const record = raftRecordMessage.encode({ view: 1, ackedHead: { view: 1, height: 3, id: above.id } });
    const replica = startWith([], [first.block, bad.block, above.block, good.block].slice(0, 3), record);
    expect(replica.status().engine.status).toBe("follower");
    replica.step({ kind: "rejectBlock", id: bad.id }, NOW);
    expect(replica.status().engine.status).toBe("recovering");
    const back = startWith([bad.id], [first.block, bad.block, above.block, good.block], record);
    expect([back.status().engine.status, back.status().head.id]).toEqual(["follower", good.id]);
  });

  it("is refused once it is irreversible", () => {
    const { ledger } = startWith([], [first.block, bad.block]);
    const node = ledger.get(first.id);
    if (node === undefined) throw new Error("not there");
    ledger.setIrreversible(node);
    expect(ledger.reject(first.id)).toMatchObject({ ok: false, error: { code: "IRREVERSIBLE" } });
    expect(ledger.reject(bad.id).ok).toBe(true);
    const conflict = ledger.get(bad.id);
    expect(conflict && ledger.setIrreversible(conflict)).toMatchObject({
      ok: false,
      error: { code: "IRREVERSIBLE_INVALID" },
    });
  });
});
