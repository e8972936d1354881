/**
 * `npm run grow-shrink -- [--engine raft|vsr|bft] [--to N] [--down-to N]`: a loaded network of four producers grows, one of
 * its producers dies and is replaced, it shrinks, and its producers are restarted one by one; every change is made by the
 * command that an operator types. Then each transaction answered `irreversible` must be in every chain once, and
 * `cairn inspect DIR verify` must hold from the genesis on.
 */
import { execFile } from "node:child_process";
import { parseArgs, promisify } from "node:util";
import type { EngineName } from "../../chain/genesis.ts";
import { round } from "../bench/statistics.ts";
import { engineNamed, note, runAsScript, tellFaults } from "../script.ts";
import { BATCH, endFaults, Load } from "./acknowledged.ts";
import { longestPauseMs } from "./pauses.ts";
import { CAIRN, type NetworkProcesses, type NodeProcess, poll, withNetwork } from "./processes.ts";
import { restartOneByOne } from "./rollingRestart.ts";

export interface GrowShrinkOptions {
  readonly engine: EngineName;
  readonly basePort: number;
  /** Producers after growing, and after shrinking; there are 4 at first. */
  readonly growTo: number;
  readonly shrinkTo: number;
  /** Are the producers restarted one by one at the end? */
  readonly restarts: boolean;
  readonly note: (text: string) => void;
}

export interface GrowShrinkReport {
  /** By step: the longest time without an answer to the load, ms. */
  readonly pausesMs: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  readonly height: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const FIRST_PRODUCERS = 4;
/** The load is there to be lost or doubled, not to fill the machine: all chains are executed again at the end. */
const REST_MS = 200;
const run = promisify(execFile);

export async function runGrowShrink(options: GrowShrinkOptions): Promise<GrowShrinkReport> {
  const { engine, basePort, growTo, note } = options;
  // Those that join follow at first; the last one is to replace the one that dies.
  const followers = growTo - FIRST_PRODUCERS + 1;
  return withNetwork({ engine, producers: FIRST_PRODUCERS, followers, basePort }, async (network) => {
    const whole = new GrowShrink(network, options);
    await network.startAll();
    await network.awaitLeader();
    const load = new Load(network.nodes, REST_MS);
    await load.someAcknowledged(2 * BATCH);
    const pausesMs = await whole.steps(load);
    await load.someAcknowledged(2 * BATCH);
    await load.stop();
    const { height } = await network.awaitEqual();
    const roles = await whole.roleFaults();
    const ended = await endFaults(network.nodes, load.acknowledged);
    note("verifies a chain from the genesis on");
    const faults = [
      ...roles,
      ...ended,
      // All are one, byte for byte: what holds of the last node's, which came latest, holds of all.
      ...(await verifyFaults(network.nodes.slice(-1))),
    ];
    return { pausesMs, acknowledged: load.acknowledged.size, height, faults };
  });
}

class GrowShrink {
  readonly #network: NetworkProcesses;
  readonly #options: GrowShrinkOptions;
  #set: NodeProcess[];

  constructor(network: NetworkProcesses, options: GrowShrinkOptions) {
    this.#network = network;
    this.#options = options;
    this.#set = network.nodes.slice(0, FIRST_PRODUCERS);
  }

  async steps(load: Load): Promise<Record<string, number>> {
    const { growTo, shrinkTo, restarts, note } = this.#options;
    const { nodes } = this.#network;
    const pausesMs: Record<string, number> = {};
    const step = async (name: string, work: () => Promise<void>): Promise<void> => {
      pausesMs[name] = await longestPauseMs(load, async () => {
        await work();
        await load.someAcknowledged(2 * BATCH);
      });
      note(`${name}: longest pause ${round(pausesMs[name], 0)} ms`);
    };
    for (let i = FIRST_PRODUCERS; i < growTo; i++) {
      const added = nodes[i] as NodeProcess;
      await step(`grows to ${i + 1}`, () => this.#change([...this.#set, added], ["--add", entryOf(added)]));
    }
    await step("a producer dies and is replaced", () => this.#replaceDead(nodes[growTo] as NodeProcess));
    await step(`shrinks to ${shrinkTo}`, async () => {
      // The leader goes, too.
      const leader = await this.#network.awaitLeader();
      const others = this.#set.filter((each) => each !== leader);
      const leaving = [leader, ...others.slice(shrinkTo)];
      const left = this.#set.filter((each) => !leaving.includes(each));
      await this.#change(
        left,
        leaving.flatMap((each) => ["--remove", each.node.name]),
      );
    });
    if (restarts) await step("restarts one by one", () => restartOneByOne(this.#set, load, note));
    return pausesMs;
  }

  /** Whoever is of the set produces, everybody else follows. */
  async roleFaults(): Promise<string[]> {
    const faults: string[] = [];
    const keys = this.#set.map(({ node }) => node.key).sort();
    for (const each of this.#network.nodes) {
      if (!each.running) {
        faults.push(`${each.node.name} has died: ${each.stderr.slice(-1_000)}`);
        continue;
      }
      const { node, consensus } = await each.status();
      const role = this.#set.includes(each) ? "producer" : "follower";
      if (node.role !== role) faults.push(`${each.node.name} is a ${node.role}, should be a ${role}`);
      const known = consensus.producers.map(({ key }) => key).sort();
      if (known.join() !== keys.join()) faults.push(`${each.node.name} knows another set of producers`);
    }
    return faults;
  }

  async #replaceDead(added: NodeProcess): Promise<void> {
    const leader = await this.#network.awaitLeader();
    const dead = this.#set.find((each) => each !== leader) as NodeProcess;
    await dead.end("SIGKILL");
    const set = this.#set.map((each) => (each === dead ? added : each));
    await this.#change(set, ["--replace", `${dead.node.name}=${entryOf(added)}`]);
    // It comes back one day, and finds that it follows.
    await dead.start();
  }

  /** The command of an operator who has the directories of all producers that run. */
  async #change(next: readonly NodeProcess[], flags: readonly string[]): Promise<void> {
    const running = this.#set.filter((each) => each.running);
    const dirs = running.map(({ node }) => node.dir);
    const urls = running.flatMap(({ url }) => ["--url", url]);
    const json = await cairn(["producers", "propose", ...dirs, ...urls, ...flags, "--json"]);
    const { height, activeFrom } = JSON.parse(json) as { readonly height: number; readonly activeFrom: number };
    this.#options.note(`  ${flags.join(" ").slice(0, 60)}: proposed at block ${height}, active from ${activeFrom}`);
    this.#set = [...next];
    await Promise.all(next.map((each) => poll(`${each.node.name} produces`, 30_000, () => isProducer(each))));
  }
}

async function isProducer(node: NodeProcess): Promise<true | undefined> {
  if (!node.running) return true;
  const status = await node.status().catch(() => undefined);
  return status?.node.role === "producer" ? true : undefined;
}

function entryOf({ node }: NodeProcess): string {
  return `${node.key},${node.name},${node.address}`;
}

async function cairn(args: readonly string[]): Promise<string> {
  try {
    return (await run(process.execPath, [CAIRN, ...args])).stdout;
  } catch (error) {
    const { stderr = "", stdout = "" } = error as { readonly stderr?: string; readonly stdout?: string };
    throw new Error(`cairn ${args.slice(0, 2).join(" ")}: ${stderr}${stdout}`, { cause: error });
  }
}

async function verifyFaults(nodes: readonly NodeProcess[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { node } of nodes) {
    await cairn(["inspect", node.dir, "verify"]).catch((error: Error) => faults.push(`${node.name}: ${error.message}`));
  }
  return faults;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: "string", default: "raft" },
      to: { type: "string", default: "7" },
      "down-to": { type: "string", default: "3" },
    },
  });
  const engine = engineNamed(values.engine);
  const sizes = { growTo: Number(values.to), shrinkTo: Number(values["down-to"]), restarts: true };
  const report = await runGrowShrink({ engine, basePort: 28_800, ...sizes, note });
  const { pausesMs, acknowledged, height, faults } = report;
  for (const [name, ms] of Object.entries(pausesMs))
    process.stdout.write(`${name}: longest pause ${round(ms, 0)} ms\n`);
  process.stdout.write(`${engine}: ${acknowledged} acknowledged, height ${height}\n`);
  return tellFaults(faults);
}

await runAsScript(import.meta.url, main);
