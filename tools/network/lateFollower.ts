/**
 * `npm run late-follower -- [SECONDS] [ENGINE]`: a follower is stopped while the network goes on under load, then started again. It must
 * catch up while the chain grows, and never call itself synced while it is behind.
 */
import { note, runAsScript, tellFaults } from "../script.ts";
import { LoadClient, makeTransaction } from "./load.ts";
import { type NetworkOptions, type NodeProcess, poll, withNetwork } from "./processes.ts";

export interface LateFollowerOptions extends Omit<NetworkOptions, "dir" | "followers"> {
  /** How long it is away. */
  readonly seconds: number;
  readonly note: (text: string) => void;
}

export interface LateFollowerReport {
  readonly missedBlocks: number;
  readonly catchUpMs: number;
  /** Times that it was asked on the way, and the states it told, in order. */
  readonly states: readonly string[];
  readonly faults: readonly string[];
}

/** A live node may be this many blocks behind what another node says a moment later. */
const LIVE_BLOCKS = 64;

export async function runLateFollower({ seconds, note, ...options }: LateFollowerOptions): Promise<LateFollowerReport> {
  return withNetwork({ followers: 1, ...options }, async (network) => {
    const follower = network.nodes.at(-1) as NodeProcess;
    const [producer] = network.nodes as [NodeProcess];
    let loading = true;
    const load = async (): Promise<void> => {
      const client = new LoadClient(producer.url);
      while (loading) {
        const batch = Array.from({ length: 20 }, () => makeTransaction({ bytes: 256, keys: "random" }, Date.now()));
        await client.batch(batch, "irreversible", 10_000);
      }
      client.close();
    };
    await network.startAll();
    await network.awaitLeader();
    const loaded = Promise.all([load(), load()]);
    // When the watch fails the nodes are killed under it: that failure is the one to tell.
    loaded.catch(() => undefined);
    await follower.end("SIGTERM");
    const left = (await producer.status()).irreversible.height;
    note(`the follower is away for ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const missedBlocks = (await producer.status()).irreversible.height - left;
    await follower.start();
    const { states, faults, catchUpMs } = await watch(follower, producer, note);
    loading = false;
    await loaded;
    await network.awaitEqual();
    return { missedBlocks, catchUpMs, states, faults };
  });
}

async function watch(
  follower: NodeProcess,
  producer: NodeProcess,
  note: (text: string) => void,
): Promise<Pick<LateFollowerReport, "states" | "faults" | "catchUpMs">> {
  const started = performance.now();
  const states: string[] = [];
  const faults: string[] = [];
  let asked = 0;
  const catchUpMs = await poll("the follower synced", 120_000, async () => {
    // Asked before: what the producer holds now, the follower has to know of before it may call itself synced.
    const target = (await producer.status()).irreversible.height;
    const { sync, head } = await follower.status();
    asked++;
    if (states.at(-1) !== sync.state) states.push(sync.state);
    if (asked % 50 === 0) note(`${sync.state}: head ${head.height} of ${sync.target}, ${sync.rate} blocks/s`);
    const behind = target - head.height;
    if (sync.state === "synced" && behind > LIVE_BLOCKS)
      faults.push(`says synced at height ${head.height}, ${behind} blocks behind`);
    return sync.state === "synced" && behind <= LIVE_BLOCKS ? performance.now() - started : undefined;
  });
  return { states, faults, catchUpMs };
}

async function main(): Promise<number> {
  const seconds = Number(process.argv[2] ?? 60);
  const engine = process.argv[3] === "bft" ? "bft" : "raft";
  const producers = engine === "bft" ? 4 : 3;
  const report = await runLateFollower({ engine, producers, basePort: 27_700, seconds, note });
  process.stdout.write(
    `${report.missedBlocks} blocks missed, caught up in ${Math.round(report.catchUpMs)} ms, states ${report.states.join(" -> ")}\n`,
  );
  return tellFaults(report.faults);
}

await runAsScript(import.meta.url, main);
