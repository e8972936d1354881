/**
 * `npm run proof-vectors`: writes `proofs.json`, test vectors of docs/proofs.md for any implementation: proofs that hold, with
 * what they show, and proofs that do not. Made of the chains of `makeChain`, so they are the same every time.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { headerMessage } from "../../chain/header.ts";
import { quorumCertificateMessage } from "../../consensus/bft/certificates.ts";
import { voteDigest } from "../../consensus/bft/messages.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { fromBase64Url, toBase64Url } from "../../src/base/base64url.ts";
import { toHex } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { EVIDENCE_FORMAT } from "../../src/client/light/index.ts";
import { chainGenesis, type ChainShape, makeChain, PRODUCER_KEYS, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { runAsScript } from "../../tools/script.ts";
import { ServedChain } from "../fixtures/lyingServer.ts";
import { producerEvidenceCases } from "./producerEvidence.ts";

export type Proof = Readonly<Record<string, unknown>>;
type Engine = "raft" | "bft";

export interface Vector {
  readonly name: string;
  /** Names one of `genesis`. */
  readonly genesis: Engine;
  readonly valid: boolean;
  /** Proofs of changes of the producer set that are known before, in their order. */
  readonly producers?: readonly Proof[];
  /** Of a proof that holds. */
  readonly shows?: Readonly<Record<string, unknown>>;
  readonly proof: Proof;
}

export interface Vectors {
  readonly genesis: Readonly<Record<Engine, unknown>>;
  readonly cases: readonly Vector[];
}

export const VECTORS_FILE = fileURLToPath(new URL("proofs.json", import.meta.url));

export function readVectors(): Vectors {
  return JSON.parse(readFileSync(VECTORS_FILE, "utf8")) as Vectors;
}

export async function makeVectors(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "cairn-vectors-"));
  try {
    const cases: Vector[] = [];
    const made = async (engine: Engine, name: string, shape: ChainShape): Promise<ServedChain> => {
      const dir = join(root, `${engine} ${name}`);
      await makeChain(dir, { ...shape, engine });
      return new ServedChain(dir, chainGenesis(engine));
    };
    for (const engine of ["raft", "bft"] as const) {
      const chain = await made(engine, "chain", SMALL_CHAIN);
      const changing = await made(engine, "changes", CHANGING_CHAIN);
      const fork = await made(engine, "fork", { ...SMALL_CHAIN, blocks: 8, transactionsPerBlock: 4 });
      const otherWay = await made(engine, "other way", OTHER_WAY);
      cases.push(...(await casesOf(engine, chain)), ...(await changeCasesOf(engine, changing)));
      cases.push(...(await forkCasesOf(engine, [chain, fork], [changing, otherWay])));
      if (engine === "bft") cases.push(...producerEvidenceCases(chain));
      for (const each of [chain, changing, fork, otherWay]) each.close();
    }
    const genesis = { raft: chainGenesis("raft").value, bft: chainGenesis("bft").value };
    return `${JSON.stringify({ genesis, cases } satisfies Vectors, null, 1)}\n`;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function casesOf(engine: Engine, chain: ServedChain): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const idOf = (height: number): string => chain.viewAt(height)?.block.id ?? "";
  const holds = (name: string, proof: Proof, shows: Proof): void =>
    void vectors.push({ name: `${engine}: ${name}`, genesis: engine, valid: true, shows, proof });
  const fails = (name: string, proof: Proof): void =>
    void vectors.push({ name: `${engine}: ${name}`, genesis: engine, valid: false, proof });
  const get = async (path: string): Promise<Proof> => (await chain.answer(path)).body as Proof;

  const transactionOf = async (height: number, index: number): Promise<Proof> => {
    const ids = chain.viewAt(height)?.block.transactionIds ?? new Uint8Array(0);
    return (await get(`/v1/transactions/${toHex(ids.subarray(32 * index, 32 * index + 32))}`))["proof"] as Proof;
  };
  for (const [height, index] of [
    [4, 0],
    [6, 3],
    [17, 4],
  ] as const) {
    const proof = await transactionOf(height, index);
    holds(`transaction ${index} of block ${height}`, proof, { id: proof["id"], height, index });
  }
  for (const height of [0, 1, 8, 19]) {
    holds(`block ${height}`, await get(`/v1/blocks/${height}/proof`), { id: idOf(height), height });
  }
  for (const from of [0, 1, 7, 16, 20]) {
    const shows = { from: idOf(from), id: idOf(20), height: 20 };
    holds(`head, from block ${from}`, await get(`/v1/proofs/head?from=${from}`), shows);
  }

  const transaction = await transactionOf(6, 3);
  fails("another place", { ...transaction, index: 2 });
  fails("another count", { ...transaction, count: 6 });
  fails("another receipt", { ...transaction, receipt: (await transactionOf(17, 4))["receipt"] });
  fails("another height", { ...transaction, height: 7 });
  const block = await get("/v1/blocks/6/proof");
  const path = block["historyPath"] as string[];
  fails("a truncated tree", { ...block, historyPath: path.slice(0, -1) });
  fails("a sibling too many", { ...block, historyPath: [...path, path[0]] });
  fails("another chain", { ...block, chainId: "00".repeat(32) });
  fails("a member more", { ...block, note: "" });
  fails("base64 with padding", { ...block, header: `${block["header"] as string}=` });
  fails("a valid certificate of another height", {
    ...block,
    certificate: (await get("/v1/blocks/4/proof"))["certificate"],
  });
  fails("too few signers", { ...block, certificate: withFewer(engine, block["certificate"] as string) });
  if (engine === "bft") {
    const certificate = ofPrepares(chain.genesis.chainId, block["certificate"] as string);
    fails("a certificate of prepares", { ...block, certificate });
  }
  const head = await get("/v1/proofs/head?from=7");
  fails("a history that does not go on", { ...head, consistencyPath: (head["consistencyPath"] as string[]).slice(1) });
  fails("from another block", { ...head, fromHeader: block["header"] });
  return vectors;
}

/** A set that grows, and goes back but for one producer that is another. */
const CHANGING_CHAIN: ChainShape = {
  ...SMALL_CHAIN,
  blocks: 16,
  transactionsPerBlock: 2,
  blocksPerCertificate: 2,
  reversible: 0,
  changes: [
    { height: 3, producers: [0, 1, 2, 3, 4] },
    { height: 9, producers: [0, 1, 5, 3] },
  ],
};

/** Another history of the same producers, who have changed their set in another way. */
const OTHER_WAY: ChainShape = { ...CHANGING_CHAIN, blocks: 8, changes: [{ height: 5, producers: [0, 1, 2, 5] }] };

/** @param plain and `changing`: two histories of one chain each */
async function forkCasesOf(
  engine: Engine,
  plain: readonly [ServedChain, ServedChain],
  changing: readonly [ServedChain, ServedChain],
): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const add = (name: string, proof: Proof, shows?: Proof): void =>
    void vectors.push({
      name: `${engine}, evidence: ${name}`,
      genesis: engine,
      valid: shows !== undefined,
      ...(shows && { shows }),
      proof,
    });
  const get = async (chain: ServedChain, path: string): Promise<Proof> => (await chain.answer(path)).body as Proof;
  const evidence = async ([one, other]: typeof plain, height: number): Promise<{ proof: Proof; shows: Proof }> => {
    const [first, second] = [
      await get(one, `/v1/blocks/${height}/proof`),
      await get(other, `/v1/blocks/${height}/proof`),
    ];
    const ids = [one, other].map((chain) => chain.viewAt(height)?.block.id);
    const proof = { format: EVIDENCE_FORMAT, chainId: one.genesis.chainId, first, second };
    return { proof, shows: { height, ids } };
  };

  const { proof, shows } = await evidence(plain, 6);
  add("two histories at height 6", proof, shows);
  add("the same block twice", { ...proof, second: proof["first"] });
  add("two heights", { ...proof, second: await get(plain[1], "/v1/blocks/7/proof") });
  add("another chain", { ...proof, chainId: "00".repeat(32) });
  add("a member more", { ...proof, note: "" });
  add("producers that are not needed, and do not follow", { ...proof, producers: [proof["first"]] });

  const ways = await evidence(changing, 8);
  const [ours, theirs] = [
    await get(changing[0], "/v1/proofs/producers"),
    await get(changing[1], "/v1/proofs/producers"),
  ];
  const both = { ...ways.proof, producers: [ours], secondProducers: [theirs] };
  add("two ways of changing the producers", both, ways.shows);
  add("one way for both", { ...ways.proof, producers: [ours] });
  add("the ways exchanged", { ...ways.proof, producers: [theirs], secondProducers: [ours] });
  const nothing = await get(changing[0], "/v1/proofs/producers?above=9");
  add("a proof of no change", { ...both, producers: [ours, nothing] });
  add("no way for the second", { ...both, secondProducers: [] });
  return vectors;
}

async function changeCasesOf(engine: Engine, chain: ServedChain): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const add = (name: string, proof: Proof, producers: readonly Proof[], shows?: Proof): void => {
    const whole = { name: `${engine}, changes: ${name}`, genesis: engine, valid: shows !== undefined, proof };
    vectors.push({ ...whole, ...(producers.length > 0 && { producers }), ...(shows && { shows }) });
  };
  const get = async (path: string): Promise<Proof> => (await chain.answer(path)).body as Proof;
  const idOf = (height: number): string => chain.viewAt(height)?.block.id ?? "";

  const both = await get("/v1/proofs/producers");
  const [first, second] = both["changes"] as [Proof, Proof];
  const one = { ...both, changes: [first] };
  const later = await get("/v1/proofs/producers?above=3");
  add("both from the genesis on", both, [], { changes: 2, producers: 4 });
  add("one from the genesis on", one, [], { changes: 1, producers: 5 });
  add("the second after the first", later, [one], { changes: 2, producers: 4 });
  add("the second without the first", { ...both, changes: [second] }, []);
  add("the second as if the first were known", later, []);
  add("the first twice", { ...one, above: 3 }, [one]);
  add("another set", { ...one, changes: [{ ...first, producers: second["producers"] }] }, []);
  const reversed = (first["producers"] as string[]).toReversed();
  add("the set in another order", { ...one, changes: [{ ...first, producers: reversed }] }, []);
  add("by the new set alone", { ...one, changes: [await provenBy(first, 8)] }, []);
  add("by both sets", { ...one, changes: [await provenBy(first, 4)] }, [], { changes: 1, producers: 5 });

  for (const height of [3, 4, 7, 9, 12, 16]) {
    const proof = await get(`/v1/blocks/${height}/proof`);
    add(`block ${height}`, proof, [both], { id: idOf(height), height });
    // A certificate by producers that are not known proves nothing.
    if (height > 3) add(`block ${height}, no change known`, proof, []);
    if (height > 9) add(`block ${height}, one change known`, proof, [one]);
  }
  add("head", await get("/v1/proofs/head?from=2"), [both], { from: idOf(2), id: idOf(16), height: 16 });
  add("head, one change known", await get("/v1/proofs/head?from=2"), [one]);
  return vectors;

  /** The same change under the certificate of a later block. */
  async function provenBy(change: Proof, height: number): Promise<Proof> {
    const head = await chain.proofsUpTo(height).head(chain.viewAt(3) as never);
    if (!("proof" in head)) throw new Error(head.refused);
    return { ...change, historyPath: head.proof.historyPath, certificate: head.proof.certificate };
  }
}

/** That the same producers have prepared the block, no more. */
function ofPrepares(chainId: string, certificate: string): string {
  const decoded = quorumCertificateMessage.decode(fromBase64Url(certificate) ?? new Uint8Array(0));
  const header = decoded.ok ? headerMessage.decode(decoded.value.header) : decoded;
  if (!decoded.ok || !header.ok) throw new Error("no certificate");
  const { view, height } = header.value;
  const digest = voteDigest(chainId, false, { view, height, id: sha256Hex(decoded.value.header) });
  const signatures = decoded.value.signatures.map(({ signer }) => ({
    signer,
    signature: Uint8Array.from(PRODUCER_KEYS.bft[signer]?.sign(digest) ?? []),
  }));
  return toBase64Url(quorumCertificateMessage.encode({ ...decoded.value, commit: false, signatures }));
}

/** The certificate without its last signer. */
function withFewer(engine: Engine, certificate: string): string {
  const bytes = fromBase64Url(certificate) ?? new Uint8Array(0);
  if (engine === "bft") {
    const decoded = quorumCertificateMessage.decode(bytes);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    return toBase64Url(
      quorumCertificateMessage.encode({ ...decoded.value, signatures: decoded.value.signatures.slice(0, -1) }),
    );
  }
  const decoded = certificateMessage.decode(bytes);
  if (!decoded.ok) throw new Error(decoded.error.detail);
  return toBase64Url(certificateMessage.encode({ ...decoded.value, acks: decoded.value.acks.slice(0, -1) }));
}

await runAsScript(import.meta.url, async () => writeFileSync(VECTORS_FILE, await makeVectors()));
