/** Strangers at both ports of a real node: random bytes, endless headers, connections that say nothing. It serves on. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { NetworkProcesses, type NodeProcess } from "../../tools/network/processes.ts";

const PORT = 29_900;
let root: string;
let network: NetworkProcesses;
let node: NodeProcess;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "cairn-hostile-"));
  network = NetworkProcesses.create({ dir: join(root, "net"), producers: 1, followers: 0, basePort: PORT });
  node = network.nodes[0] as NodeProcess;
  await node.start();
  await network.awaitLeader();
}, 300_000);

afterAll(async () => {
  await network.endAll("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** Opens a connection, writes `bytes`, and never closes it. Resolves when the bytes are out or the node cut it off. */
function intrude(port: number, bytes: Uint8Array): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, () => resolve(socket)));
    socket.on("error", () => resolve(socket));
  });
}

async function commits(): Promise<string> {
  const client = new LoadClient(node.url);
  const { status } = await client.single(
    makeTransaction({ bytes: 256, keys: "random" }, Date.now()),
    "irreversible",
    10_000,
  );
  client.close();
  return status;
}

function residentMegabytes(): number {
  const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, "utf8"));
  return Number(match?.[1]) / 1024;
}

test("200 connections that stay open, with nothing, random bytes, or a header without end: commits go on, memory is bounded", async () => {
  const before = residentMegabytes();
  const header = Buffer.from(`GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Endless: ${"a".repeat(200_000)}`);
  const kinds = [
    [PORT, Buffer.alloc(0)],
    [PORT, randomBytes(256 * 1024)],
    [PORT, Buffer.concat([Buffer.from("\x13/multistream/1.0.0\n"), Buffer.alloc(64 * 1024, 0xff)])],
    [PORT + 1, Buffer.alloc(0)],
    [PORT + 1, randomBytes(256 * 1024)],
    [PORT + 1, header],
    [PORT + 1, Buffer.from("POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")],
    [
      PORT + 1,
      Buffer.from(
        "POST /v1/transactions/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{",
      ),
    ],
  ] as const;
  const sockets = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const [port, bytes] = kinds[i % kinds.length] as readonly [number, Buffer];
      return intrude(port, bytes);
    }),
  );
  expect(await commits()).toBe("irreversible");
  expect(residentMegabytes()).toBeLessThan(before + 300);
  for (const socket of sockets) socket.destroy();
  expect(await commits()).toBe("irreversible");
  expect(node.running).toBe(true);
}, 300_000);
