/**
 * Evidence against a producer outside the node that found it (docs/proofs.md): `cairn inspect DIR|URL evidence`,
 * `cairn audit verify FILE`, and the file itself, of which every member counts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { lookupOf } from "../../chain/producerSets.ts";
import { makeConfiguration } from "../../chain/configuration.ts";
import { evidenceOfBlocks, evidenceOfReport, evidenceOfVotes } from "../../consensus/bft/evidence.ts";
import { viewChangeDigest, voteDigest } from "../../consensus/bft/messages.ts";
import { producerEvidence, type ProducerEvidence } from "../../consensus/producerEvidence.ts";
import { decodeEvidence } from "../../consensus/bft/evidence.ts";
import { signingDigest } from "../../chain/signing.ts";
import { headerMessage } from "../../chain/header.ts";
import { hexBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { checkProducerEvidence } from "../../src/client/light/index.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import { EVIDENCE } from "../../src/node/http/document/examples.ts";
import type { NodeKey } from "../../src/node/keys.ts";
import { evidenceChecksum } from "../../src/node/storage/chainChecksum.ts";
import { chainGenesis, makeChain, PRODUCER_KEYS, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";

const CLI = fileURLToPath(new URL("../../src/node/cli/run.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "cairn-evidence-"));
const dir = join(root, "chain");
const genesisFile = join(dir, "genesis.json");
const raft = join(root, "raft");
const { chainId, producers } = chainGenesis("bft");
const genesis = { engine: "bft", chainId, configuration: makeConfiguration(producers.map(({ key }) => key)) } as const;
const liar = PRODUCER_KEYS.bft[3] as NodeKey;

vi.setConfig({ testTimeout: 120_000 });

beforeAll(async () => {
  await makeChain(dir, { ...SMALL_CHAIN, engine: "bft" });
  await makeChain(raft, SMALL_CHAIN);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function cairn(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: root, env: { ...process.env, NO_COLOR: "1" } });
  child.stdin.end();
  const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { status: status as number | null, out, err };
}

function stored(): ProducerEvidence {
  const chain = ChainDirectory.open(dir);
  const [piece] = chain.evidence();
  chain.close();
  return piece as ProducerEvidence;
}

const proves = async (value: unknown, against: typeof genesis | Omit<typeof genesis, "engine"> = genesis) => {
  const verdict = await checkProducerEvidence(JSON.parse(JSON.stringify(value)), { engine: "bft", ...against });
  return verdict.ok ? verdict.evidence.producer : verdict.why;
};

function pieceOf(bytes: Uint8Array): ProducerEvidence {
  const decoded = decodeEvidence(bytes, chainId, lookupOf(genesis.configuration));
  if (!decoded.ok) throw new Error(decoded.error.detail);
  return producerEvidence(chainId, decoded.value);
}

describe("a piece as JSON", () => {
  const id = (name: string): string => sha256Hex(utf8(name));
  const vote = (name: string, height = 3) => {
    const said = { view: 1, height, id: id(name) };
    return { commit: true, vote: said, signature: liar.sign(voteDigest(chainId, true, said)) };
  };
  const signedHeader = (time: number) => {
    const chain = ChainDirectory.open(dir);
    const block = chain.block("2");
    chain.close();
    if (typeof block !== "object") throw new Error("no block");
    const headerBytes = headerMessage.encode({ ...block.block.header, producer: liar.publicKey, time });
    const signature = liar.sign(signingDigest("block", chainId, hexBytes(sha256Hex(headerBytes))));
    return { headerBytes, signature };
  };
  const report = { view: 2, highQc: { view: 1, height: 1, id: id("x") } };
  const signedReport = { ...report, signature: liar.sign(viewChangeDigest(chainId, report)) };

  it("holds for each kind, says what was signed, and proves itself to who has the genesis", async () => {
    const pieces = [
      pieceOf(evidenceOfBlocks(signedHeader(5), signedHeader(6))),
      pieceOf(evidenceOfVotes(liar.publicKey, vote("a"), vote("b"), [])),
      pieceOf(evidenceOfReport(liar.publicKey, vote("a"), signedReport)),
    ];
    expect(pieces.map(({ kind, first, second }) => [kind, first.what, second.what])).toEqual([
      ["twoBlocks", "block", "block"],
      ["twoVotes", "commit", "commit"],
      ["lessReported", "commit", "viewChange"],
    ]);
    expect(pieces[2]?.second).toMatchObject({ view: 2, reportedView: 1, height: 1, id: id("x") });
    for (const piece of pieces) expect(await proves(piece)).toBe(liar.publicKey);
  });

  it("is refused when any member says something else, is missing, or is one too many", async () => {
    const piece = stored();
    expect(await proves(piece)).toBe(liar.publicKey);
    const another = pieceOf(evidenceOfVotes(liar.publicKey, vote("a"), vote("b"), []));
    for (const name of Object.keys(piece) as (keyof ProducerEvidence)[]) {
      const { [name]: value, ...rest } = piece;
      const changed =
        typeof value === "number" ? value + 1 : typeof value === "string" ? `0${value.slice(1)}` : another.first;
      expect(await proves(rest), name).toContain(`${name} is missing`);
      expect(await proves({ ...piece, [name]: changed }), name).toMatch(/ /);
    }
    expect(await proves({ ...piece, note: "" })).toContain("note does not belong here");
    expect(await proves({ ...piece, evidence: another.evidence })).toContain("is not what the evidence says");
  });

  it("is none with a forged signature, on another chain, where it names no producer, or under Raft", async () => {
    const forged = { ...vote("b"), signature: vote("c").signature };
    expect(await proves(pieceOf(evidenceOfVotes(liar.publicKey, vote("a"), forged, [])))).toContain(
      "not the producer's",
    );
    expect(await proves(stored(), { ...genesis, chainId: id("other") })).toContain("another chain");
    const without = makeConfiguration(producers.slice(0, 3).map(({ key }) => key));
    expect(await proves(stored(), { ...genesis, configuration: without })).toContain("no producer");
    const verdict = await checkProducerEvidence(stored(), { ...genesis, engine: "raft" });
    expect(verdict).toMatchObject({ ok: false, why: expect.stringContaining("under raft") });
  });

  it("is what the OpenAPI document shows", async () => {
    const [example] = EVIDENCE.evidence;
    const configuration = makeConfiguration([example?.producer as string]);
    expect(await proves(example, { chainId: example?.chainId as string, configuration })).toBe(example?.producer);
  });
});

describe("inspect evidence", () => {
  it("of a directory: a table, and JSON that `audit verify` takes whole or piece by piece", async () => {
    const { status, out } = await cairn("inspect", dir, "evidence");
    expect([status, out]).toEqual([0, expect.stringMatching(/node3 [0-9a-f]{12} +twoVotes +1 +1 +commit 1\/1 .* yes/)]);
    const json = await cairn("inspect", dir, "evidence", "--json");
    const { evidence, invalid } = JSON.parse(json.out) as { evidence: ProducerEvidence[]; invalid: [] };
    expect([json.status, evidence, invalid]).toEqual([0, [stored()], []]);
    for (const [name, content] of [
      ["all.json", json.out],
      ["one.json", JSON.stringify(evidence[0])],
    ] as const) {
      const file = join(root, name);
      writeFileSync(file, content);
      const verified = await cairn("audit", "verify", file, "--genesis", genesisFile);
      expect([verified.status, verified.out]).toEqual([
        0,
        expect.stringContaining(`a producer lied: ${liar.publicKey}`),
      ]);
    }
    writeFileSync(join(root, "changed.json"), JSON.stringify({ ...evidence[0], height: 2 }));
    const refused = await cairn("audit", "verify", join(root, "changed.json"), "--genesis", genesisFile, "--json");
    expect([refused.status, JSON.parse(refused.out)]).toMatchObject([1, { ok: false, why: expect.any(String) }]);
  });

  it("of a directory where somebody changed a piece and its checksum: 1, and why it proves nothing", async () => {
    const copy = join(root, "copy");
    cpSync(dir, copy, { recursive: true });
    const change = (checksum: boolean): void => {
      const database = new Database(join(copy, "chain.db"));
      const row = database.prepare<[], { producer: Buffer; bytes: Buffer }>("SELECT * FROM evidence").get();
      const { producer, bytes } = row as { producer: Buffer; bytes: Buffer };
      bytes[bytes.length - 1]! ^= 1;
      const crc = checksum ? evidenceChecksum(producer, utf8("twoVotes"), bytes) : 0;
      database.prepare("UPDATE evidence SET bytes = ?, crc = ?").run(bytes, crc);
      database.close();
    };
    change(true);
    const { status, out } = await cairn("inspect", copy, "evidence");
    expect([status, out]).toEqual([1, expect.stringContaining("no: a signature is not the producer's")]);
    change(false);
    const damaged = await cairn("inspect", copy, "evidence");
    expect([damaged.status, damaged.err]).toEqual([1, expect.stringContaining("does not match its checksum")]);
  });

  it("of a URL: what the node tells is checked; under Raft there is none", async () => {
    const head = { height: 0, id: "0".repeat(64), time: 1 };
    const answers: Record<string, unknown> = {
      "/v1/genesis": chainGenesis("bft").value,
      "/v1/evidence": { evidence: [stored(), { ...stored(), producer: PRODUCER_KEYS.bft[0]?.publicKey }] },
      "/v1/status": {
        chainId,
        name: "made",
        node: { name: "node0", key: producers[0]?.key, role: "producer" },
        consensus: { engine: "bft", status: "follower", view: 1, producers },
        head,
        irreversible: head,
        sync: { state: "synced", rate: 0 },
        peers: 0,
        mempool: { count: 0 },
      },
      "/v1/forks": { ...head, producer: producers[0]?.key, children: [] },
    };
    const server: Server = createServer((request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(answers[request.url ?? ""] ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const told = await cairn("inspect", url, "evidence", "--genesis", genesisFile);
    server.close();
    expect([told.status, told.out]).toEqual([
      1,
      expect.stringMatching(/node3 .* yes\nnode0 .* no: producer is not what/),
    ]);
    const none = await cairn("inspect", raft, "evidence");
    expect([none.status, none.out]).toEqual([0, expect.stringContaining("none: under raft")]);
  });
});
