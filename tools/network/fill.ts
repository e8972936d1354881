/**
 * `npm run fill -- COUNT`: a network takes COUNT transactions of 256 bytes by batches; then all chains and states must be
 * equal and hold every one once. Tells the rate and what each process keeps in memory on the way.
 */
import { readFileSync } from "node:fs";
import { note, runAsScript, tellFaults } from "../script.ts";
import { differences, readStopped } from "./equalChains.ts";
import { LoadClient, makeTransaction, type TransactionShape } from "./load.ts";
import { type NetworkOptions, type NodeProcess, withNetwork } from "./processes.ts";

export interface FillOptions extends Omit<NetworkOptions, "dir"> {
  readonly count: number;
  readonly keys: TransactionShape["keys"];
  readonly note: (text: string) => void;
}

export interface FillReport {
  readonly transactionsPerSecond: number;
  readonly height: number;
  readonly stateDigest: string;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const BATCH = 500;
const CONNECTIONS = 4;
const NOTES = 20;

export async function runFill({ count, keys, note, ...options }: FillOptions): Promise<FillReport> {
  return withNetwork(options, async (network) => {
    await network.startAll(["--log-level", "warn"]);
    const leader = await network.awaitLeader();
    const started = performance.now();
    const failed = await fill(leader, count, keys, (done) => {
      const resident = network.nodes.map(({ pid }) => `${residentMegabytes(pid)}`).join(" ");
      note(
        `${done} irreversible, ${Math.round(done / ((performance.now() - started) / 1000))}/s, resident MB: ${resident}`,
      );
    });
    const seconds = (performance.now() - started) / 1000;
    const { height } = await network.awaitEqual();
    await network.endAll();
    const stopped = network.nodes.map(({ node }) => readStopped(node.name, node.dir));
    const faults = differences(stopped);
    if (failed > 0) faults.push(`${failed} transactions were not answered irreversible`);
    for (const { name, chain } of stopped) {
      const twice = [...chain.transactionCounts.values()].filter((times) => times > 1).length;
      if (chain.transactionCounts.size !== count || twice > 0) {
        faults.push(
          `${name}: ${chain.transactionCounts.size} transactions, ${twice} more than once, expected ${count}`,
        );
      }
    }
    const transactionsPerSecond = Math.round(count / seconds);
    return { transactionsPerSecond, height, stateDigest: stopped[0]?.state.digest ?? "", faults };
  });
}

/** @returns how many were not answered `irreversible` */
async function fill(
  node: NodeProcess,
  count: number,
  keys: TransactionShape["keys"],
  progress: (done: number) => void,
): Promise<number> {
  const client = new LoadClient(node.url);
  let next = 0;
  let done = 0;
  let failed = 0;
  let toldAt = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const size = Math.min(BATCH, count - next);
      next += size;
      const batch = Array.from({ length: size }, () => makeTransaction({ bytes: 256, keys }, Date.now()));
      const results = await client.batch(batch, "irreversible", 30_000);
      for (const { status } of results) if (status !== "irreversible") failed++;
      done += size;
      if (done < toldAt + count / NOTES) continue;
      toldAt = done;
      progress(done);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  client.close();
  return failed;
}

/** Of a process of ours, from the kernel; 0 where there is no /proc. */
function residentMegabytes(pid: number | undefined): number {
  try {
    const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Math.round(Number(match?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

async function main(): Promise<number> {
  const count = Number(process.argv[2] ?? 100_000);
  const producers = Number(process.argv[3] ?? 4);
  const followers = Number(process.argv[4] ?? 1);
  const report = await runFill({ producers, followers, basePort: 27_300, count, keys: "sequential", note });
  process.stdout.write(
    `${count} transactions, ${report.transactionsPerSecond}/s, height ${report.height}, state ${report.stateDigest}\n`,
  );
  return tellFaults(report.faults);
}

await runAsScript(import.meta.url, main);
