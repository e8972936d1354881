/** `cairn bench lanes`: what bulk transfer costs a consensus message on the same link, and what pacing costs bulk. */
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { parse } from "../parse.ts";
import { quantile, round } from "../statistics.ts";
import { type LanesRow, measureLanes } from "./measure.ts";
import { MODES, type Mode } from "./modes.ts";

interface Flags {
  readonly seconds: number;
  readonly repeat: number;
  readonly rtt: number;
  readonly only?: readonly string[];
  readonly json?: boolean;
}

const FIGURES = ["p50Ms", "p90Ms", "p99Ms", "bulkMegabytesPerSecond"] as const;
type Figure = (typeof FIGURES)[number];

interface Measured {
  readonly mode: string;
  readonly bulk: Mode["bulk"];
  readonly median: Readonly<Record<Figure, number>>;
  readonly runs: readonly LanesRow[];
}

/** @returns exit status */
export async function run(argv: readonly string[]): Promise<number> {
  const command = new Command("bench lanes")
    .description(
      "Measures a 200 B echo on lane urgent, and bulk throughput, between two processes: idle, unpaced, paced.",
    )
    .option("--seconds <n>", "seconds a measurement", atLeast(1), 3)
    .option("--repeat <n>", "measurements a mode; medians are told, with all of them as spread", atLeast(1), 3)
    .option("--rtt <ms>", "hold every byte back for half of this in each direction, by a proxy", atLeast(0), 0)
    .option("--only <modes>", `of: ${MODES.map(({ name }) => name).join("; ")}`, (text) => text.split(";"))
    .option("--json", "the report as JSON, with garbage collections and event-loop delays of both processes")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn bench lanes --repeat 5\n  cairn bench lanes --rtt 50 --only 'fixed 256 KiB;paced'",
    );
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const flags = command.opts<Flags>();
  const modes = MODES.filter(({ name }) => flags.only?.includes(name) ?? true);
  if (modes.length === 0) {
    process.stderr.write(`no such mode; there are: ${MODES.map(({ name }) => name).join("; ")}\n`);
    return 2;
  }
  const rows = await measureAll(modes, flags);
  const machine = { cores: cpus().length, model: cpus()[0]?.model, node: process.version };
  process.stdout.write(
    flags.json ? `${JSON.stringify({ machine, settings: flags, rows }, null, 2)}\n` : table(flags, rows),
  );
  return 0;
}

/** Modes take turns, so that a slow minute of the machine falls on all of them. */
async function measureAll(modes: readonly Mode[], { seconds, repeat, rtt }: Flags): Promise<Measured[]> {
  const runs = new Map<Mode, LanesRow[]>(modes.map((mode) => [mode, []]));
  for (let i = 0; i < repeat; i++) {
    for (const [mode, rows] of runs) {
      if (process.stderr.isTTY) process.stderr.write(`measures ${mode.name} (${i + 1} of ${repeat})\n`);
      rows.push(await measureLanes(mode, seconds, rtt));
    }
  }
  return [...runs].map(([{ name, bulk }, rows]) => ({ mode: name, bulk, median: medianOf(rows), runs: rows }));
}

function medianOf(rows: readonly LanesRow[]): Record<Figure, number> {
  const entries = FIGURES.map(
    (figure) =>
      [
        figure,
        quantile(
          rows.map((row) => row[figure]),
          0.5,
        ),
      ] as const,
  );
  return Object.fromEntries(entries) as Record<Figure, number>;
}

function table({ seconds, repeat, rtt }: Flags, rows: readonly Measured[]): string {
  const lines = [
    `${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}, ${repeat} x ${seconds} s a mode, proxy's round trip ${rtt} ms; medians, spread behind`,
    "",
    "| mode | p50 ms | p90 ms | p99 ms | bulk MB/s | longest collection ms | loop delay p99 ms |",
    "|---|--:|--:|--:|--:|--:|--:|",
    ...rows.map(({ mode, median, runs }) => {
      const spread = (figure: Figure): string => `${median[figure]} (${runs.map((each) => each[figure]).join(" ")})`;
      const collections = runs.map(({ sender, receiver }) =>
        Math.max(sender.longestCollectionMs, receiver.longestCollectionMs),
      );
      const delays = runs.map(({ sender, receiver }) => Math.max(sender.loopDelayP99Ms, receiver.loopDelayP99Ms));
      return `| ${mode} | ${FIGURES.map(spread).join(" | ")} | ${Math.max(...collections)} | ${round(quantile(delays, 0.5))} |`;
    }),
  ];
  return `${[...lines, ...verdict(rows)].join("\n")}\n`;
}

/** The aim of docs/protocol.md, section 1, beside what was found. */
function verdict(rows: readonly Measured[]): string[] {
  const named = (mode: string): Measured["median"] | undefined => rows.find((row) => row.mode === mode)?.median;
  const [idle, unpaced, paced, limited] = ["idle", "unpaced", "paced", "paced, 100 MB/s"].map(named);
  if (idle === undefined || unpaced === undefined || paced === undefined || limited === undefined) return [];
  return [
    "",
    `paced above idle: p90 +${round(paced.p90Ms - idle.p90Ms)} ms (aim 1), p99 +${round(paced.p99Ms - idle.p99Ms)} ms (aim 8), ` +
      `at ${Math.round((100 * paced.bulkMegabytesPerSecond) / unpaced.bulkMegabytesPerSecond)} % of unpaced (aim 70); ` +
      `bulk at 100 MB/s: p99 +${round(limited.p99Ms - idle.p99Ms)} ms (aim 3)`,
  ];
}

function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`a whole number of ${least} or more`);
    return value;
  };
}
