import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChainReader } from "../../../src/node/storage/chainReader.ts";
import { CHAIN_ID, makeChain, openChain, openDerived, removeDirectory } from "./fixtures.ts";
import {
  expectConsistent,
  expectStateConsistent,
  irreversibleAfter,
  transactionId,
  transactionIds,
} from "./sequence.ts";

const PROGRAM = fileURLToPath(new URL("./crashProgram.ts", import.meta.url));
const LANES = 2;
const KILLS_A_LANE = 5;

let dirs: string[];
beforeEach(() => void (dirs = Array.from({ length: LANES }, makeChain)));
afterEach(() => dirs.forEach(removeDirectory));

interface Acknowledged {
  readonly token: number;
  readonly applied: number;
}

/** Lets the program go on until it has acknowledged `acknowledgements` times, kills it, tells what it had said. */
async function runAndKill(dir: string, acknowledgements: number): Promise<Acknowledged> {
  const child = spawn(process.execPath, [PROGRAM, dir, CHAIN_ID], { stdio: ["ignore", "pipe", "pipe"] });
  const complaints: string[] = [];
  child.stderr.on("data", (data: Buffer) => complaints.push(data.toString()));
  const exited = once(child, "exit");
  let token = 0;
  let applied = 0;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [kind, value] = line.split(" ");
    if (kind === "token") token = Number(value);
    if (kind === "applied") applied = Number(value);
    if (++count === acknowledgements) child.kill("SIGKILL");
  }
  const [, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  expect(`${signal ?? "ended by itself"} ${complaints.join("")}`).toMatch(/^SIGKILL/);
  return { token, applied };
}

/** Opens the stores as a restarting node does and checks all they hold. */
async function expectNothingLost(dir: string, acknowledged: Acknowledged, checkedUpTo: number): Promise<number> {
  const { store: chain } = await openChain(dir, CHAIN_ID);
  const { store: derived } = await openDerived(dir);
  const token = expectConsistent(chain, checkedUpTo);
  expect(token).toBeGreaterThanOrEqual(acknowledged.token);
  const applied = expectStateConsistent(derived);
  expect(applied).toBeGreaterThanOrEqual(acknowledged.applied);
  expect(applied).toBeLessThanOrEqual(irreversibleAfter(token));
  const lostFromIndex = derived.indexedHeight()! + 1;
  for (let height = lostFromIndex; height <= applied; height++) {
    derived.fillIndex([{ height, transactionIds: transactionIds(height) }]);
  }
  for (const height of [1, applied >> 1, applied].filter((each) => each > 0)) {
    expect(await derived.lookup(transactionId(height, 2))).toEqual([{ height, index: 2 }]);
  }
  await Promise.all([chain.close(), derived.close()]);
  return irreversibleAfter(token);
}

test(`kill -9 at ${LANES * KILLS_A_LANE} random moments: everything acknowledged is there, whole and in order`, async () => {
  const endHeights = await Promise.all(
    dirs.map(async (dir) => {
      let checkedUpTo = 1;
      for (let round = 0; round < KILLS_A_LANE; round++) {
        const acknowledged = await runAndKill(dir, 1 + Math.floor(Math.random() * 60));
        // Every other time the next program itself finds the directory as the kill left it.
        if (round % 2 === 1) checkedUpTo = await expectNothingLost(dir, acknowledged, checkedUpTo);
      }
      return checkedUpTo;
    }),
  );
  for (const [lane, height] of endHeights.entries()) {
    expect(height).toBeGreaterThan(KILLS_A_LANE);
    const reader = ChainReader.open(dirs[lane]!);
    expectConsistent(reader);
    reader.close();
  }
}, 300_000);
