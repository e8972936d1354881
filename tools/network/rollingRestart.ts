/**
 * `npm run rolling-restart -- [--engine raft|vsr|bft] [--producers N] [--rounds N]`: the nodes of a loaded network are stopped as planned and
 * started again, one after the other, as an operator does who brings in a new version. No transaction answered
 * `irreversible` may be lost, and none that a node had only accepted when it was stopped.
 */
import { parseArgs } from "node:util";
import { round } from "../bench/statistics.ts";
import { engineNamed, note, runAsScript, tellFaults } from "../script.ts";
import { BATCH, endFaults, Load } from "./acknowledged.ts";
import { longestPauseMs } from "./pauses.ts";
import { type NetworkOptions, type NodeProcess, poll, withNetwork } from "./processes.ts";

export interface RollingRestartOptions extends Omit<NetworkOptions, "dir"> {
  readonly rounds: number;
  readonly note: (text: string) => void;
}

export interface RollingRestartReport {
  readonly longestPauseMs: number;
  readonly acknowledged: number;
  readonly height: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const READY_WITHIN_MS = 60_000;

/** Stops and starts each node once; the next only when the one before is ready. */
export async function restartOneByOne(
  nodes: readonly NodeProcess[],
  load: Load,
  note: (text: string) => void,
): Promise<void> {
  for (const node of nodes) {
    // A busy machine may not answer; what was not accepted is not asked for later.
    await load.acceptAt(node).catch((error: unknown) => note(`  ${node.node.name} accepted nothing: ${String(error)}`));
    const end = await node.end("SIGTERM");
    if (end !== 0) throw new Error(`${node.node.name} ended with ${end}`);
    await node.start();
    await poll(`${node.node.name} is ready`, READY_WITHIN_MS, async () => {
      const answer = await fetch(`${node.url}/health/ready`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    });
    await load.someAcknowledged(BATCH);
    note(`  ${node.node.name} was restarted`);
  }
}

export async function runRollingRestart({
  rounds,
  note,
  ...options
}: RollingRestartOptions): Promise<RollingRestartReport> {
  return withNetwork(options, async (network) => {
    await network.startAll();
    await network.awaitLeader();
    const load = new Load(network.nodes);
    await load.someAcknowledged(2 * BATCH);
    const longest = await longestPauseMs(load, async () => {
      for (let i = 0; i < rounds; i++) await restartOneByOne(network.nodes, load, note);
    });
    await load.stop();
    const { height } = await network.awaitEqual();
    const faults = await endFaults(network.nodes, load.acknowledged);
    return { longestPauseMs: longest, acknowledged: load.acknowledged.size, height, faults };
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: "string", default: "raft" },
      producers: { type: "string", default: "4" },
      rounds: { type: "string", default: "3" },
    },
  });
  const engine = engineNamed(values.engine);
  const sizes = { producers: Number(values.producers), followers: 1, rounds: Number(values.rounds) };
  const size = { ...sizes, basePort: 28_900, engine };
  const { longestPauseMs: longest, acknowledged, height, faults } = await runRollingRestart({ ...size, note });
  process.stdout.write(
    `${engine}: longest pause ${round(longest, 0)} ms; ${acknowledged} acknowledged, height ${height}\n`,
  );
  return tellFaults(faults);
}

await runAsScript(import.meta.url, main);
