/**
 * `npm run kill-loop -- [TIMES] [SIGNAL] [--engine bft|vsr] [--any]`: kills (SIGKILL), stops (SIGTERM) or pauses (SIGSTOP) the
 * leader of a loaded network again and again, then kills all nodes at once, and checks that every transaction answered
 * `irreversible` is in every chain exactly once. With --any every other time a producer that does not lead.
 */
import { parseArgs } from "node:util";
import { quantile, round } from "../bench/statistics.ts";
import { engineNamed, note, runAsScript, tellFaults } from "../script.ts";
import { BATCH, endFaults, Load } from "./acknowledged.ts";
import { type NetworkOptions, type NodeProcess, withNetwork } from "./processes.ts";

export interface KillLoopOptions extends Omit<NetworkOptions, "dir"> {
  /** Times that the leader is killed. */
  readonly kills: number;
  /**
   * SIGTERM stops it as planned: then what it has only accepted must not be lost either. SIGSTOP: it stands still until
   * the others have gone on, and some time longer. Default SIGKILL.
   */
  readonly signal?: KillSignal;
  /** Every other time it is a producer that does not lead. */
  readonly any?: boolean;
  readonly note: (text: string) => void;
}

export interface KillLoopReport {
  /** From each kill to the next irreversible answer to a transaction submitted after it, ms. */
  readonly downtimesMs: readonly number[];
  readonly acknowledged: number;
  readonly height: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const SIGNALS = ["SIGKILL", "SIGTERM", "SIGSTOP"] as const;
type KillSignal = (typeof SIGNALS)[number];

/** A paused node stands still so long after the others went on: its links are given up meanwhile, or not. */
const PAUSE_MS = 2_000;

export async function runKillLoop({
  kills,
  note,
  signal = "SIGKILL",
  any = false,
  ...options
}: KillLoopOptions): Promise<KillLoopReport> {
  return withNetwork(options, async (network) => {
    await network.startAll();
    const load = new Load(network.nodes);
    const downtimesMs: number[] = [];
    for (let i = 0; i < kills; i++) {
      const leader = await network.awaitLeader();
      const producers = network.nodes.filter(({ node }) => node.role === "producer" && node !== leader.node);
      const victim = (any && i % 2 === 1 ? producers[(i >> 1) % producers.length] : undefined) ?? leader;
      await load.someAcknowledged(5 * BATCH);
      if (signal === "SIGTERM") await load.acceptAt(victim);
      const downtime = await struck(victim, signal, load);
      downtimesMs.push(downtime);
      const what = `${victim.node.name}${victim === leader ? ", the leader" : ""}`;
      note(`${signal} ${i + 1} of ${kills}: ${what}, ${round(downtime, 0)} ms to the next commit`);
    }
    await load.someAcknowledged(5 * BATCH);
    note("kills all nodes at once");
    await network.endAll("SIGKILL");
    await network.startAll();
    await network.awaitLeader();
    await load.someAcknowledged(BATCH);
    await load.stop();
    const { height } = await network.awaitEqual();
    const faults = await endFaults(network.nodes, load.acknowledged);
    return { downtimesMs, acknowledged: load.acknowledged.size, height, faults };
  });
}

/** The victim is ended and started again, or paused. @returns the time to the next commit elsewhere, ms */
async function struck(victim: NodeProcess, signal: KillSignal, load: Load): Promise<number> {
  const at = performance.now();
  const ended = signal === "SIGSTOP" ? victim.signal(signal) : victim.end(signal);
  const downtime = (await load.nextAnswerSubmittedAfter(at)) - at;
  await ended;
  if (signal !== "SIGSTOP") await victim.start();
  else {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    victim.signal("SIGCONT");
  }
  return downtime;
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { engine: { type: "string", default: "raft" }, any: { type: "boolean", default: false } },
  });
  const kills = Number(positionals[0] ?? 20);
  const signal = SIGNALS.find((each) => each === positionals[1]) ?? "SIGKILL";
  const engine = engineNamed(values.engine);
  const size = { producers: 4, followers: 1, basePort: 27_900 };
  const report = await runKillLoop({ ...size, engine, kills, signal, any: values.any, note });
  const { downtimesMs, acknowledged, height, faults } = report;
  const times = `median ${round(quantile(downtimesMs, 0.5), 0)} ms, worst ${round(Math.max(...downtimesMs), 0)} ms`;
  process.stdout.write(
    `${engine}, ${kills} times ${signal}: ${times}; ${acknowledged} acknowledged, height ${height}\n`,
  );
  return tellFaults(faults);
}

await runAsScript(import.meta.url, main);
