/**
 * `cairn bench broadcast`: what a block costs on the wire in simulated networks in which every node has four links, over
 * the tree and flooded, in one run. Times are virtual, so the figures are the same on every machine.
 */
import { Command } from "commander";
import { parse } from "../parse.ts";
import { regularGraph } from "./graph.ts";
import { measure, type Phase, type Row } from "./measure.ts";

const NETWORKS = [5, 20, 50];
const DEGREE = 4;
const PRODUCERS = 3;

interface Flags {
  readonly seconds: string;
  readonly seed: string;
  readonly json?: boolean;
}

interface Measured {
  readonly nodes: number;
  readonly broadcast: "tree" | "flooding";
  readonly row: Row;
}

/** @returns exit status */
export function run(argv: readonly string[]): number {
  const command = new Command("bench broadcast")
    .description("Copies and bytes of a block on the wire in simulated networks of 5, 20 and 50 nodes of 4 links each.")
    .option("--seconds <n>", "virtual seconds a phase", "5")
    .option("--seed <n>", "of the graphs and the run", "1")
    .option("--json", "the report as JSON")
    .addHelpText("after", "\nExamples:\n  cairn bench broadcast\n  cairn bench broadcast --seconds 20 --seed 7 --json");
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const { seconds, seed, json } = command.opts<Flags>();
  const numbers = { seconds: Number(seconds), seed: Number(seed) };
  if (!Number.isInteger(numbers.seconds) || numbers.seconds < 1 || !Number.isSafeInteger(numbers.seed)) {
    process.stderr.write("--seconds and --seed are whole numbers, --seconds at least 1\n");
    return 2;
  }
  const rows: Measured[] = [];
  for (const nodes of NETWORKS) {
    const pairs = regularGraph(nodes, DEGREE, PRODUCERS, numbers.seed);
    for (const floods of [true, false]) {
      const broadcast = floods ? "flooding" : "tree";
      if (process.stderr.isTTY) process.stderr.write(`simulates ${nodes} nodes, ${broadcast}\n`);
      const row = measure({ nodes, pairs, producers: PRODUCERS, floods, transactionBytes: 1_024, ...numbers });
      rows.push({ nodes, broadcast, row });
    }
  }
  const settings = { degree: DEGREE, producers: PRODUCERS, ...numbers };
  process.stdout.write(json ? `${JSON.stringify({ settings, rows }, null, 2)}\n` : table(settings, rows));
  return 0;
}

function table(settings: Record<string, number>, rows: readonly Measured[]): string {
  const cells = ({
    blocks,
    copiesANode,
    mostOnALink,
    wireBytesABlockByteAndNode,
    irreversibleMs,
    everywhereMs,
    blocksUntilStable,
  }: Phase): string =>
    `${blocks} | ${copiesANode.toFixed(3)} | ${mostOnALink} | ${wireBytesABlockByteAndNode.toFixed(3)} | ${irreversibleMs.toFixed(2)} | ${everywhereMs.toFixed(2)} | ${blocksUntilStable ?? "never"}`;
  const columns =
    "blocks | copies a node | most on a link | wire bytes a block byte and node | irreversible ms | everywhere ms | blocks until stable";
  const lines = [
    `simulated: ${JSON.stringify(settings)}; the producers are each other's neighbours; medians of virtual time`,
    "",
    `| nodes | broadcast | phase | ${columns} |`,
    "|--:|---|---|--:|--:|--:|--:|--:|--:|--:|",
  ];
  for (const { nodes, broadcast, row } of rows) {
    lines.push(`| ${nodes} | ${broadcast} | stable | ${cells(row.stable)} |`);
    lines.push(`| ${nodes} | ${broadcast} | the leader died | ${cells(row.afterChange)} |`);
    lines.push(`| ${nodes} | ${broadcast} | and came back | ${cells(row.afterReturn)} |`);
  }
  return `${lines.join("\n")}\n`;
}
