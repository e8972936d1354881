/**
 * `npm run bit-flips -- [TRANSACTIONS [DIR|bft]]`: a chain (made, or that of the stopped node's directory DIR), and in a copy of it one bit
 * changed after the other, in every kind of thing that is stored: `inspect verify` must name that thing and where it is.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { toHex } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { type GenesisFile, parseGenesis } from "../../src/node/genesisFile.ts";
import { positionAt } from "../../src/node/storage/indexEntries.ts";
import { StorageError } from "../../src/node/storage/types.ts";
import { note, runAsScript } from "../script.ts";
import { type Fault, type FaultKind, faultText } from "./fault.ts";
import { flipBit, type Flip, type Flipped } from "./flip.ts";
import { makeChain } from "./makeChain.ts";
import type { Report } from "./verification.ts";
import { verifyDirectory } from "./verifyDirectory.ts";

interface Named {
  /** `unopenable`: refused before anything of it is read. */
  readonly kind: FaultKind | "unopenable";
  readonly height?: number;
  /** The state row that was changed, by its key. */
  readonly key?: true;
  readonly detail?: RegExp;
  /** The entry of the index page that was changed, by the place that it names now. */
  readonly entry?: number;
}

interface Case extends Flip {
  readonly file: "chain.db" | "state.db" | "index.db";
  readonly named: Named;
}

/** Of the chain at hand. */
interface Stored {
  readonly irreversible: number;
  /** One that has a certificate, a tenth of the way up. */
  readonly certified: number;
  /** The highest above the irreversible one, if there is any. */
  readonly reversible: number | undefined;
  /** Against a producer. */
  readonly hasEvidence: boolean;
}

/** Every flip of a height goes beyond all heights there are. */
const FAR = 28;
const away = (height: number): number => height ^ (1 << FAR);

/** One for each column of each table that anything depends on. */
function casesOf({ irreversible, certified: h, reversible: r, hasEvidence }: Stored): Case[] {
  const one = "one = 1";
  const at = `height = ${h}`;
  const middleOf = (name: string, key: string): string =>
    `${key} = (SELECT ${key} FROM ${name} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM ${name}))`;
  const pages = middleOf("pages", "number");
  const rows: [Case["file"], Flip["table"], string, string, Named, number?][] = [
    ["chain.db", "meta", "key = 'chainId'", "value", { kind: "unopenable" }],
    ["chain.db", "record", one, "bytes", { kind: "vote record" }],
    ["chain.db", "record", one, "sha256", { kind: "vote record" }],
    ["chain.db", "blocks", at, "header", { kind: "header", height: h }],
    ["chain.db", "blocks", at, "signature", { kind: "signature", height: h }],
    ["chain.db", "blocks", at, "body", { kind: "body", height: h }],
    ["chain.db", "blocks", at, "id", { kind: "block id", height: h }],
    ["chain.db", "blocks", at, "parent", { kind: "block row", height: h }],
    ["chain.db", "blocks", at, "height", { kind: "block row", height: away(h) }, FAR],
    ["chain.db", "blocks", at, "crc", { kind: "block row", height: h, detail: /checksum/ }],
    ["chain.db", "chain", at, "block", { kind: "chain row", height: h }],
    ["chain.db", "chain", at, "height", { kind: "chain row", height: away(h) }, FAR],
    ["chain.db", "certificates", at, "certificate", { kind: "certificate", height: h }],
    ["chain.db", "certificates", at, "id", { kind: "certificate", height: h }],
    ["chain.db", "certificates", at, "height", { kind: "certificate", height: away(h) }, FAR],
    ["chain.db", "certificates", at, "crc", { kind: "certificate", height: h, detail: /checksum/ }],
    ["chain.db", "pointer", one, "height", { kind: "irreversible pointer", height: away(irreversible) }, FAR],
    ["chain.db", "pointer", one, "id", { kind: "irreversible pointer", height: irreversible }],
    ["chain.db", "pointer", one, "certificate", { kind: "irreversible pointer", height: irreversible }],
    ["chain.db", "pointer", one, "frontier", { kind: "frontier", height: irreversible }],
    ["chain.db", "pointer", one, "crc", { kind: "irreversible pointer", height: irreversible, detail: /checksum/ }],
    ["state.db", "meta", "key = 'chainId'", "value", { kind: "unopenable" }],
    ["state.db", "receipts", at, "receipts", { kind: "receipts", height: h }],
    ["state.db", "receipts", at, "height", { kind: "receipts", height: h, detail: /missing/ }, FAR],
    ["state.db", "state", middleOf("state", "key"), "value", { kind: "state row", height: irreversible, key: true }],
    ["state.db", "state", middleOf("state", "key"), "key", { kind: "state row", height: irreversible, key: true }],
    ["state.db", "applied", one, "height", { kind: "state" }, FAR],
    ["state.db", "applied", one, "id", { kind: "state", height: irreversible }],
    ["index.db", "meta", "key = 'chainId'", "value", { kind: "unopenable" }],
    ["index.db", "meta", "key = 'height'", "value", { kind: "index" }, FAR],
    ["index.db", "segments", "1", "segment", { kind: "database file", detail: /segment \d+ lacks page 0/ }, 12],
    ["index.db", "segments", "1", "entries", { kind: "index", detail: /number of entries/ }],
    ["index.db", "segments", "1", "fences", { kind: "index", detail: /fence/ }],
    ["index.db", "pages", pages, "number", { kind: "database file", detail: /segment \d+ lacks page/ }, 22],
    // Of the sixth entry the second word of the id, then the last of the place.
    ["index.db", "pages", pages, "entries", { kind: "index entry", entry: 5 }, 8 * (16 * 5 + 7)],
    ["index.db", "pages", pages, "entries", { kind: "index entry", entry: 5 }, 8 * (16 * 5 + 12)],
  ];
  if (r !== undefined) {
    const above = `height = ${r}`;
    rows.push(
      ["chain.db", "blocks", above, "header", { kind: "header", height: r }],
      ["chain.db", "blocks", above, "signature", { kind: "signature", height: r }],
      ["chain.db", "reversible", above, "height", { kind: "block row", height: away(r) }, FAR],
      ["chain.db", "reversible", above, "block", { kind: "block row", height: r }],
    );
  }
  if (hasEvidence) {
    const named = { kind: "evidence" } as const;
    for (const column of ["producer", "kind", "bytes"]) rows.push(["chain.db", "evidence", "1", column, named]);
    rows.push(["chain.db", "evidence", "1", "crc", { ...named, detail: /checksum/ }]);
  }
  return rows.map(([file, name, where, column, named, bit]) => ({
    file,
    table: name,
    where,
    column,
    named,
    ...(bit !== undefined && { bit }),
  }));
}

export interface FlipResult {
  /** `chain.db blocks.header`. */
  readonly changed: string;
  /** In words, as `inspect verify` tells it. */
  readonly told: string;
  readonly kind: string;
  readonly height: number | undefined;
  readonly isExact: boolean;
  readonly seconds: number;
}

export interface FlipsReport {
  /** Of the chain as it was. */
  readonly before: Report;
  readonly seconds: number;
  readonly results: readonly FlipResult[];
  /** Of the copy, once each bit was changed back. */
  readonly after: Report;
}

/** `dir` is only read. */
export async function runBitFlips(dir: string, note: (result: FlipResult) => void): Promise<FlipsReport> {
  const root = mkdtempSync(join(tmpdir(), "cairn-bit-flips-"));
  const copy = join(root, "copy");
  try {
    cpSync(dir, copy, { recursive: true });
    const genesis = genesisOf(copy);
    const verify = (): Promise<Report> => verifyDirectory(copy, genesis, createKvApplication(), () => undefined);
    const began = performance.now();
    const before = await verify();
    const seconds = (performance.now() - began) / 1000;
    const results: FlipResult[] = [];
    for (const each of casesOf(storedIn(copy))) {
      const result = await runOne(copy, each, verify);
      results.push(result);
      note(result);
    }
    return { before, seconds, results, after: await verify() };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function runOne(dir: string, each: Case, verify: () => Promise<Report>): Promise<FlipResult> {
  const flipped = write(dir, each.file, (database) => flipBit(database, each));
  const began = performance.now();
  const fault = await faultOf(verify);
  const seconds = (performance.now() - began) / 1000;
  write(dir, each.file, (database) => flipped.undo(database));
  const { kind = "nothing", height } = fault ?? {};
  const row = each.table === "meta" ? ` where ${each.where}` : "";
  const changed = `${each.file} ${each.table}.${each.column}${row}`;
  const told =
    fault === undefined ? "nothing is wrong" : fault.kind === "unopenable" ? fault.detail : faultText(fault as Fault);
  return { changed, told, kind, height, isExact: isNamed(fault, each.named, flipped), seconds };
}

type Told = Omit<Fault, "kind"> & { readonly kind: Named["kind"] };

async function faultOf(verify: () => Promise<Report>): Promise<Told | undefined> {
  try {
    return (await verify()).fault;
  } catch (error) {
    if (error instanceof StorageError) return { kind: "unopenable", detail: error.message };
    throw error;
  }
}

function isNamed(fault: Told | undefined, named: Named, { before, after }: Flipped): boolean {
  if (fault === undefined || fault.kind !== named.kind) return false;
  if (named.entry !== undefined) {
    const words = new Uint32Array(Uint8Array.from(after["entries"] as Buffer).buffer);
    const place = positionAt(words, named.entry);
    return fault.height === place.height && fault.index === place.index;
  }
  if (fault.height !== named.height) return false;
  if (named.detail !== undefined && !named.detail.test(fault.detail)) return false;
  if (named.key === undefined) return true;
  // The row that is missing, or the one too many: whichever comes first.
  const keys = [before, after].map((row) => toHex(row["key"] as Buffer)).sort();
  return fault.key === keys[0];
}

function write<T>(dir: string, file: string, work: (database: Database.Database) => T): T {
  const database = new Database(join(dir, file));
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function storedIn(dir: string): Stored {
  return write(dir, "chain.db", (database) => {
    const number = (sql: string): number | null => database.prepare<[], number | null>(sql).pluck().get() ?? null;
    const irreversible = number("SELECT height FROM pointer");
    const certified = number(`SELECT min(height) FROM certificates WHERE height >= ${(irreversible ?? 0) / 10}`);
    if (irreversible === null || certified === null) throw new Error(`${dir}: nothing is irreversible there`);
    return {
      irreversible,
      certified,
      reversible: number("SELECT max(height) FROM reversible") ?? undefined,
      hasEvidence: number("SELECT count(*) FROM evidence") !== 0,
    };
  });
}

function genesisOf(dir: string): GenesisFile {
  const parsed = parseGenesis(JSON.parse(readFileSync(join(dir, "genesis.json"), "utf8")));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

async function main(): Promise<number> {
  const [count = "1000000", given] = process.argv.slice(2);
  const root = mkdtempSync(join(tmpdir(), "cairn-bit-flips-chain-"));
  const isMade = given === undefined || given === "bft";
  const dir = isMade ? join(root, "chain") : given;
  try {
    if (isMade) {
      const shape = {
        transactionsPerBlock: 100,
        valueBytes: 180,
        blocksPerCertificate: 20,
        reversible: 2,
        signed: false,
        engine: given ?? "raft",
      } as const;
      await makeChain(dir, { ...shape, blocks: Math.ceil(Number(count) / shape.transactionsPerBlock) });
      note("chain made");
    }
    const { before, seconds, results, after } = await runBitFlips(dir, ({ told, isExact, changed }) =>
      note(`${isExact ? "exact" : "WRONG"}  ${changed}: ${told}`),
    );
    process.stdout.write("| one bit of | named | height | s | exact |\n|---|---|--:|--:|---|\n");
    for (const { changed, kind, height, isExact, seconds: took } of results) {
      const cells = [changed, kind, height ?? "-", took.toFixed(1), isExact ? "yes" : "NO"];
      process.stdout.write(`| ${cells.join(" | ")} |\n`);
    }
    const exact = results.filter((each) => each.isExact).length;
    const whole = before.ok ? `verifies in ${seconds.toFixed(1)} s` : "does NOT verify as it is";
    process.stdout.write(
      `${before.transactions} transactions in ${before.blocks} blocks: the chain ${whole}; ${exact} of ${results.length} changed bits named exactly; ` +
        `changed back, it ${after.ok ? "verifies" : "does NOT verify"}\n`,
    );
    return before.ok && after.ok && exact === results.length ? 0 : 1;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

await runAsScript(import.meta.url, main);
