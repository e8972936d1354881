/** Evidence that a node's disk holds is checked again when it starts: nobody is accused by what became of a disk. */
import { describe, expect, it } from "vitest";
import { lookupOf } from "../../chain/producerSets.ts";
import { makeConfiguration } from "../../chain/configuration.ts";
import { decodeEvidence, evidenceOfVotes } from "../../consensus/bft/evidence.ts";
import { voteDigest } from "../../consensus/bft/messages.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { EVIDENCE_EVERY_MS } from "../../src/replica/constants.ts";
import { EvidenceStore, NO_EVIDENCE } from "../../src/replica/evidenceStore.ts";
import { KeyedHashes } from "../../tools/sim/signatures.ts";

const CHAIN_ID = sha256Hex(utf8("chain"));
const keys = new KeyedHashes();
const [liar, honest] = ["liar", "honest"].map((name) => keys.makeKey(name)) as [string, string];
const configuration = makeConfiguration([liar, honest]);

function piece(signer: string, of = signer): Uint8Array {
  const [first, second] = ["a", "b"].map((name) => {
    const vote = { view: 1, height: 1, id: sha256Hex(utf8(name)) };
    return { commit: false, vote, signature: keys.sign(signer, voteDigest(CHAIN_ID, false, vote)) };
  }) as [Parameters<typeof evidenceOfVotes>[1], Parameters<typeof evidenceOfVotes>[2]];
  return evidenceOfVotes(of, first, second, []);
}

function open() {
  const done = { accused: [] as string[], said: [] as string[], other: [] as string[] };
  const now = { at: 0 };
  const store = new EvidenceStore({
    decode: (bytes, kept) =>
      decodeEvidence(bytes, CHAIN_ID, kept ? { isProducer: () => true } : lookupOf(configuration)),
    now: () => now.at,
    repeat: () => done.other.push("repeat"),
    isSigned: (claim) => keys.verify(claim),
    keep: () => done.other.push("keep"),
    spread: () => done.other.push("spread"),
    accuse: (producer) => done.accused.push(producer),
    log: (level, message) => done.said.push(`${level} ${message}`),
  });
  return { store, done, now };
}

function restored(...kept: readonly Uint8Array[]) {
  const { store, done } = open();
  store.restore(kept);
  return { ...done, held: store.all.map(({ producer }) => producer) };
}

describe("what a disk gives back", () => {
  it("names whom it proves to have lied, and is neither written nor told again", () => {
    expect(restored(piece(liar))).toEqual({ accused: [liar], held: [liar], said: [], other: [] });
  });

  it.each<[string, Uint8Array]>([
    ["whose signatures are another's", piece(liar, honest)],
    ["that does not decode", utf8("evidence")],
  ])("accuses nobody by a piece %s, and says so", (_, bytes) => {
    const said = ["error evidence on disk is not valid"];
    expect(restored(bytes)).toEqual({ accused: [], held: [], said, other: [] });
    expect(restored(bytes, piece(liar)).accused).toEqual([liar]);
  });

  it("names who has left the set of producers, too: it was one when it was found out", () => {
    const gone = keys.makeKey("gone");
    expect(restored(piece(gone)).accused).toEqual([gone]);
  });
});

describe("what the engine finds", () => {
  it("is held, written and told, once", () => {
    const { store, done } = open();
    for (let i = 0; i < 2; i++) store.found(piece(liar));
    expect(done).toMatchObject({ accused: [liar], other: ["keep", "spread"] });
  });

  it("is nothing where the accused is no producer that is known any more, and told as a fault of this program where it is no evidence", () => {
    const { store, done } = open();
    store.found(piece(keys.makeKey("gone")));
    expect(done).toEqual({ accused: [], said: [], other: [] });
    store.found(utf8("evidence"));
    expect(done).toEqual({ accused: [], said: [`error ${NO_EVIDENCE}`], other: [] });
  });
});

it("what is held is told again now and then, to who could not take it before", () => {
  const { store, done, now } = open();
  expect(store.deadline).toBe(Number.POSITIVE_INFINITY);
  store.restore([piece(liar)]);
  expect(store.deadline).toBe(EVIDENCE_EVERY_MS);
  for (const at of [EVIDENCE_EVERY_MS - 1, EVIDENCE_EVERY_MS, EVIDENCE_EVERY_MS + 1]) {
    now.at = at;
    store.tick();
  }
  expect(done.other).toEqual(["repeat"]);
  expect(store.deadline).toBe(2 * EVIDENCE_EVERY_MS);
});
