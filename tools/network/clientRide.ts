/**
 * `npm run client-ride [KILLS [PORT [IN_FLIGHT]]]`: one client with the addresses of all producers, thousands of transactions in flight and
 * five streams, while the leader is killed again and again. Afterwards each outcome that was told is compared with the
 * chain in the nodes' files, and each stream with its blocks.
 */
import {
  CairnClient,
  ClientError,
  type Outcome,
  type PreparedTransaction,
  type Unknown,
} from "../../src/client/index.ts";
import { quantile, round } from "../bench/statistics.ts";
import { note, runAsScript } from "../script.ts";
import { type ChainContents, readChain } from "./chainFiles.ts";
import { type NetworkOptions, type NodeProcess, poll, withNetwork } from "./processes.ts";

export interface RideOptions extends Omit<NetworkOptions, "dir"> {
  /** Times that the leader is killed and started again. */
  readonly kills: number;
  /** Transactions whose outcome is waited for at any time, about. */
  readonly inFlight: number;
  readonly streams: number;
  readonly note: (text: string) => void;
}

export interface RideReport {
  /** Transactions by what was told of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Blocks that each stream gave. */
  readonly streamed: readonly number[];
  readonly height: number;
  /** From submission to outcome, ms: half took at most this long, 99 of 100, and the longest. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const BATCH = 250;
/** Those whose time is so short that a change of leader outlasts it. */
const SHORT_MS = 300;
/** Of the batches, every so manieth is of those. */
const SHORT_EVERY = 8;
const TIMEOUT_MS = 120_000;

export async function runClientRide({ kills, inFlight, streams, note, ...options }: RideOptions): Promise<RideReport> {
  const stop = new AbortController();
  try {
    return await withNetwork(options, async (network) => {
      await network.startAll();
      const urls = network.nodes.slice(0, options.producers).map((node) => node.url);
      const ride = new Ride(urls, inFlight);
      const readers = Array.from({ length: streams }, (_, i) => new StreamReader(rotated(urls, i), stop.signal));
      for (let i = 0; i < kills; i++) {
        await ride.settle(inFlight);
        const leader = await network.awaitLeader(TIMEOUT_MS);
        await leader.end("SIGKILL");
        note(`kill ${i + 1} of ${kills}: ${leader.node.name}; ${ride.text()}`);
        await ride.settle(inFlight);
        await leader.start();
      }
      await ride.stop();
      const { height } = await network.awaitEqual(TIMEOUT_MS);
      await poll(
        "streams",
        60_000,
        async () => readers.every((each) => each.hasEnded || each.height >= height) || undefined,
      );
      stop.abort();
      await Promise.all(readers.map((each) => each.ended));
      await network.endAll();
      const chain = readChain((network.nodes[0] as NodeProcess).node.dir);
      const faults = [...ride.faults(chain), ...readers.flatMap((each, i) => each.faults(chain, i, height))];
      return { ...ride.report(), streamed: readers.map((each) => each.ids.length), height, faults };
    });
  } finally {
    stop.abort();
  }
}

function rotated(urls: readonly string[], by: number): string[] {
  return urls.map((_, i) => urls[(i + by) % urls.length] as string);
}

/** The load, and what was told of each transaction. */
class Ride {
  readonly #client: CairnClient;
  readonly #told = new Map<string, Outcome | Unknown | undefined>();
  readonly #latenciesMs: number[] = [];
  readonly #workers: Promise<void>[];
  #settled = 0;
  #batches = 0;
  #key = 0;
  #running = true;

  constructor(urls: readonly string[], inFlight: number) {
    this.#client = new CairnClient(urls);
    const size = Math.min(BATCH, Math.ceil(inFlight / 4));
    this.#workers = Array.from({ length: Math.ceil(inFlight / size) }, () => this.#work(size));
  }

  /** Until so many more have an outcome. */
  async settle(count: number): Promise<void> {
    const target = this.#settled + count;
    await poll(`${count} outcomes`, TIMEOUT_MS, async () => this.#settled >= target || undefined);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  async #work(size: number): Promise<void> {
    while (this.#running) {
      const isShort = this.#batches++ % SHORT_EVERY === 0;
      const batch = Array.from({ length: size }, () => this.#prepare(isShort ? SHORT_MS : 30_000));
      for (const { id } of batch) this.#told.set(id, undefined);
      const began = performance.now();
      const outcomes = await this.#client.submitMany(batch, { timeoutMs: TIMEOUT_MS });
      this.#latenciesMs.push(performance.now() - began);
      for (const outcome of outcomes) this.#told.set(outcome.id, outcome);
      this.#settled += outcomes.length;
    }
  }

  #prepare(expiresInMs: number): PreparedTransaction {
    const key = `ride/${this.#key++}`;
    return this.#client.prepare({ put: { key, value: key.padEnd(100, ".") } }, { expiresInMs });
  }

  #counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const outcome of this.#told.values()) {
      const status = outcome?.status ?? "nothing";
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  text(): string {
    return Object.entries(this.#counts())
      .map(([status, count]) => `${count} ${status === "nothing" ? "in flight" : status}`)
      .join(", ");
  }

  report(): Omit<RideReport, "streamed" | "height" | "faults"> {
    const times = this.#latenciesMs;
    return {
      outcomes: this.#counts(),
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      worstMs: Math.max(...times),
    };
  }

  /** Every word against the chain. */
  faults({ places, transactionCounts }: ChainContents): string[] {
    const faults: string[] = [];
    for (const [id, outcome] of this.#told) {
      const place = places.get(id);
      const count = transactionCounts.get(id) ?? 0;
      if (count > 1) faults.push(`${id} is ${count} times in the chain`);
      switch (outcome?.status) {
        case "irreversible":
          if (place !== `${outcome.height}/${outcome.index}`)
            faults.push(`${id} told irreversible at ${outcome.height}/${outcome.index}, is at ${place ?? "no place"}`);
          break;
        case "expired":
        case "rejected":
        case "invalid":
          if (place !== undefined) faults.push(`${id} told ${outcome.status}, is in the chain at ${place}`);
          break;
        case "accepted":
        case "included":
        case undefined:
          faults.push(`${id}: only ${outcome?.status ?? "nothing"} was told`);
          break;
        case "unknown":
          faults.push(`${id}: not known after ${TIMEOUT_MS} ms: ${outcome.message}`);
      }
    }
    return faults;
  }
}

/** One stream, and what it gave. */
class StreamReader {
  readonly ids: string[] = [];
  readonly ended: Promise<void>;
  hasEnded = false;
  #broken: string | undefined;

  constructor(urls: readonly string[], signal: AbortSignal) {
    this.ended = this.#read(new CairnClient(urls), signal);
  }

  /** Of the newest block that it gave. */
  get height(): number {
    return this.ids.length;
  }

  async #read(client: CairnClient, signal: AbortSignal): Promise<void> {
    try {
      for await (const { height, id } of client.stream({ from: 1, signal })) {
        if (height !== this.ids.length + 1) this.#broken ??= `block ${height} after ${this.ids.length}`;
        this.ids.push(id);
      }
    } catch (error) {
      if (!(error instanceof ClientError && error.code === "ABORTED")) this.#broken ??= String(error);
    }
    this.hasEnded = true;
  }

  /** @param atLeast blocks that it had to give; the chain may have grown since by one of a new leader */
  faults({ blockIds }: ChainContents, number: number, atLeast: number): string[] {
    if (this.#broken !== undefined) return [`stream ${number}: ${this.#broken}`];
    const wrong = this.ids.findIndex((id, i) => blockIds[i] !== id);
    if (wrong !== -1) return [`stream ${number}: another block ${wrong + 1} than the chain has`];
    return this.ids.length >= atLeast ? [] : [`stream ${number}: ends at ${this.ids.length} of ${atLeast}`];
  }
}

async function main(): Promise<number> {
  const kills = Number(process.argv[2] ?? 20);
  const basePort = Number(process.argv[3] ?? 27_800);
  const report = await runClientRide({
    producers: 3,
    followers: 1,
    basePort,
    kills,
    inFlight: Number(process.argv[4] ?? 5_000),
    streams: 5,
    note,
  });
  const { outcomes, streamed, height, p50Ms, p99Ms, worstMs, faults } = report;
  const told = Object.entries(outcomes).map(([status, count]) => `${count} ${status}`);
  process.stdout.write(
    `${kills} kills: ${told.join(", ")}; p50 ${round(p50Ms, 0)} ms, p99 ${round(p99Ms, 0)} ms, worst ${round(worstMs, 0)} ms\n` +
      `height ${height}; streams gave ${streamed.join(", ")} blocks\n`,
  );
  for (const fault of faults.slice(0, 20)) process.stdout.write(`FAULT ${fault}\n`);
  if (faults.length > 20) process.stdout.write(`FAULT and ${faults.length - 20} more\n`);
  return faults.length === 0 ? 0 : 1;
}

await runAsScript(import.meta.url, main);
