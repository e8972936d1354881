/**
 * The command `cairn`. What a command does is in a file of its own, loaded when it runs: asking a node for a value should
 * not load a database.
 */
import { Command, CommanderError } from "commander";
import { messageOf, systemCode, whyNotWritten } from "../systemError.ts";
import { VERSION } from "../version.ts";
import { addClientCommands } from "./clientCommands.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { addInspectCommand } from "./inspectCommand.ts";
import { addNodeCommands } from "./nodeCommands.ts";
import { colour, printError } from "./terminal.ts";

/** Gives `main` the status that the command ended with. */
export type Finish = (status: ExitStatus) => void;

/** Commands with arguments of their own. */
interface Tool {
  run(argv: string[]): Promise<number>;
}
const TOOLS: readonly string[] = ["sim", "bench"];

/** Runs a command line, without the program's own name. Resolves with the exit status; never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  endOnOutputError();
  try {
    const [first = "", ...rest] = argv;
    if (TOOLS.includes(first)) return await (await loadTool(first)).run(rest);
    let status: ExitStatus = EXIT.ok;
    await makeProgram((ended) => (status = ended)).parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    return statusOfError(error);
  }
}

function makeProgram(finish: Finish): Command {
  const program = new Command("cairn")
    .description("A blockchain-style node: ordered, hash-linked, provably irreversible blocks.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(--help shows how it is used)")
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(colour("red", text)) })
    .addHelpText("after", EXAMPLES);
  addNodeCommands(program, finish);
  addClientCommands(program, finish);
  addInspectCommand(program, finish);
  program.command("sim").description("the simulator: cairn sim --help").allowUnknownOption();
  program.command("bench").description("benchmarks: cairn bench --help").allowUnknownOption();
  return program;
}

const EXAMPLES = `
Exit status: 0 ok, 1 the answer is no, 2 wrong usage, 3 cannot reach or read.

Examples:
  cairn devnet                      a network of five nodes on this machine
  cairn kv put greeting hello       write to it, from another terminal
  cairn kv get greeting
  cairn status                      what a node says of itself
  cairn inspect devnet/node0 forks  look into a node's directory`;

/** Tools are built apart; the name is put together so that a build without them still compiles. */
async function loadTool(name: string): Promise<Tool> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const url = new URL(`../../../tools/${name}/command.${extension}`, import.meta.url);
  try {
    return (await import(url.href)) as Tool;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (isMissing && error.message.includes(`/${name}/command.`)) {
      throw new CliError(EXIT.usage, `cairn ${name} is not built yet`);
    }
    throw error;
  }
}

function statusOfError(error: unknown): number {
  if (error instanceof CliError) {
    for (const line of error.message.split("\n")) printError(`cairn: ${line}`);
    return error.status;
  }
  // commander has said what is wrong; for --help and --version nothing is.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  printError(`cairn: internal error: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`);
  return EXIT.unreachable;
}

/** `cairn ... | head` is no error; a full disk behind `>` is. */
function endOnOutputError(): void {
  process.stderr.on("error", (error) => process.exit(systemCode(error) === "EPIPE" ? EXIT.ok : EXIT.unreachable));
  process.stdout.on("error", (error) => {
    if (systemCode(error) === "EPIPE") process.exit(EXIT.ok);
    printError(`cairn: ${whyNotWritten("standard output", error)}`);
    process.exit(EXIT.unreachable);
  });
}
