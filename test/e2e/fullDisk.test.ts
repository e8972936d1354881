/** Commands whose files do not fit any more: nothing half is left, and what was there stays. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import { readNodeDirectory } from "../../src/node/directory.ts";
import { createNetwork } from "../../src/node/network.ts";
import { proposalText } from "../../src/node/proposalFile.ts";
import { writeWhole } from "../../src/node/wholeFile.ts";
import { CAIRN } from "../../tools/network/processes.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-full-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The built command in a shell that lets no file grow past some blocks of 512 bytes or 1 KiB, as a full disk would not. */
function limited(blocks: number, ...args: string[]): { readonly status: number | null; readonly stderr: string } {
  const command = ["-c", `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, CAIRN, ...args];
  return spawnSync("sh", command, { cwd: root, encoding: "utf8" });
}

test.skipIf(process.platform === "win32")(
  "a node's directory that does not fit is gone, so that the command can be repeated",
  () => {
    mkdirSync(join(root, "empty"));
    for (const [blocks, ...args] of [
      [0, "init", "empty"],
      [40, "init", "none"],
      [40, "testnet", "none"],
    ] as const) {
      const { status, stderr } = limited(blocks, ...args);
      expect([status, stderr.split("\n").length]).toEqual([3, 2]);
    }
    expect(readdirSync(root)).toEqual(["empty"]);
    expect(readdirSync(join(root, "empty"))).toEqual([]);
  },
);

test.skipIf(process.platform === "win32")("a proposal keeps the approvals that it had", () => {
  const dir = join(root, "net");
  const plan = {
    name: "test",
    engine: "raft",
    producers: 3,
    followers: 0,
    basePort: 28_720,
    hosts: ["127.0.0.1"],
  } as const;
  expect(createNetwork(dir, { ...plan, time: 1_700_000_000_000 }).ok).toBe(true);
  const node = readNodeDirectory(join(dir, "node0"), {});
  if (!node.ok) throw new Error(node.error.messages[0]);
  const { chainId, producers } = node.value.genesis;
  const base = makeConfiguration(producers.map(({ key }) => key)).hash;
  const proposal = { base, changesBefore: 0, producers: producers.slice(0, 2) };
  const file = join(root, "proposal.json");
  writeWhole(file, proposalText({ chainId, proposal, approvals: [] }));
  const before = readFileSync(file, "utf8");
  const { status, stderr } = limited(0, "producers", "approve", "proposal.json", "net/node0");
  expect([status, stderr]).toEqual([3, expect.stringMatching(/^cairn: proposal\.json cannot be written: .*\n$/)]);
  expect(readFileSync(file, "utf8")).toBe(before);
  expect(readdirSync(root).filter((name) => name.startsWith("proposal"))).toEqual(["proposal.json"]);
  expect(limited(100, "producers", "approve", "proposal.json", "net/node0").status).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ approvals: [{ producer: node.value.key.publicKey }] });
});

test.skipIf(!existsSync("/dev/full"))("standard output that is full is one error and status 3", () => {
  const { status, stderr } = spawnSync(process.execPath, [CAIRN, "keys", "--help"], {
    encoding: "utf8",
    stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
  });
  expect([status, stderr]).toEqual([3, "cairn: standard output cannot be written: no space left on the disk\n"]);
});
