/**
 * `npm run far-behind -- --blocks 200000 --transactions 2000000`: a new follower catches up with a chain that grows under load.
 * Its sources: three producers, of which one stands still for a while and one is killed, and a node that serves tampered
 * ranges. The follower itself is killed on the way, again and again, and goes on where it was.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { readNodeDirectory } from "../../src/node/directory.ts";
import { type Limits, measureLimits } from "../bench/limits.ts";
import { quantile, round } from "../bench/statistics.ts";
import { faultText } from "../inspect/fault.ts";
import { verifyDirectory } from "../inspect/verifyDirectory.ts";
import { note, runAsScript } from "../script.ts";
import { stateDigest } from "./chainFiles.ts";
import { stateDifferences } from "./equalChains.ts";
import { LoadClient, makeTransaction } from "./load.ts";
import { BLOCK_INTERVAL_MS, fillOffline } from "./offlineChain.ts";
import { HOSTILE, type NetworkProcesses, type NodeProcess, poll, withNetwork } from "./processes.ts";

export interface FarBehindOptions {
  readonly blocks: number;
  readonly transactions: number;
  readonly kills: number;
  readonly basePort: number;
  readonly note: (text: string) => void;
  /** Whether nothing else happens: no stall, kill or lie, only the rate counts. */
  readonly calm?: boolean;
  /** Whether what a killed follower left is verified, as `inspect verify` does, before it is started again. */
  readonly verify?: boolean;
}

export interface FarBehindReport {
  /** While it ran, from the first block to the last one that was there when it began. */
  readonly seconds: number;
  readonly blocksPerSecond: number;
  readonly transactionsPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Irreversible height when it was killed, and when it told one for the first time afterwards. */
  readonly kills: readonly { readonly at: number; readonly back: number }[];
  /** Times that a tampered range was found. */
  readonly lies: number;
  readonly grownBlocks: number;
  /** Of the follower's last life, all threads, from the kernel: what another load on the machine does not change much. */
  readonly cpuSeconds: number;
  readonly states: readonly string[];
  readonly faults: readonly string[];
}

const TRANSACTION_BYTES = 256;
/** A live node may be this many blocks behind what another node says a moment later. */
const LIVE_BLOCKS = 64;
const CATCH_UP_MS = 1_800_000;

export async function runFarBehind(options: FarBehindOptions): Promise<FarBehindReport> {
  const { blocks, basePort, note } = options;
  const time = Date.now() - blocks * BLOCK_INTERVAL_MS - 5_000;
  return withNetwork({ producers: 3, followers: 2, basePort, time }, async (network) => {
    note("fills the producers' directories");
    const dirs = network.nodes.map(({ node }) => node.dir);
    await fillOffline({
      producers: dirs.slice(0, 3),
      followers: dirs.slice(3, 4),
      blocks,
      transactionsPerBlock: Math.max(1, Math.round(options.transactions / blocks)),
      transactionBytes: TRANSACTION_BYTES,
      note,
    });
    return await new CatchUpRun(network, options).run();
  });
}

class CatchUpRun {
  readonly #network: NetworkProcesses;
  readonly #options: FarBehindOptions;
  readonly #follower: NodeProcess;
  readonly #faults: string[] = [];
  readonly #states: string[] = [];
  readonly #kills: { at: number; back: number }[] = [];
  /** Time in which it ran, and what it did in it. */
  #activeMs = 0;
  #activeBlocks = 0;

  constructor(network: NetworkProcesses, options: FarBehindOptions) {
    this.#network = network;
    this.#options = options;
    this.#follower = network.nodes[4] as NodeProcess;
  }

  async run(): Promise<FarBehindReport> {
    const { blocks, transactions, calm = false, note } = this.#options;
    const [hostile] = this.#network.nodes.slice(3) as [NodeProcess];
    await Promise.all(this.#network.nodes.slice(0, 3).map((node) => node.start(["--log-level", "warn"])));
    if (!calm) await hostile.start(["--log-level", "warn"], HOSTILE);
    const leader = await this.#network.awaitLeader();
    const others = this.#network.nodes.slice(0, 3).filter((node) => node !== leader) as [NodeProcess, NodeProcess];
    const load = loadOn(leader, calm ? 0 : 4);
    if (!calm) others[0].signal("SIGSTOP");
    note(`one of two other producers stands still; the follower starts, ${blocks} blocks behind`);
    await this.#startFollower();
    await this.#watch(leader, others);
    await load.stop();
    const { height } = await this.#network.awaitEqual(60_000);
    const cpuSeconds = cpuSecondsOf(this.#follower.pid);
    this.#faults.push(...(await this.#compare(height)));
    const perSecond = (amount: number): number => Math.round((amount * 1000) / this.#activeMs);
    const transactionsPerSecond = perSecond((this.#activeBlocks * transactions) / blocks);
    const log = readFileSync(`${this.#follower.node.dir}.log`, "utf8");
    const lies = log.split("reason=misbehaviour").length - 1;
    if (!calm && lies === 0) this.#faults.push("no tampered range was found");
    return {
      seconds: round(this.#activeMs / 1000, 1),
      blocksPerSecond: perSecond(this.#activeBlocks),
      transactionsPerSecond,
      megabytesPerSecond: round((transactionsPerSecond * TRANSACTION_BYTES) / 1e6, 1),
      kills: this.#kills,
      lies,
      grownBlocks: height - blocks,
      cpuSeconds,
      states: this.#states,
      faults: this.#faults,
    };
  }

  #startFollower(): Promise<void> {
    const [hostile] = this.#network.nodes.slice(3) as [NodeProcess];
    return this.#follower.start(this.#options.calm === true ? [] : ["--peer", hostile.node.address]);
  }

  /** Kills, stalls and deaths on the way, until the follower is synced. */
  async #watch(leader: NodeProcess, [staller, dying]: readonly [NodeProcess, NodeProcess]): Promise<void> {
    const { blocks, kills, calm = false, note } = this.#options;
    const killAt = Array.from({ length: kills }, (_, i) => Math.round((blocks * (i + 0.5)) / kills));
    const events = calm
      ? []
      : [
          { at: 0.6, what: "the producer that stood still goes on", act: async () => staller.signal("SIGCONT") },
          { at: 0.7, what: "another producer is killed", act: () => dying.end("SIGKILL") },
          { at: 0.9, what: "and comes back", act: () => dying.start(["--log-level", "warn"]) },
        ];
    let from: { readonly at: number; readonly height: number } | undefined;
    let notedAt = 0;
    await poll("the follower synced", CATCH_UP_MS, async () => {
      // Asked before: what the leader holds now, the follower has to know of before it may call itself synced.
      const target = (await leader.status()).irreversible.height;
      const { sync, head, irreversible } = await this.#follower.status();
      const now = performance.now();
      from ??= { at: now, height: irreversible.height };
      if (this.#states.at(-1) !== sync.state) this.#states.push(sync.state);
      if (now > notedAt + 2_000) {
        notedAt = now;
        note(
          `${sync.state}: ${irreversible.height} of ${sync.target}, ${sync.rate} blocks/s, ${sync.timeLeftSeconds ?? "?"} s left`,
        );
      }
      const behind = target - head.height;
      if (sync.state === "synced" && behind > LIVE_BLOCKS)
        this.#faults.push(`says synced at height ${head.height}, ${behind} blocks behind`);
      const isDone = sync.state === "synced" && behind <= LIVE_BLOCKS;
      const [next] = killAt;
      const isKilled = next !== undefined && irreversible.height >= next;
      if (isDone || isKilled || irreversible.height >= blocks)
        this.#count(from, now, Math.min(blocks, irreversible.height));
      if (irreversible.height >= blocks) from = { at: Number.POSITIVE_INFINITY, height: blocks };
      if (isKilled) {
        killAt.shift();
        await this.#kill(irreversible.height);
        from = undefined;
        return undefined;
      }
      const event = events[0];
      if (event !== undefined && (isDone || irreversible.height >= event.at * blocks)) {
        events.shift();
        note(event.what);
        await event.act();
        return undefined;
      }
      return isDone ? true : undefined;
    });
  }

  #count(from: { readonly at: number; readonly height: number }, now: number, height: number): void {
    if (from.at === Number.POSITIVE_INFINITY) return;
    this.#activeMs += now - from.at;
    this.#activeBlocks += Math.max(0, height - from.height);
  }

  async #kill(at: number): Promise<void> {
    await this.#follower.end("SIGKILL");
    if (this.#options.verify === true) await this.#verify(at);
    await this.#startFollower();
    const back = (await this.#follower.status()).irreversible.height;
    this.#kills.push({ at, back });
    this.#options.note(`killed at ${at}, back at ${back}`);
    if (back < at) this.#faults.push(`killed at ${at}, back at ${back} only`);
  }

  /** A directory whose node died in the middle of a pull holds less than it will, and nothing that is wrong. */
  async #verify(killedAt: number): Promise<void> {
    const { dir } = this.#follower.node;
    const read = readNodeDirectory(dir, {});
    if (!read.ok) throw new Error(read.error.messages.join("; "));
    const report = await verifyDirectory(dir, read.value.genesis, createKvApplication(), () => undefined);
    if (report.fault !== undefined) this.#faults.push(`killed at ${killedAt}: ${faultText(report.fault)}`);
    if (report.blocks < killedAt) this.#faults.push(`killed at ${killedAt}: only ${report.blocks} blocks are there`);
    this.#options.note(`killed at ${killedAt}: what it left verifies up to block ${report.blocks}`);
  }

  /** Heads were equal at a height, so were all blocks below; states are compared byte for byte. */
  async #compare(equalAt: number): Promise<string[]> {
    const nodes = this.#network.nodes.filter((node) => node.running);
    await this.#network.endAll();
    const states = nodes.map(({ node }) => ({ name: node.name, state: stateDigest(node.dir) }));
    const behind = states.filter(({ state }) => state.height < equalAt);
    return [
      ...behind.map(({ name, state }) => `${name}: its state is of block ${state.height}, all had ${equalAt}`),
      ...stateDifferences(states),
    ];
  }
}

/** User and system time of a process of ours; 0 where there is no /proc. */
function cpuSecondsOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Batches of twenty, one after the other on each of some connections. */
function loadOn(node: NodeProcess, connections: number): { stop(): Promise<unknown> } {
  let isLoading = true;
  const work = async (): Promise<void> => {
    const client = new LoadClient(node.url);
    while (isLoading) {
      const batch = Array.from({ length: 20 }, () =>
        makeTransaction({ bytes: TRANSACTION_BYTES, keys: "random" }, Date.now()),
      );
      await client.batch(batch, "irreversible", 10_000).catch(() => undefined);
    }
    client.close();
  };
  const done = Promise.all(Array.from({ length: connections }, work));
  return {
    stop: () => {
      isLoading = false;
      return done;
    },
  };
}

function reportText(report: FarBehindReport, limits: Limits, { blocks, transactions }: FarBehindOptions): string {
  const back = report.kills.map(({ at, back: height }) => height - at);
  return [
    `${blocks} blocks, ${transactions} transactions of ${TRANSACTION_BYTES} B: ${report.seconds} s, ` +
      `${report.transactionsPerSecond} transactions/s, ${report.blocksPerSecond} blocks/s, ${report.megabytesPerSecond} MB/s`,
    `killed ${back.length} times, ${back.length === 0 ? 0 : quantile(back, 0.5)} blocks further when it was back (median); ` +
      `${report.lies} tampered ranges found; the chain grew by ${report.grownBlocks} blocks; states ${report.states.join(" -> ")}; ` +
      `CPU of the follower's last life ${report.cpuSeconds} s`,
    `limits: SHA-256 of 256 B ${limits.sha256Of256BytesPerSecond}/s, SQLite ${limits.sqliteRandomInsertsPerSecond} random inserts/s, ` +
      `loopback ${limits.loopbackMegabytesPerSecond} MB/s, Ed25519 ${limits.ed25519VerifiesPerSecond} checks/s`,
    ...report.faults.map((fault) => `FAULT ${fault}`),
  ].join("\n");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      blocks: { type: "string", default: "200000" },
      transactions: { type: "string", default: "2000000" },
      kills: { type: "string", default: "5" },
      "base-port": { type: "string", default: "31000" },
      calm: { type: "boolean", default: false },
    },
  });
  const options: FarBehindOptions = {
    blocks: Number(values.blocks),
    transactions: Number(values.transactions),
    kills: values.calm ? 0 : Number(values.kills),
    basePort: Number(values["base-port"]),
    calm: values.calm,
    note,
  };
  const limits = await measureLimits(tmpdir());
  const report = await runFarBehind(options);
  process.stdout.write(`${reportText(report, limits, options)}\n`);
  return report.faults.length === 0 ? 0 : 1;
}

await runAsScript(import.meta.url, main);
