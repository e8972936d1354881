/** `cairn sim`: runs seeds until one breaks a rule, and says how to see it again. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { ENGINE_NAMES, type EngineName } from "../../chain/genesis.ts";
import { draw, listScenarios } from "./drawCommand.ts";
import { type FaultProfile, NO_FAULTS, PROFILE_NAMES } from "./profile.ts";
import { readReplay, writeReplay } from "./replayFile.ts";
import { runSimulation, type SimulationResult } from "./run.ts";
import { describeFault } from "./schedule.ts";
import { optionsOf, RATES, shrink, type Shrunk } from "./shrink.ts";
import { commandOf, planSweep, runOne, sweep, type SweepRun } from "./sweep.ts";
import { TOPOLOGIES, type Topology } from "./topologies.ts";
import type { Violation } from "./violation.ts";

interface Flags {
  readonly seed?: number;
  readonly seeds?: number;
  readonly producers?: readonly [number, number];
  readonly followers?: readonly [number, number];
  readonly byzantine?: number;
  readonly topology?: Topology;
  readonly changes?: "on" | "off";
  readonly until: number;
  readonly faults: string;
  readonly jobs: number;
  readonly nodes?: readonly [number, number];
  readonly engine: EngineName;
  readonly json?: boolean;
  readonly trace?: boolean;
  readonly shrink: boolean;
  readonly save?: string;
  readonly replay?: string;
  readonly list?: boolean;
  readonly diagram?: string;
}

const PRODUCERS_MAX = 32;
const FOLLOWERS_MAX = 32;

/** Resolves with the exit status: 0 all rules held, 1 one was broken. Throws CommanderError on wrong usage. */
export async function run(argv: string[]): Promise<number> {
  const program = makeProgram();
  program.parse(argv, { from: "user" });
  const flags = withNodes(program.opts<Flags>());
  if (flags.list === true) return listScenarios();
  if (program.args.length > 0 || flags.diagram !== undefined) return draw(program.args[0], flags.diagram);
  if (flags.replay !== undefined) return replayOne(flags.replay, flags.trace === true);
  if (flags.trace === true) return traceOne(flags);
  const total = flags.seeds ?? (flags.seed === undefined ? 100 : 1);
  const plan = planOf(flags, total);
  const report = new Report(total, flags.json === true);
  const failed = await sweep(plan, Math.min(flags.jobs, total), (_, result) => report.ran(result));
  report.ended(failed);
  if (failed !== undefined && flags.json !== true && flags.shrink) showShrunk(failed.run, failed.result, flags.save);
  return failed === undefined ? 0 : 1;
}

function makeProgram(): Command {
  return new Command("cairn sim")
    .description(
      "The deterministic simulator: whole nodes in virtual time, with faults; checks every rule after every step.",
    )
    .exitOverride()
    .option("--seeds <n>", "how many runs, from --seed or 1 upwards", wholeNumber(1, 2 ** 32 - 1))
    .option("--seed <n>", "one run with this seed, or the first of --seeds", wholeNumber(0, 2 ** 32 - 1))
    .addOption(
      new Option("--engine <name>", "who produces, and what is irreversible")
        .choices([...ENGINE_NAMES])
        .default("raft"),
    )
    .option("--nodes <n|n..m>", "producers, and no followers unless --followers says so", range(1, PRODUCERS_MAX))
    .option("--producers <n|n..m>", "nodes that produce (default: mixed, 1 to 5)", range(1, PRODUCERS_MAX))
    .option("--followers <n|n..m>", "nodes that only follow (default: mixed, 0 to 2)", range(0, FOLLOWERS_MAX))
    .option(
      "--byzantine <n>",
      "bft: producers that lie, at most as many as are borne (default: mixed, none to all of those)",
      wholeNumber(0, PRODUCERS_MAX),
    )
    .addOption(
      new Option("--changes <on|off>", "whether the producer set is changed (default: in a part of the runs)").choices([
        "on",
        "off",
      ]),
    )
    .option("--until <time>", "virtual time with faults, as 20s or 1500ms", time, 20_000)
    .option("--faults <name>", `default (any kind), none, ${PROFILE_NAMES.join(", ")}`, faults, "default")
    .addOption(
      new Option("--topology <name>", "who may have a link with whom (default: mixed, a mesh mostly)").choices([
        ...TOPOLOGIES,
      ]),
    )
    .option("--jobs <n>", "threads", wholeNumber(1, 256), availableParallelism())
    .option("--json", "one result a line")
    .option("--trace", "print everything that happens in one run")
    .option("--no-shrink", "do not look for a smaller run that fails, too")
    .option("--save <file>", "write the smallest failing run there")
    .option("--replay <file>", "run a saved run again")
    .argument("[scenario]", "one of --list, to be drawn")
    .option("--diagram <file>", "the scenario as a sequence diagram: .svg, or .md for Mermaid")
    .option("--list", "scenarios that can be drawn")
    .addHelpText("after", EXAMPLES);
}

const EXAMPLES = `
Examples:
  cairn sim --seeds 2000 --jobs 2            sweep; stops at the first seed that breaks a rule
  cairn sim --nodes 3..5 --faults forgetful --until 60s
  cairn sim --seed 418 --trace               everything that happens in one run
  cairn sim --seeds 500 --save failure.json  and if one fails, the smallest that does
  cairn sim --replay failure.json --trace
  cairn sim --engine bft --seeds 500         with liars among the producers in two of three runs
  cairn sim raft-faulty-leader --diagram out.svg

A run has two phases: faults and transactions for --until; then everything heals but for a few that stay broken for
good, and the rest must agree within 45 s of virtual time and then be still. Exit status 1: a rule was broken.
`;

function withNodes(flags: Flags): Flags {
  if (flags.nodes === undefined) return flags;
  return { ...flags, producers: flags.nodes, followers: flags.followers ?? [0, 0] };
}

function replayOne(path: string, trace: boolean): number {
  const run = readReplay(path);
  const print = trace ? (line: string): void => void process.stdout.write(`${line}\n`) : undefined;
  const result = runSimulation({ ...optionsOf(run), ...(print && { print }) });
  process.stdout.write(`${describeFailure({ ...run, faults: result.profile }, result)}\n`);
  return result.violation === undefined ? 0 : 1;
}

/** Runs that a search for a smaller failing run may take. */
const SHRINK_RUNS = 300;

function showShrunk(run: SweepRun, result: SimulationResult, save: string | undefined): void {
  if (process.stderr.isTTY) process.stderr.write("looks for a smaller run that fails ...");
  const { seed, engine = "raft", producers, followers, byzantine, changes, topology, durationMs } = run;
  const { schedule, drawnProfile: profile } = result;
  const sizes = {
    producers,
    followers,
    ...(byzantine && { byzantine }),
    ...(changes && { changes }),
    ...(topology && { topology }),
  };
  const start = { seed, engine, ...sizes, durationMs, profile, schedule };
  const shrunk = shrink(start, (result.violation as Violation).oracle, SHRINK_RUNS);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(
    `${shrunk === undefined ? "  the faults written down do not fail again: use --seed" : describeShrunk(shrunk, run)}\n`,
  );
  if (save === undefined) return;
  writeReplay(save, shrunk?.run ?? start);
  process.stdout.write(`  saved:  cairn sim --replay ${save} --trace\n`);
}

function describeShrunk({ run, result, tries }: Shrunk, from: SweepRun): string {
  const size = (producers: number, followers: number): string => `${producers} producers and ${followers} followers`;
  const violation = result.violation as Violation;
  return [
    `  smallest run that fails (${tries} tried): ${size(run.producers, run.followers)} instead of ${size(from.producers, from.followers)}, ${run.durationMs} ms, ${run.schedule.length} faults`,
    ...run.schedule.map((fault) => `    ${describeFault(fault)}`),
    `  rates:  ${describeRates(run.profile)}`,
    `  seen:   ${violation.rule}: ${violation.detail.split("\n")[0]}`,
    ...sideBySide(result.histories).map((line) => `    ${line}`),
  ].join("\n");
}

/** What of a profile differs from calm weather and is no scheduled fault. */
function describeRates(profile: FaultProfile): string {
  const left = RATES.filter((rate) => JSON.stringify(profile[rate]) !== JSON.stringify(NO_FAULTS[rate]));
  return left.map((rate) => `${rate} ${JSON.stringify(profile[rate])}`).join(", ") || "none";
}

function planOf(flags: Flags, seeds: number): Generator<SweepRun> {
  return planSweep({
    firstSeed: flags.seed ?? 1,
    engine: flags.engine,
    seeds,
    producers: flags.producers,
    followers: flags.followers,
    byzantine: flags.byzantine,
    changes: flags.changes === undefined ? undefined : flags.changes === "on",
    faults: flags.faults,
    ...(flags.topology && { topology: flags.topology }),
    durationMs: flags.until,
  });
}

function traceOne(flags: Flags): number {
  const [plan] = planOf(flags, 1);
  const result = runOne(plan as SweepRun, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  return result.violation === undefined ? 0 : 1;
}

/** Without a terminal, a line of progress so often, ms. */
const PROGRESS_EVERY_MS = 30_000;

/** Progress, one line a result with --json, a summary at the end. */
class Report {
  readonly #total: number;
  readonly #json: boolean;
  readonly #began = performance.now();
  #toldAt = this.#began;
  #runs = 0;
  #virtualMs = 0;
  #transactions = 0;

  constructor(total: number, json: boolean) {
    this.#total = total;
    this.#json = json;
  }

  ran(result: SimulationResult): void {
    this.#runs++;
    this.#virtualMs += result.virtualMs;
    this.#transactions += result.transactions.irreversible;
    if (this.#json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else if (process.stderr.isTTY) process.stderr.write(`\r${this.#progress()} `);
    else if (performance.now() > this.#toldAt + PROGRESS_EVERY_MS) {
      this.#toldAt = performance.now();
      process.stderr.write(`${this.#progress()}\n`);
    }
  }

  ended(failed: { readonly run: SweepRun; readonly result: SimulationResult } | undefined): void {
    if (this.#json) return;
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    if (failed !== undefined) process.stdout.write(`${describeFailure(failed.run, failed.result)}\n`);
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1);
    const minutes = (this.#virtualMs / 60_000).toFixed(0);
    const sums = `${minutes} min of virtual time in ${seconds} s (${this.#ratio()} times), ${this.#transactions} transactions irreversible`;
    process.stdout.write(
      `${this.#runs} runs, ${failed === undefined ? "all rules held" : "a rule was broken"}; ${sums}\n`,
    );
  }

  #progress(): string {
    return `${this.#runs} of ${this.#total} runs, ${this.#ratio()} times real time`;
  }

  #ratio(): string {
    return (this.#virtualMs / Math.max(1, performance.now() - this.#began)).toFixed(0);
  }
}

/** What a person needs to go on: the rule, what was seen, what led to it, how to see it again. */
export function describeFailure(
  run: SweepRun,
  { violation, histories, profile, virtualMs, traceHash }: SimulationResult,
): string {
  if (violation === undefined) return `seed ${run.seed}: all rules held`;
  const lines = [
    `seed ${run.seed}: the ${violation.oracle} rule was broken after ${(virtualMs / 1000).toFixed(3)} s, faults ${profile}`,
    `  rule:  ${violation.rule}`,
    `  seen:  ${violation.detail}`,
  ];
  lines.push(...sideBySide(histories).map((line) => `  ${line}`));
  lines.push(`  replay: ${commandOf(run)} --trace`, `  trace:  ${traceHash}`);
  return lines.join("\n");
}

/** The nodes' last events in one order of time, a column a node. */
export function sideBySide(histories: SimulationResult["histories"]): string[] {
  const rows = histories.flatMap(({ events }, column) => events.map((event) => ({ column, event })));
  const timeOf = ({ event }: { event: string }): number => Number.parseFloat(event);
  rows.sort((a, b) => timeOf(a) - timeOf(b));
  const head = histories.map(({ node }) => `node ${node}`.padEnd(COLUMN)).join("  ");
  const lines = rows.map(({ column, event }) => {
    const [, time, what] = /^(.*? ms) n\d+ (.*)$/.exec(event) ?? [];
    return `${time ?? ""}  ${" ".repeat(column * (COLUMN + 2))}${what ?? event}`;
  });
  return histories.length === 0 ? [] : [`${" ".repeat(14)}  ${head}`.trimEnd(), ...lines];
}

/** Width of a node's column in characters. */
const COLUMN = 34;

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}`);
  };
}

function range(min: number, max: number): (text: string) => readonly [number, number] {
  return (text) => {
    const match = /^(\d{1,3})(?:\.\.(\d{1,3}))?$/.exec(text);
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match !== null && low >= min && high <= max && low <= high) return [low, high];
    throw new InvalidArgumentError(`must be a number or a range like 3..5, from ${min} to ${max}`);
  };
}

function time(text: string): number {
  const match = /^(\d{1,9})(ms|s)$/.exec(text);
  if (match === null || Number(match[1]) === 0) throw new InvalidArgumentError("must be a time like 20s or 1500ms");
  return Number(match[1]) * (match[2] === "s" ? 1000 : 1);
}

function faults(text: string): string {
  if (text === "default" || text === "none" || PROFILE_NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`must be default, none or one of ${PROFILE_NAMES.join(", ")}`);
}
