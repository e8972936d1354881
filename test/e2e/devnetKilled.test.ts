import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { CAIRN, poll } from "../../tools/network/processes.ts";

test("kill -9 of a devnet takes its nodes along, as the built command starts them", async () => {
  const root = mkdtempSync(join(tmpdir(), "cairn-devnet-"));
  const args = ["devnet", "--dir", join(root, "dev"), "--producers", "1", "--followers", "0", "--base-port", "21600"];
  const devnet = spawn(process.execPath, [CAIRN, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let node: number | undefined;
  try {
    for await (const line of createInterface({ input: devnet.stdout })) if (line.startsWith("ready ")) break;
    node = holderOf(join(root, "dev", "node0"));
    expect(isAlive(node)).toBe(true);
    devnet.kill("SIGKILL");
    await once(devnet, "exit");
    await poll("the node's end", 60_000, async () => (isAlive(node as number) ? undefined : true));
  } finally {
    devnet.kill("SIGKILL");
    if (node !== undefined && isAlive(node)) process.kill(node, "SIGKILL");
    rmSync(root, { recursive: true, force: true });
  }
}, 120_000);

/** Its lock names the process. */
function holderOf(dir: string): number {
  const lock = new Database(join(dir, "lock"), { readonly: true });
  const pid = Number(lock.pragma("user_version", { simple: true }));
  lock.close();
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
