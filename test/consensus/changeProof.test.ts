/** How a change of the producer set ends under Raft and VSR (docs/protocol.md, section 4, "Producer sets"). */
import { describe, expect, it } from "vitest";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { jointSets } from "../../chain/producerSets.ts";
import { transactionId } from "../../chain/transaction.ts";
import { makeConfiguration } from "../../chain/configuration.ts";
import { certificateMessage, decodeCertificate } from "../../consensus/certificate.ts";
import { certificateDecoder } from "../../consensus/engines.ts";
import { raftHeaderRule } from "../../consensus/raft/headerRule.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { CHAIN_ID, fakeSignature, KEYS, makeTransaction, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const [A, B, C, D] = KEYS as [string, string, string, string];
const NEW = makeConfiguration([A, D]);
const VIEW = 1;

interface Made {
  readonly irreversibleHeight?: number;
  readonly proof?: Uint8Array;
  readonly transaction?: Uint8Array;
}

/** A block of A on the head; its header is judged by nobody yet. */
function produce(ledger: Ledger, { irreversibleHeight = 0, proof, transaction }: Made = {}): BlockNode {
  const time = START_TIME + 10 + ledger.head.height;
  ledger.startBlock({ view: VIEW, time, producer: A, irreversibleHeight, closing: false, proof });
  if (transaction !== undefined) ledger.production?.pushTransaction(transaction, transactionId(transaction));
  const node = ledger.finishBlock(fakeSignature);
  settle(ledger);
  return node;
}

function certificateOf(path: readonly BlockNode[], signers: readonly string[]): Uint8Array {
  return certificateMessage.encode({
    view: VIEW,
    path: path.map(({ block }) => block.headerBytes),
    acks: signers.map((signer) => ({ signer, position: path.length - 1, signature: fakeSignature(signer) })),
  });
}

function chain() {
  const { ledger } = makeLedger(genesis);
  const proposing = produce(ledger, { transaction: makeTransaction(`propose ${NEW.producers.join(",")}`, 1) });
  const joint = produce(ledger);
  return { ledger, proposing, joint };
}

/** What Raft's rule says of a third block. */
function verdict(made: (blocks: ReturnType<typeof chain>) => Made): string {
  const blocks = chain();
  const { block } = produce(blocks.ledger, made(blocks));
  const { ledger } = makeLedger(genesis, raftHeaderRule(CHAIN_ID));
  for (const { block: before } of [blocks.proposing, blocks.joint]) expect(ledger.add(before).kind).toBe("added");
  const outcome = ledger.add(block);
  return outcome.kind === "rejected" ? outcome.reason.code : outcome.kind;
}

describe("the block that ends a change proves that the one which began it is irreversible [S9]", () => {
  it("by a quorum of the set before it, or by quorums of both for a descendant", () => {
    const before = ({ proposing }: ReturnType<typeof chain>) => certificateOf([proposing], [A, B]);
    expect(verdict((blocks) => ({ irreversibleHeight: 1, proof: before(blocks) }))).toBe("added");
    const both = ({ joint }: ReturnType<typeof chain>) => certificateOf([joint], [A, B, D]);
    expect(verdict((blocks) => ({ irreversibleHeight: 2, proof: both(blocks) }))).toBe("added");
  });

  it.each<[string, string, (blocks: ReturnType<typeof chain>) => Made]>([
    ["PROOF_MISSING", "without one", () => ({ irreversibleHeight: 1 })],
    [
      "PROOF_INVALID",
      "with acks of one set for a block that two decide about [S10]",
      ({ joint }) => ({ irreversibleHeight: 2, proof: certificateOf([joint], [A, B, C]) }),
    ],
    [
      "PROOF_INVALID",
      "with too few acks",
      ({ proposing }) => ({ irreversibleHeight: 1, proof: certificateOf([proposing], [A, D]) }),
    ],
    [
      "PROOF_OF_ANOTHER_BLOCK",
      "of another height than the header says",
      ({ proposing, joint }) => ({ irreversibleHeight: 2, proof: certificateOf([proposing, joint], [A, B]) }),
    ],
    [
      "UNSUPPORTED",
      "of a block that ends nothing",
      ({ proposing }) => ({ irreversibleHeight: 0, proof: certificateOf([proposing], [A, B]) }),
    ],
  ])("%s: %s", (code, _, made) => expect(verdict(made)).toBe(code));
});

describe("a certificate by producers who are not known", () => {
  it("is told apart, and counts with the set that was proposed: the hash that it names is of both", () => {
    const { joint } = chain();
    const { configuration } = genesis;
    const encoded = certificateOf([joint], [A, B, D]);
    const lookup = {
      setsNamed: () => undefined,
      isProducer: () => true,
      inForce: () => [configuration],
    };
    const unknown = decodeCertificate(encoded, CHAIN_ID, lookup);
    expect(!unknown.ok && unknown.error.code).toBe("PRODUCERS_UNKNOWN");
    const decode = certificateDecoder({ engine: "raft", chainId: CHAIN_ID }, lookup);
    expect(decode(encoded, NEW).ok).toBe(true);
    expect(joint.block.header.configuration).toBe(jointSets(configuration, NEW, 1).hash);
    const another = decode(encoded, makeConfiguration([D, A]));
    expect(!another.ok && another.error.code).toBe("PRODUCERS_UNKNOWN");
    expect(decode(certificateOf([joint], [A, D]), NEW).ok).toBe(false);
  });
});
