/** Evidence against a producer (docs/protocol.md, section 7): what proves that it lied, and what does not. */
import { describe, expect, it } from "vitest";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { type BlockRef, headerMessage } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { signingDigest } from "../../chain/signing.ts";
import { Accuser } from "../../consensus/bft/accuser.ts";
import {
  decodeEvidence,
  evidenceMessage,
  evidenceOfBlocks,
  evidenceOfReport,
  evidenceOfVotes,
  type SignedHeader,
} from "../../consensus/bft/evidence.ts";
import { type SignedVote, viewChangeDigest, voteDigest } from "../../consensus/bft/messages.ts";
import { hexBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { KeyedHashes } from "../../tools/sim/signatures.ts";
import { CHAIN_ID, KEYS, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const keys = new KeyedHashes();
const LIAR = keys.makeKey("liar");
const genesis = testGenesis({}, [LIAR, ...KEYS.slice(1, 4)]);
const { configuration } = genesis;

// Two branches of one view from block 1: 2a, 3a and 2b, 3b.
const one = naiveChild(genesis, naiveGenesis(genesis), { view: 1 });
const twoA = naiveChild(genesis, one, { view: 1 });
const twoB = naiveChild(genesis, one, { view: 1, time: twoA.block.header.time + 5 });
const threeA = naiveChild(genesis, twoA, { view: 1 });
const threeB = naiveChild(genesis, twoB, { view: 1 });

function vote({ view, height, id }: BlockRef, commit = false): SignedVote {
  const ref = { view, height, id };
  return { commit, vote: ref, signature: keys.sign(LIAR, voteDigest(CHAIN_ID, commit, ref)) };
}
function report(view: number, { view: v, height, id }: BlockRef) {
  const content = { view, highQc: { view: v, height, id } };
  return { ...content, signature: keys.sign(LIAR, viewChangeDigest(CHAIN_ID, content)) };
}
/** Of the liar, at a place. */
function header(fields: { readonly height: number; readonly view: number; readonly time: number }): SignedHeader {
  const headerBytes = headerMessage.encode({ ...twoA.block.header, ...fields, producer: LIAR });
  const digest = signingDigest("block", CHAIN_ID, hexBytes(sha256Hex(headerBytes)));
  return { headerBytes, signature: keys.sign(LIAR, digest) };
}
const open = (bytes: Uint8Array) => decodeEvidence(bytes, CHAIN_ID, lookupOf(configuration));
const headerOf = ({ block }: Pick<BlockNode, "block">): Uint8Array => block.headerBytes;

/** It convinces: whose it is, and that all signatures are. */
function proves(bytes: Uint8Array): string | undefined {
  const evidence = open(bytes);
  return evidence.ok && evidence.value.claims.every((claim) => keys.verify(claim))
    ? evidence.value.producer
    : undefined;
}

describe("two blocks", () => {
  const first = header({ height: 2, view: 1, time: 5 });

  it("of one producer, view and height are evidence", () => {
    expect(proves(evidenceOfBlocks(first, header({ height: 2, view: 1, time: 6 })))).toBe(LIAR);
  });

  it.each([
    ["one block twice", first],
    ["of two heights", header({ height: 3, view: 1, time: 6 })],
    ["of two views", header({ height: 2, view: 2, time: 6 })],
  ])("are none: %s", (_, second) => expect(open(evidenceOfBlocks(first, second)).ok).toBe(false));

  it("of which one was signed by nobody prove nothing", () => {
    const forged = { ...header({ height: 2, view: 1, time: 6 }), signature: new Uint8Array(64) };
    expect(proves(evidenceOfBlocks(first, forged))).toBeUndefined();
  });
});

describe("two votes", () => {
  it.each([
    ["at one place", vote(twoA), vote(twoB), []],
    ["of commits at one place", vote(twoA, true), vote(twoB, true), []],
    ["on two branches of a view, with the headers between them", vote(twoB), vote(threeA), [threeA, twoA]],
  ])("are evidence: %s", (_, first, second, path) => {
    expect(proves(evidenceOfVotes(LIAR, first, second, path.map(headerOf)))).toBe(LIAR);
  });

  it.each([
    ["the same twice", vote(twoA), vote(twoA), []],
    ["a prepare and a commit", vote(twoA), vote(twoB, true), []],
    ["on one branch", vote(twoA), vote(threeA), [threeA, twoA]],
    ["at two heights without a path", vote(twoB), vote(threeA), []],
    ["a path that stops above", vote(twoB), vote(threeA), [threeA]],
    ["a path of another block", vote(twoA), vote(threeA), [threeB, twoB]],
    ["a path with a gap", vote(twoB), vote(threeA), [threeA, twoB]],
    ["of two views", vote({ ...twoB, view: 2 }), vote(twoA), []],
  ])("are none: %s", (_, first, second, path) => {
    expect(open(evidenceOfVotes(LIAR, first, second, path.map(headerOf))).ok).toBe(false);
  });

  it("in the name of another prove nothing", () => {
    expect(proves(evidenceOfVotes(KEYS[1] as string, vote(twoA), vote(twoB), []))).toBeUndefined();
    expect(open(evidenceOfVotes(sha256Hex(utf8("no producer")), vote(twoA), vote(twoB), [])).ok).toBe(false);
  });
});

describe("a view change", () => {
  it("to a later view that reports less than the signer has committed is evidence", () => {
    expect(proves(evidenceOfReport(LIAR, vote(twoA, true), report(2, one)))).toBe(LIAR);
  });

  it.each([
    ["as much", vote(twoA, true), report(2, twoA)],
    ["more", vote(twoA, true), report(2, threeA)],
    ["less than was prepared only", vote(twoA), report(2, one)],
    ["less, for the view of the commit itself", vote(twoA, true), report(1, one)],
  ])("that reports %s is none", (_, commit, asked) =>
    expect(open(evidenceOfReport(LIAR, commit, asked)).ok).toBe(false),
  );
});

describe("the encoding", () => {
  it("holds exactly one kind", () => {
    expect(open(new Uint8Array(0)).ok).toBe(false);
    const both = evidenceMessage.decode(evidenceOfVotes(LIAR, vote(twoA), vote(twoB), []));
    const more = evidenceMessage.decode(evidenceOfReport(LIAR, vote(twoA, true), report(2, one)));
    if (!both.ok || !more.ok) throw new Error("not even evidence");
    expect(open(evidenceMessage.encode({ ...both.value, ...more.value, twoVotes: both.value.twoVotes! })).ok).toBe(
      false,
    );
  });
});

describe("an accuser", () => {
  const nodes = new Map([one, twoA, twoB, threeA, threeB].map((node) => [node.id, node as unknown as BlockNode]));

  function accuser(): { readonly found: (string | undefined)[]; readonly looks: Accuser } {
    const found: (string | undefined)[] = [];
    const ledger = { get: (id: string) => nodes.get(id) } as Ledger;
    const accuse = (bytes: Uint8Array): void => {
      const evidence = open(bytes);
      found.push(proves(bytes) === LIAR && evidence.ok ? evidence.value.kind : "wrong");
    };
    return { found, looks: new Accuser({ self: KEYS[1] as string, ledger, accuse }) };
  }

  it.each([
    ["the lower one first", [twoB, threeA]],
    ["the higher one first", [threeA, twoB]],
  ])("finds votes on two branches, %s, and says so once", (_, blocks) => {
    const { found, looks } = accuser();
    looks.vote(LIAR, vote(one));
    for (const block of blocks) looks.vote(LIAR, vote(block));
    looks.vote(LIAR, vote(threeB));
    expect(found).toEqual(["twoVotes"]);
  });

  it("finds a report below a commit, whichever came first", () => {
    for (const order of [0, 1]) {
      const { found, looks } = accuser();
      if (order === 0) looks.vote(LIAR, vote(twoA, true));
      looks.viewChange(LIAR, report(3, one));
      if (order === 1) looks.vote(LIAR, vote(twoA, true));
      expect(found).toEqual(["lessReported"]);
    }
  });

  it("finds nothing in votes on one branch, in any order, and in true reports", () => {
    const { found, looks } = accuser();
    for (const commit of [false, true])
      for (const block of [twoA, one, threeA, twoA]) looks.vote(LIAR, vote(block, commit));
    looks.viewChange(LIAR, report(2, threeA));
    expect(found).toEqual([]);
  });

  it("finds nothing in votes that name another place than their block's, and throws at none", () => {
    const { found, looks } = accuser();
    for (const commit of [false, true]) {
      looks.vote(LIAR, vote({ view: 1, height: threeA.height, id: twoA.id }, commit));
      looks.vote(LIAR, vote({ view: 1, height: threeA.height + 5, id: threeA.id }, commit));
      looks.vote(LIAR, vote({ view: 7, height: twoA.height, id: twoB.id }, commit));
    }
    looks.vote(LIAR, vote(twoA));
    expect(found).toEqual([]);
  });

  it("two leaders of one view, by two producer sets, have made nothing twice", () => {
    const { found, looks } = accuser();
    const [theirs, ours] = [KEYS[2], KEYS[3]].map((producer) =>
      naiveChild(genesis, one, { view: 2, producer: producer as string }),
    ) as [typeof one, typeof one];
    for (const node of [theirs, ours]) looks.block(node as unknown as BlockNode);
    expect(found).toEqual([]);
    expect([theirs, ours].map(({ block }) => looks.countAt(block.header))).toEqual([1, 1]);
  });
});
