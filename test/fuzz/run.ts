/** `npm run fuzz`: see --help. */
import { Command, InvalidArgumentError } from "commander";
import { fuzz, keep, targetNames } from "./fuzz.ts";

interface Flags {
  readonly minutes: number;
  readonly seed: number;
  readonly rounds?: number;
  readonly target?: string;
}

const PROGRESS_EVERY_MS = 10_000;

process.exitCode = await main();

/** @returns exit status: 1 for a finding */
async function main(): Promise<number> {
  const command = new Command("npm run fuzz --")
    .description(
      "Feeds every decoder, and the whole replica in the simulator, random and mutated input until something breaks.",
    )
    .option("--minutes <n>", "for so long", number(0), 60)
    .option("--seed <n>", "of the first round; each round takes the next", number(0), Date.now() % 1_000_000_000)
    .option("--rounds <n>", "at most so many", number(1))
    .option("--target <name>", "one target only")
    .option("--targets", "lists the targets")
    .addHelpText(
      "after",
      "\nExamples:\n  npm run fuzz\n  npm run fuzz -- --minutes 5 --seed 1\n  npm run fuzz -- --target replica --seed 7 --rounds 1",
    )
    .parse();
  if (command.opts<{ targets?: boolean }>().targets) {
    process.stdout.write(`${(await targetNames()).join("\n")}\n`);
    return 0;
  }
  const flags = command.opts<Flags>();
  if (flags.target !== undefined && !(await targetNames()).includes(flags.target)) {
    process.stderr.write(`no target "${flags.target}"; npm run fuzz -- --targets lists them\n`);
    return 2;
  }
  process.stdout.write(`fuzzes for ${flags.minutes} minutes from seed ${flags.seed}\n`);
  let toldMs = 0;
  const { finding, rounds, inputs, elapsedMs } = await fuzz({
    ...flags,
    progress: (state) => {
      if (state.elapsedMs - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = state.elapsedMs;
      process.stdout.write(`${Math.round(state.elapsedMs / 1000)} s: ${state.rounds} rounds, ${state.inputs} inputs\n`);
    },
  });
  process.stdout.write(`${rounds} rounds, ${inputs} inputs in ${Math.round(elapsedMs / 1000)} s\n`);
  if (finding === undefined) return 0;
  const file = keep(finding);
  process.stdout.write(
    `FOUND in ${finding.target}: ${finding.what}\n${file === undefined ? "" : `kept in ${file}\n`}` +
      `again: npm run fuzz -- --target "${finding.target}" --seed ${finding.seed} --rounds 1\n`,
  );
  return 1;
}

function number(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value >= least)) throw new InvalidArgumentError(`a number of ${least} or more`);
    return value;
  };
}
