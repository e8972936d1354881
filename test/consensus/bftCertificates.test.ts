/** BFT's certificates (docs/protocol.md, section 7): what is proven, and what is not taken for a proof. */
import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import type { BlockRef } from "../../chain/header.ts";
import {
  decodeEntry,
  decodeQuorumCertificate,
  encodeQuorumCertificate,
  entryMessage,
  handoffEntry,
  quorumCertificateMessage,
  type SignedReport,
  timeoutEntry,
} from "../../consensus/bft/certificates.ts";
import { lookupOf, singleSet } from "../../chain/producerSets.ts";
import { QC_MAX_BYTES, viewChangeDigest, voteDigest } from "../../consensus/bft/messages.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { CHAIN_ID, fakeSignature, KEYS, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis({}, KEYS.slice(0, 4));
const zero = naiveGenesis(genesis);
const one = naiveChild(genesis, zero, { view: 1 });
const two = naiveChild(genesis, one, { view: 1 });
const root: BlockRef = { view: 0, height: 0, id: zero.id };
const { setsNamed } = lookupOf(genesis.configuration);
const judgement = { chainId: CHAIN_ID, setsNamed, genesis: root };
const open = (entry: Uint8Array) => decodeEntry(entry, judgement, singleSet(genesis.configuration));
const sign = (signer: number) => ({ signer, signature: fakeSignature(`${signer}`) });
const refOf = ({ view, height, id }: BlockRef): BlockRef => ({ view, height, id });
const prepared = (block: typeof one, signers = [0, 1, 2]) =>
  encodeQuorumCertificate(false, block.block.headerBytes, signers.map(sign));
const report = (signer: number, highQc: BlockRef): SignedReport => ({ ...sign(signer), highQc: refOf(highQc) });

describe("a certificate of a block", () => {
  it("names the block by its header and each signature as a claim of its producer", () => {
    const decoded = decodeQuorumCertificate(prepared(two, [2, 0, 3]), judgement);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    expect(decoded.value.ref).toEqual(refOf(two));
    expect(decoded.value.claims.map(({ key }) => key)).toEqual([KEYS[0], KEYS[2], KEYS[3]]);
    const digest = voteDigest(CHAIN_ID, false, refOf(two));
    for (const claim of decoded.value.claims) expect(claim.digest).toEqual(digest);
    expect(voteDigest(CHAIN_ID, true, refOf(two))).not.toEqual(digest);
  });

  it.each([
    ["two of four", [0, 1]],
    ["a signer twice", [0, 1, 1]],
    ["somebody outside the set", [0, 1, 4]],
  ])("is none with %s", (_, signers) => {
    expect(decodeQuorumCertificate(prepared(one, signers), judgement).ok).toBe(false);
  });

  it("is none with signers out of order, or of another producer set", () => {
    const { headerBytes: header } = one.block;
    const swapped = quorumCertificateMessage.encode({ commit: false, header, signatures: [1, 0, 2].map(sign) });
    expect(decodeQuorumCertificate(swapped, judgement).ok).toBe(false);
    const others = makeConfiguration([...KEYS.slice(1, 4), sha256Hex(utf8("another"))]);
    expect(decodeQuorumCertificate(prepared(one), { ...judgement, setsNamed: lookupOf(others).setsNamed }).ok).toBe(
      false,
    );
  });

  it("of the largest set fits its bound", () => {
    const many = makeConfiguration(Array.from({ length: 200 }, (_, i) => sha256Hex(utf8(`${i}`))));
    const signatures = Array.from({ length: 200 }, (_, i) => sign(i));
    expect(encodeQuorumCertificate(true, new Uint8Array(1024), signatures).length).toBeLessThan(QC_MAX_BYTES);
    expect(many.producers.length).toBe(200);
  });
});

describe("an entry: why a block may open its view", () => {
  it("a report that names a lesser block with a greater place hides nothing: its signer's word is no certificate [B8]", () => {
    const forged = (id: string, place: Partial<BlockRef> = {}) => report(3, { view: 4, height: 1_000, id, ...place });
    const others = [report(0, two), report(1, two)];
    for (const [name, lie, certificate] of [
      ["block 0", forged(zero.id), new Uint8Array(0)],
      ["an old one", forged(one.id), prepared(one)],
      ["its height alone", forged(one.id, { view: one.view }), prepared(one)],
      ["its view alone", forged(one.id, { height: one.height }), prepared(one)],
    ] as const)
      expect(open(timeoutEntry(5, [...others, lie], certificate)).ok, name).toBe(false);
    // Nor does it help to show what is greatest beside it.
    expect(open(timeoutEntry(5, [...others, forged(one.id)], prepared(two))).ok).toBe(false);
  });

  it("a timeout certificate shows the certificate of its greatest report [B8]", () => {
    const reports = [report(0, one), report(1, two), report(3, root)];
    const entry = open(timeoutEntry(5, reports, prepared(two)));
    if (!entry.ok) throw new Error(entry.error.detail);
    expect(entry.value.opening).toEqual({ kind: "timeout", view: 5, highest: refOf(two) });
    // Three reports and three prepares.
    expect(entry.value.claims.length).toBe(6);
    expect(entry.value.claims[1]?.digest).toEqual(viewChangeDigest(CHAIN_ID, { view: 5, highQc: refOf(two) }));
    expect(open(timeoutEntry(5, reports, prepared(one))).ok).toBe(false);
  });

  it("with nothing certified but block 0 it shows no certificate", () => {
    const reports = [0, 1, 2].map((signer) => report(signer, root));
    const entry = open(timeoutEntry(2, reports, new Uint8Array(0)));
    expect(entry.ok && entry.value.opening).toEqual({ kind: "timeout", view: 2, highest: root });
  });

  it("a timeout certificate is none with a report of its own view or a later one, with too few, or with commits", () => {
    const reports = [0, 1, 2].map((signer) => report(signer, one));
    expect(open(timeoutEntry(2, reports, prepared(one))).ok).toBe(true);
    expect(open(timeoutEntry(1, reports, prepared(one))).ok).toBe(false);
    expect(open(timeoutEntry(2, reports.slice(1), prepared(one))).ok).toBe(false);
    const commits = encodeQuorumCertificate(true, one.block.headerBytes, [0, 1, 2].map(sign));
    expect(open(timeoutEntry(2, reports, commits)).ok).toBe(false);
  });

  it("a handoff shows the prepare certificate of the parent; block 0 needs none", () => {
    const entry = open(handoffEntry(prepared(one)));
    expect(entry.ok && entry.value.opening).toEqual({ kind: "handoff", certified: refOf(one) });
    const first = open(handoffEntry(new Uint8Array(0)));
    expect(first.ok && first.value.opening).toEqual({ kind: "handoff", certified: root });
  });

  it("is one of the two", () => {
    expect(open(entryMessage.encode({})).ok).toBe(false);
    const timeout = { view: 2, reports: [0, 1, 2].map((signer) => report(signer, root)), highest: new Uint8Array(0) };
    const both = entryMessage.encode({ timeout, handoff: { certificate: new Uint8Array(0) } });
    expect(open(both).ok).toBe(false);
  });
});
