/** `inspect verify` on a chain of BFT: what is checked there beyond what is checked under Raft. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assembleBlock, type Block, encodeBody } from "../../chain/block.ts";
import { type Header, headerMessage } from "../../chain/header.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { signingDigest } from "../../chain/signing.ts";
import {
  decodeQuorumCertificate,
  encodeQuorumCertificate,
  handoffEntry,
  type SignedReport,
  timeoutEntry,
} from "../../consensus/bft/certificates.ts";
import { type BftRecord, bftRecordMessage, viewChangeDigest, voteDigest } from "../../consensus/bft/messages.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { toGenesis } from "../../src/node/genesisFile.ts";
import type { NodeKey } from "../../src/node/keys.ts";
import { recordChecksum } from "../../src/node/storage/chainChecksum.ts";
import { ChainReader } from "../../src/node/storage/chainReader.ts";
import { decodeStored } from "../../src/node/storedBlocks.ts";
import { ChainVerifier } from "../../tools/inspect/chainVerifier.ts";
import { type Fault, FaultFound, type FaultKind } from "../../tools/inspect/fault.ts";
import { flipBit, type Table } from "../../tools/inspect/flip.ts";
import { chainGenesis, makeChain, PRODUCER_KEYS, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import type { Report } from "../../tools/inspect/verification.ts";
import { verifyDirectory } from "../../tools/inspect/verifyDirectory.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-inspect-bft-"));
const original = join(root, "original");
const genesis = toGenesis(chainGenesis("bft"));
const { chainId } = genesis;
const keys: readonly NodeKey[] = PRODUCER_KEYS.bft;
const blocks: Block[] = [];
let certificateOf4: Uint8Array;

beforeAll(async () => {
  await makeChain(original, { ...SMALL_CHAIN, engine: "bft" });
  const chain = ChainReader.open(original);
  for (const stored of [...chain.range(1, 20), ...chain.blocksAbove(20)]) blocks.push(decodeStored("", stored));
  certificateOf4 = chain.certificateFor(4)?.certificate as Uint8Array;
  chain.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function verify(dir: string): Promise<Report> {
  return verifyDirectory(dir, chainGenesis("bft"), createKvApplication(), () => undefined);
}

test("a whole chain verifies, the signatures of entries, proofs and certificates counted", async () => {
  expect(await verify(original)).toMatchObject({
    ok: true,
    // One a block, one a transaction, three a certificate, three a proof: in blocks 5, 9, 13, 17 and 21.
    signatures: 22 + 110 + 5 * 3 + 3 + 5 * 3,
    certificates: 6,
    certifiedHeight: 20,
    reversible: 2,
    evidence: 1,
  });
});

test.each<[Table, string, string, FaultKind, object]>([
  ["blocks", "height = 9", "body", "body", { height: 9 }],
  ["certificates", "height = 8", "certificate", "certificate", { height: 8 }],
  ["pointer", "one = 1", "certificate", "irreversible pointer", { height: 20 }],
  ["record", "one = 1", "bytes", "vote record", {}],
  ["evidence", "kind = 'twoVotes'", "producer", "evidence", {}],
  ["evidence", "kind = 'twoVotes'", "kind", "evidence", {}],
  ["evidence", "kind = 'twoVotes'", "bytes", "evidence", {}],
])(
  "one flipped bit in %s where %s, its checksum made right again, is named",
  async (table, where, column, kind, place) => {
    const dir = join(root, "flipped");
    cpSync(original, dir, { recursive: true });
    const database = new Database(join(dir, "chain.db"));
    flipBit(database, { table, where, column }, true);
    database.close();
    expect((await verify(dir)).fault).toMatchObject({ kind, ...place });
    rmSync(dir, { recursive: true });
  },
);

// What follows is signed by producers who break the rules.

interface Attached {
  readonly entry?: Uint8Array;
  readonly proof?: Uint8Array;
}

/** The block with other fields in its header and other attachments, signed by its leader. */
function forged(block: Block, fields: Partial<Header>, { entry, proof }: Attached): Block {
  const { entryHash: _, proofHash: __, ...header } = block.header;
  const view = fields.view ?? header.view;
  const leader = keys[view % 4] as NodeKey;
  const headerBytes = headerMessage.encode({
    ...header,
    producer: leader.publicKey,
    ...fields,
    ...(entry && { entryHash: sha256Hex(entry) }),
    ...(proof && { proofHash: sha256Hex(proof) }),
  });
  const signature = leader.sign(signingDigest("block", chainId, hexBytes(sha256Hex(headerBytes))));
  const { buffer, offsets, count } = block.transactions;
  const end = count === 0 ? 0 : (offsets[2 * count - 1] as number);
  const made = assembleBlock(
    headerBytes,
    signature,
    encodeBody(buffer.subarray(0, end), { ...(entry && { entry }), ...(proof && { proof }) }),
  );
  if (!made.ok) throw new Error(made.error.code);
  return made.value;
}

function certificate(commit: boolean, { id, header, headerBytes }: Block, signers: readonly number[]): Uint8Array {
  const digest = voteDigest(chainId, commit, { view: header.view, height: header.height, id });
  const signatures = signers.map((signer) => ({ signer, signature: (keys[signer] as NodeKey).sign(digest) }));
  return encodeQuorumCertificate(commit, headerBytes, signatures);
}

function timeout(view: number, highest: Block, prepares: Uint8Array, signers = [0, 1, 2]): Uint8Array {
  const highQc = { view: highest.header.view, height: highest.header.height, id: highest.id };
  const reports = signers.map((signer): SignedReport => {
    const signature = (keys[signer] as NodeKey).sign(viewChangeDigest(chainId, { view, highQc }));
    return { signer, highQc, signature };
  });
  return timeoutEntry(view, reports, prepares);
}

/** The chain up to `below`, and on it this block. */
async function faultOf(below: number, block: Block): Promise<Fault | undefined> {
  const verifier = await ChainVerifier.start(genesis, createKvApplication());
  try {
    for (const each of blocks.slice(0, below)) {
      verifier.add(each);
      verifier.execute();
    }
    verifier.add(block);
    await verifier.signaturesChecked();
    return undefined;
  } catch (error) {
    if (error instanceof FaultFound) return error.fault;
    throw error;
  } finally {
    await verifier.close();
  }
}

describe("a block that breaks a rule is named, although its leader signed it", () => {
  const at = (height: number): Block => blocks[height - 1] as Block;
  const cases: [string, () => [number, Block], RegExp | undefined][] = [
    ["as it is", () => [4, forged(at(5), {}, { proof: at(5).proof as Uint8Array })], undefined],
    ["[S9] no proof", () => [4, forged(at(5), {}, {})], /PROOF_MISSING/],
    [
      "[S9] the proof of another block",
      () => [8, forged(at(9), {}, { proof: at(5).proof as Uint8Array })],
      /PROOF_OF_ANOTHER_BLOCK/,
    ],
    [
      "[S9] prepares in place of commits",
      () => [4, forged(at(5), {}, { proof: certificate(false, at(4), [0, 1, 2]) })],
      /prepares where commits are asked for/,
    ],
    [
      "[S9] too few commits",
      () => [4, forged(at(5), {}, { proof: certificate(true, at(4), [0, 1]) })],
      /2 signatures are no quorum/,
    ],
    ["no entry", () => [0, forged(at(1), {}, {})], /ENTRY_MISSING/],
    ["another leader", () => [3, forged(at(4), { producer: (keys[2] as NodeKey).publicKey }, {})], /NOT_THE_LEADER/],
    [
      "[B2] does not descend from the highest report",
      () => [6, forged(at(7), { view: 2 }, { entry: timeout(2, at(8), certificate(false, at(8), [0, 1, 2])) })],
      /NOT_FROM_HIGHEST/,
    ],
    [
      "[B2] descends from it",
      () => [6, forged(at(7), { view: 2 }, { entry: timeout(2, at(4), certificate(false, at(4), [0, 1, 2])) })],
      undefined,
    ],
    [
      "[B3] a handoff of a block that does not close its view",
      () => [6, forged(at(7), { view: 2 }, { entry: handoffEntry(certificate(false, at(6), [0, 1, 2])) })],
      /PARENT_NOT_CLOSING/,
    ],
  ];
  test.each(cases)("%s", async (_, make, expected) => {
    const fault = await faultOf(...make());
    if (expected === undefined) expect(fault).toBeUndefined();
    else expect(fault).toMatchObject({ kind: "header rule", detail: expect.stringMatching(expected) });
  });

  test("a forged signature in an entry or proof", async () => {
    const decoded = decodeQuorumCertificate(certificateOf4, { ...genesis, ...lookupOf(genesis.configuration) });
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const broken = Uint8Array.from(certificateOf4);
    broken[broken.length - 1] = (broken.at(-1) as number) ^ 1;
    expect(await faultOf(4, forged(at(5), {}, { proof: broken }))).toMatchObject({ kind: "signature", height: 5 });
    const entry = timeout(2, at(4), certificate(false, at(4), [0, 1, 2]));
    entry[entry.length - 1] = (entry.at(-1) as number) ^ 1;
    expect(await faultOf(6, forged(at(7), { view: 2 }, { entry }))).toMatchObject({ kind: "signature", height: 7 });
  });
});

describe("a vote record that contradicts itself or the chain is named, its checksum made right", () => {
  async function afterChange(change: (record: BftRecord) => Partial<BftRecord>): Promise<Fault | undefined> {
    const dir = join(root, "copy");
    cpSync(original, dir, { recursive: true });
    const database = new Database(join(dir, "chain.db"));
    const bytes = database.prepare<[], Buffer>("SELECT bytes FROM record").pluck().get() as Buffer;
    const decoded = bftRecordMessage.decode(bytes);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const changed = Buffer.from(bftRecordMessage.encode({ ...decoded.value, ...change(decoded.value) }));
    database.prepare("UPDATE record SET bytes = ?, sha256 = ?").run(changed, recordChecksum(changed));
    database.close();
    const { fault } = await verify(dir);
    rmSync(dir, { recursive: true });
    return fault;
  }
  const other = "ab".repeat(32);

  test.each<[string, (record: BftRecord) => Partial<BftRecord>, RegExp | undefined]>([
    ["as it is", () => ({}), undefined],
    ["a view change above its view", ({ view }) => ({ viewChangeSent: view + 1 }), /has asked for view 2/],
    [
      "a commit of a later view",
      ({ highQc }) => ({ lastCommitted: { ...highQc, view: 2 } }),
      /commits a block of view 2/,
    ],
    [
      "a commit of another block than the chain's",
      ({ highQc }) => ({ lastCommitted: { ...highQc, height: 20, id: other } }),
      /it commits is not/,
    ],
    ["a certificate of another block", ({ highQc }) => ({ highQc: { ...highQc, id: other } }), /is of another block/],
    [
      "commits as its certificate",
      () => ({ highQcBytes: certificate(true, blocks[21] as Block, [0, 1, 2]) }),
      /of commits, not of prepares/,
    ],
    ["no certificate", () => ({ highQcBytes: new Uint8Array(0) }), /the certificate in it/],
  ])("%s", async (_, change, expected) => {
    const fault = await afterChange(change);
    if (expected === undefined) expect(fault).toBeUndefined();
    else expect(fault).toMatchObject({ kind: "vote record", detail: expect.stringMatching(expected) });
  });
});
