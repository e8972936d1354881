/**
 * `cairn bench engines`: networks of different engines and sizes in one run, in turns, so that what else the machine does
 * meanwhile falls on all of them.
 */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { NetworkProcesses } from "../../network/processes.ts";
import { makeScratch, removeScratch } from "../../scratch.ts";
import { integer, integers, machine } from "../flags.ts";
import { parse } from "../parse.ts";
import { quantile, round } from "../statistics.ts";
import { measureThroughput, type ThroughputRow } from "../throughput.ts";

interface Contestant {
  readonly engine: "raft" | "bft";
  readonly producers: number;
}

interface Flags {
  readonly networks: readonly Contestant[];
  readonly seconds: number;
  readonly repeat: number;
  readonly inflight: readonly number[];
  readonly bytes: number;
  readonly basePort: number;
  readonly json?: boolean;
}

interface Row extends Contestant {
  readonly inFlight: number;
  readonly runs: readonly ThroughputRow[];
}

/** @returns exit status */
export async function run(argv: readonly string[]): Promise<number> {
  const command = new Command("bench engines")
    .description("Irreversible transactions a second and their latency: Raft and BFT beside each other, in turns.")
    .option("--networks <list>", "ENGINE:PRODUCERS, separated by commas", contestants, contestants(NETWORKS))
    .option("--seconds <n>", "seconds a measurement", integer(1, 600), 5)
    .option("--repeat <n>", "turns; the medians are told", integer(1, 99), 3)
    .option(
      "--inflight <list>",
      "transactions in flight; 1: one request at a time, more: batches",
      integers(1, 16_384),
      [1, 256, 1024],
    )
    .option("--bytes <n>", "bytes a transaction", integer(100, 60_000), 256)
    .option("--base-port <port>", "first port", integer(1024, 64_000), 27_000)
    .option("--json", "the report as JSON");
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const flags = command.opts<Flags>();
  const rows = await measure(flags);
  process.stdout.write(
    flags.json ? `${JSON.stringify({ machine: machine(), settings: flags, rows }, null, 2)}\n` : table(flags, rows),
  );
  return 0;
}

const NETWORKS = "raft:3,raft:5,bft:4,bft:7";

function contestants(text: string): Contestant[] {
  return text.split(",").map((each) => {
    const [, engine, count] = /^(raft|bft):([1-9]\d?)$/.exec(each) ?? [];
    if (engine === undefined) throw new InvalidArgumentError("like raft:3,bft:4");
    return { engine: engine as Contestant["engine"], producers: Number(count) };
  });
}

async function measure(flags: Flags): Promise<Row[]> {
  const runs = new Map<string, ThroughputRow[]>();
  const nameOf = ({ engine, producers }: Contestant, inFlight: number): string => `${engine} ${producers} ${inFlight}`;
  for (let turn = 0; turn < flags.repeat; turn++) {
    for (const contestant of flags.networks) {
      process.stderr.write(
        `turn ${turn + 1} of ${flags.repeat}: ${contestant.engine}, ${contestant.producers} producers\n`,
      );
      for (const row of await measureOne(contestant, flags)) {
        const name = nameOf(contestant, row.inFlight);
        runs.set(name, [...(runs.get(name) ?? []), row]);
      }
    }
  }
  return flags.networks.flatMap((contestant) =>
    flags.inflight.map((inFlight) => ({ ...contestant, inFlight, runs: runs.get(nameOf(contestant, inFlight)) ?? [] })),
  );
}

async function measureOne({ engine, producers }: Contestant, flags: Flags): Promise<ThroughputRow[]> {
  const dir = makeScratch("cairn-bench-");
  const { basePort, seconds, bytes, inflight } = flags;
  const network = NetworkProcesses.create({ dir: join(dir, "network"), engine, producers, followers: 0, basePort });
  try {
    await network.startAll(["--log-level", "warn"]);
    const leader = await network.awaitLeader();
    const shape = { bytes, keys: "random" } as const;
    const settings = (inFlight: number) =>
      ({ shape, inFlight, seconds, requests: inFlight === 1 ? "single" : "batch" }) as const;
    // Code and connections warm up.
    await measureThroughput(leader.url, { ...settings(256), seconds: 1 });
    const rows: ThroughputRow[] = [];
    for (const inFlight of inflight) rows.push(await measureThroughput(leader.url, settings(inFlight)));
    return rows;
  } finally {
    await network.endAll();
    removeScratch(dir);
  }
}

function table({ bytes, seconds, repeat }: Flags, rows: readonly Row[]): string {
  const median = (runs: readonly ThroughputRow[], of: (row: ThroughputRow) => number): number =>
    round(quantile(runs.map(of), 0.5));
  const lines = [
    `machine: ${JSON.stringify(machine())}; transactions of ${bytes} bytes, random keys, ${seconds} s a measurement, ${repeat} turns, client in one more process`,
    "",
    "| engine | producers | in flight | tx/s (median) | p50 ms | p99 ms | each turn, tx/s | failed |",
    "|---|--:|--:|--:|--:|--:|---|--:|",
    ...rows.map(({ engine, producers, inFlight, runs }) => {
      const each = runs.map(({ transactionsPerSecond }) => transactionsPerSecond);
      const failed = runs.reduce((sum, row) => sum + row.failed, 0);
      return `| ${engine} | ${producers} | ${inFlight} | ${median(runs, (row) => row.transactionsPerSecond)} | ${median(runs, (row) => row.p50Ms)} | ${median(runs, (row) => row.p99Ms)} | ${each.join(" ")} | ${failed} |`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}
