/** Applies a mutation to a copy of the sources and sweeps seeds there, in a process of its own. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Edit, Mutation } from "./mutation.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What a simulated node consists of, and the two nodes of the model. */
const SOURCES = [
  "package.json",
  "chain",
  "consensus",
  "net/transport",
  "net/link/types.ts",
  "src/base",
  "src/replica",
  "src/node",
  "tools/sim",
  "test/fixtures",
  "test/model",
];
/** What vitest files need besides. */
const TEST_SOURCES = ["net", "src", "test", "tools", "proto", "docs", "vitest.config.ts", "tsconfig.json"];
const ENTRY = 'import { run } from "./tools/sim/command.ts";\nprocess.exitCode = await run(process.argv.slice(2));\n';

export interface Verdict {
  readonly mutation: Mutation;
  /** Seed of the first run, states until the first one that broke a rule, or tests that failed; undefined: none did. */
  readonly caughtAt: number | undefined;
  /** Which rule, and what was seen. */
  readonly how: string;
  readonly seconds: number;
}

/** How often the text to be replaced occurs; anything but 1 means that the mutation no longer fits the code. */
export function occurrences({ file, find }: Edit): number {
  return readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
}

/** Throws when an edit does not fit or the mutated program does not run. */
export async function runMutation(mutation: Mutation): Promise<Verdict> {
  const began = performance.now();
  const directory = mkdtempSync(join(tmpdir(), "cairn-mutant-"));
  try {
    copySources(directory, mutation.check === "tests" ? [...SOURCES, ...TEST_SOURCES] : SOURCES);
    for (const edit of mutation.edits) apply(directory, edit);
    const found = await CHECKS[mutation.check](directory, mutation);
    return { mutation, ...found, seconds: (performance.now() - began) / 1000 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Found = Pick<Verdict, "caughtAt" | "how">;

const CHECKS: Record<Mutation["check"], (directory: string, mutation: Mutation) => Promise<Found>> = {
  sweep: sweepSeeds,
  model: searchModel,
  tests: runTests,
};

async function runTests(directory: string, { tests }: Mutation): Promise<Found> {
  const report = join(directory, "report.json");
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`];
  await lastLine(directory, [...vitest, ...tests]);
  const { numTotalTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    numTotalTests: number;
    numFailedTests: number;
    testResults: readonly {
      readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
    }[];
  };
  if (numTotalTests === 0) throw new Error(`no tests ran of ${tests.join(", ")}`);
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === "failed");
  return { caughtAt: numFailedTests > 0 ? numFailedTests : undefined, how: failed?.title ?? "" };
}

async function searchModel(directory: string): Promise<Found> {
  const line = await lastLine(directory, ["test/model/run.ts", "--fast", "--json"]);
  const { totalStates, counterexample } = JSON.parse(line) as {
    totalStates: number;
    counterexample?: { rule: string };
  };
  return counterexample === undefined
    ? { caughtAt: undefined, how: "" }
    : { caughtAt: totalStates, how: counterexample.rule };
}

async function sweepSeeds(directory: string, mutation: Mutation): Promise<Found> {
  const { engine, faults, producers, followers, topology, changes, maxSeeds } = mutation;
  const line = await lastLine(directory, [
    "entry.ts",
    "--json",
    "--jobs",
    "1",
    "--engine",
    engine,
    "--faults",
    faults,
    "--producers",
    producers,
    "--followers",
    followers,
    "--topology",
    topology,
    "--changes",
    changes,
    "--seeds",
    `${maxSeeds}`,
  ]);
  const { seed, violation } = JSON.parse(line) as {
    seed: number;
    violation?: { oracle: string; rule: string; detail: string };
  };
  if (violation === undefined) return { caughtAt: undefined, how: "" };
  return {
    caughtAt: seed,
    how: `${violation.oracle}: ${violation.rule}: ${violation.detail.split("\n")[0]}`,
  };
}

function copySources(directory: string, sources: readonly string[]): void {
  for (const source of sources) {
    mkdirSync(dirname(join(directory, source)), { recursive: true });
    cpSync(join(ROOT, source), join(directory, source), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "entry.ts"), ENTRY);
}

function apply(directory: string, { file, find, replace }: Edit): void {
  const path = join(directory, file);
  const text = readFileSync(path, "utf8");
  if (text.split(find).length !== 2) throw new Error(`${file}: the text to be replaced must occur once: ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
}

/** Runs a program and returns its last line; status 1 is a broken rule, anything above a fault of the mutation. */
function lastLine(directory: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
    let last = "";
    let rest = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      last = lines.at(-1) ?? last;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", reject);
    child.on("close", (status) => {
      if ((status === 0 || status === 1) && last !== "") resolve(last);
      else reject(new Error(`the mutated program ended with ${status}: ${errors}`));
    });
  });
}
