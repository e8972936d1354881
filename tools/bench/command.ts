/**
 * `cairn bench`: a network of real processes on this machine, loaded by this process, with the machine's limits beside
 * the figures. Figures of a shared machine spread: compare within one run, quote medians.
 */
import { join } from "node:path";
import { Command } from "commander";
import { NetworkProcesses } from "../network/processes.ts";
import { makeScratch, removeScratch } from "../scratch.ts";
import { run as runBroadcast } from "./broadcast/command.ts";
import { run as runLanes } from "./lanes/command.ts";
import { run as runEngines } from "./engines/command.ts";
import { integer, integers, machine } from "./flags.ts";
import { type Limits, measureLimits } from "./limits.ts";
import { parse } from "./parse.ts";
import { quantile, round } from "./statistics.ts";
import { run as runVotes } from "./votes.ts";
import { measureThroughput, type ThroughputRow } from "./throughput.ts";

interface Flags {
  readonly producers: number;
  readonly seconds: number;
  readonly repeat: number;
  readonly inflight: readonly number[];
  readonly sizes: readonly number[];
  readonly requests: "single" | "batch" | "both";
  readonly keys: "sequential" | "random" | "both";
  readonly basePort: number;
  readonly json?: boolean;
}

interface Report {
  readonly machine: Record<string, unknown>;
  readonly settings: Flags;
  readonly limits: Limits;
  readonly rows: readonly (ThroughputRow & { readonly spread: readonly number[] })[];
  readonly residentMegabytes: readonly (number | undefined)[];
}

/** @returns exit status */
export async function run(argv: readonly string[]): Promise<number> {
  if (argv[0] === "lanes") return runLanes(argv.slice(1));
  if (argv[0] === "broadcast") return runBroadcast(argv.slice(1));
  if (argv[0] === "engines") return runEngines(argv.slice(1));
  if (argv[0] === "votes") return runVotes(argv.slice(1));
  const command = new Command("bench")
    .description("Measures irreversible transactions a second and their latency on a network of real processes.")
    .option("--producers <n>", "producers", integer(1, 9), 3)
    .option("--seconds <n>", "seconds a measurement", integer(1, 600), 5)
    .option("--repeat <n>", "measurements a row; the median is told, with all of them as spread", integer(1, 99), 3)
    .option("--inflight <list>", "transactions in flight", integers(1, 16_384), [1, 64, 256, 1024])
    .option("--sizes <list>", "bytes a transaction", integers(100, 60_000), [256, 1024])
    .option("--requests <kind>", "single, batch or both: one HTTP request a transaction, or many", "both")
    .option("--keys <kind>", "sequential, random or both", "both")
    .option("--base-port <port>", "first port", integer(1024, 65_000), 27_600)
    .option("--json", "the report as JSON")
    .addHelpText(
      "after",
      "\ncairn bench lanes --help: the cost of bulk transfer to a consensus message.\ncairn bench broadcast --help: what a block costs on the wire.\ncairn bench engines --help: Raft and BFT beside each other.\ncairn bench votes --help: what votes cost under BFT.\n\nExamples:\n  cairn bench --seconds 3 --inflight 1,1024 --sizes 256\n  cairn bench --json > report.json",
    );
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const flags = command.opts<Flags>();
  const report = await measure(flags);
  process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : table(report));
  return 0;
}

async function measure(flags: Flags): Promise<Report> {
  const dir = makeScratch("cairn-bench-");
  const note = (text: string): void => void (process.stderr.isTTY && process.stderr.write(`${text}\n`));
  try {
    note("measures the machine's limits");
    const limits = await measureLimits(dir);
    const { producers, basePort } = flags;
    const network = NetworkProcesses.create({ dir: join(dir, "network"), producers, followers: 0, basePort });
    await network.startAll(["--log-level", "warn"]);
    try {
      const leader = await network.awaitLeader();
      const rows: Report["rows"][number][] = [];
      for (const settings of plan(flags)) {
        note(`measures ${JSON.stringify(settings)}`);
        rows.push(await repeated(leader.url, settings, flags.repeat));
      }
      const residentMegabytes = await Promise.all(network.nodes.map((node) => residentOf(node.url)));
      return { machine: machine(), settings: flags, limits, rows, residentMegabytes };
    } finally {
      await network.endAll();
    }
  } finally {
    removeScratch(dir);
  }
}

function plan({ sizes, keys, requests, inflight, seconds }: Flags): Parameters<typeof measureThroughput>[1][] {
  const kinds = requests === "both" ? (["single", "batch"] as const) : [requests];
  const orders = keys === "both" ? (["sequential", "random"] as const) : [keys];
  return sizes.flatMap((bytes) =>
    orders.flatMap((order) =>
      kinds.flatMap((kind) =>
        inflight
          // A batch of one is a single request.
          .filter((count) => kind === "single" || count > 1)
          .map((inFlight) => ({ shape: { bytes, keys: order }, inFlight, seconds, requests: kind })),
      ),
    ),
  );
}

async function repeated(
  url: string,
  settings: Parameters<typeof measureThroughput>[1],
  times: number,
): Promise<Report["rows"][number]> {
  const runs: ThroughputRow[] = [];
  for (let i = 0; i < times; i++) runs.push(await measureThroughput(url, settings));
  const spread = runs.map((each) => each.transactionsPerSecond);
  return {
    ...settings,
    transactionsPerSecond: quantile(spread, 0.5),
    p50Ms: quantile(
      runs.map((each) => each.p50Ms),
      0.5,
    ),
    p99Ms: quantile(
      runs.map((each) => each.p99Ms),
      0.5,
    ),
    failed: runs.reduce((sum, each) => sum + each.failed, 0),
    spread,
  };
}

async function residentOf(url: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const match = /^cairn_process_resident_memory_bytes (\S+)/m.exec(text);
  return match ? Math.round(Number(match[1]) / 1e6) : undefined;
}

function table({ machine: of, settings, limits, rows, residentMegabytes }: Report): string {
  const lines = [
    `machine: ${JSON.stringify(of)}; producers ${settings.producers}, client in one more process, fsync on`,
    `limits: fsync p50 ${round(limits.fsyncMs.p50)} ms p99 ${round(limits.fsyncMs.p99)} ms, SHA-256 of 256 B ${limits.sha256Of256BytesPerSecond}/s, ` +
      `Ed25519 ${limits.ed25519SignsPerSecond} signs/s ${limits.ed25519VerifiesPerSecond} verifies/s, loopback ${limits.loopbackMegabytesPerSecond} MB/s ` +
      `${round(limits.loopbackRoundTripMs, 3)} ms, SQLite ${limits.sqliteRandomInsertsPerSecond} random inserts/s`,
    "",
    "| bytes | keys | requests | in flight | tx/s (median) | p50 ms | p99 ms | spread tx/s | failed |",
    "|--:|---|---|--:|--:|--:|--:|---|--:|",
    ...rows.map(
      ({ shape, requests, inFlight, transactionsPerSecond, p50Ms, p99Ms, spread, failed }) =>
        `| ${shape.bytes} | ${shape.keys} | ${requests} | ${inFlight} | ${transactionsPerSecond} | ${p50Ms} | ${p99Ms} | ${spread.join(" ")} | ${failed} |`,
    ),
    "",
    `resident at the end: ${residentMegabytes.map((each) => `${each ?? "?"} MB`).join(", ")}`,
  ];
  return `${lines.join("\n")}\n`;
}
