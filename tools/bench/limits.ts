/** What this machine can do at most, measured beside the benchmark: disk sync, hash, signatures, loopback, SQLite. */
import { generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { sha256 } from "../../src/base/hash.ts";
import { quantile } from "./statistics.ts";

export interface Limits {
  readonly fsyncMs: { readonly p50: number; readonly p99: number };
  readonly sha256Of256BytesPerSecond: number;
  readonly ed25519VerifiesPerSecond: number;
  readonly ed25519SignsPerSecond: number;
  readonly loopbackMegabytesPerSecond: number;
  readonly loopbackRoundTripMs: number;
  readonly sqliteRandomInsertsPerSecond: number;
}

export async function measureLimits(dir: string): Promise<Limits> {
  const scratch = mkdtempSync(join(dir, "limits-"));
  try {
    const pair = generateKeyPairSync("ed25519");
    const digest = randomBytes(32);
    const signature = sign(null, digest, pair.privateKey);
    const input = randomBytes(256);
    return {
      fsyncMs: fsyncMs(scratch),
      sha256Of256BytesPerSecond: perSecond(200_000, () => sha256(input)),
      ed25519VerifiesPerSecond: perSecond(5_000, () => verify(null, digest, pair.publicKey, signature)),
      ed25519SignsPerSecond: perSecond(5_000, () => sign(null, digest, pair.privateKey)),
      ...(await loopback()),
      sqliteRandomInsertsPerSecond: sqliteInserts(scratch),
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function perSecond(times: number, what: () => unknown): number {
  for (let i = 0; i < times / 10; i++) what();
  const started = performance.now();
  for (let i = 0; i < times; i++) what();
  return Math.round((times * 1000) / (performance.now() - started));
}

function fsyncMs(dir: string): { p50: number; p99: number } {
  const file = openSync(join(dir, "fsync"), "w");
  const page = Buffer.alloc(4096);
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    writeSync(file, page);
    const started = performance.now();
    fdatasyncSync(file);
    times.push(performance.now() - started);
  }
  closeSync(file);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function loopback(): Promise<{ loopbackMegabytesPerSecond: number; loopbackRoundTripMs: number }> {
  const total = 256 * 1024 * 1024;
  const server = createServer((socket) => {
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (chunk.length === 1 || received >= total) socket.write("x");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const socket = connect(address.port, "127.0.0.1");
  socket.setNoDelay(true);
  const answer = (): Promise<void> => new Promise((resolve) => socket.once("data", () => resolve()));
  const trips: number[] = [];
  for (let i = 0; i < 500; i++) {
    const started = performance.now();
    socket.write("x");
    await answer();
    trips.push(performance.now() - started);
  }
  const chunk = Buffer.alloc(64 * 1024);
  const started = performance.now();
  const done = answer();
  for (let sent = 0; sent < total; sent += chunk.length) {
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  await done;
  const seconds = (performance.now() - started) / 1000;
  socket.destroy();
  server.close();
  return { loopbackMegabytesPerSecond: Math.round(total / 1e6 / seconds), loopbackRoundTripMs: quantile(trips, 0.5) };
}

function sqliteInserts(dir: string): number {
  const database = new Database(join(dir, "limits.db"));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL");
  database.exec("CREATE TABLE t (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
  const insert = database.prepare("INSERT OR REPLACE INTO t VALUES (?, ?)");
  const value = randomBytes(256);
  const rows = 50_000;
  const keys = Array.from({ length: rows }, () => randomBytes(16));
  const started = performance.now();
  for (let at = 0; at < rows; at += 1000) {
    database.transaction(() => {
      for (const key of keys.slice(at, at + 1000)) insert.run(key, value);
    })();
  }
  const seconds = (performance.now() - started) / 1000;
  database.close();
  return Math.round(rows / seconds);
}
