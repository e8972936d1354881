/** `inspect`: how it is called; the work is in `inspect.ts`. */
import type { Command } from "commander";
import type { InspectFlags } from "./inspect.ts";
import type { Finish } from "./main.ts";

const EXAMPLES = `
WHERE is a node's directory, of a running or a stopped node, or the URL of a running one.
REF is a height, an id or at least 8 digits of one, head or irreversible.

Examples:
  cairn inspect devnet/node0 summary
  cairn inspect http://127.0.0.1:26601 blocks --from 10 --limit 5
  cairn inspect devnet/node0 block head --json
  cairn inspect devnet/node0 forks

Exit status: 1 when the answer is no or the database is damaged, 3 when it cannot be opened or reached.`;

export function addInspectCommand(program: Command, finish: Finish): void {
  program
    .command("inspect")
    .description("look into a chain: summary, blocks, block REF, forks")
    .argument("<where>", "a node's directory or URL")
    .argument("<what>", "summary, blocks, block or forks")
    .argument("[ref]", "for block: which")
    .option("--from <height>", "blocks: the first (default: the newest blocks)")
    .option("--limit <n>", "blocks: how many", "20")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (where: string, what: string, ref: string | undefined, flags: InspectFlags) =>
      finish(await (await import("./inspect.ts")).inspectCommand(where, what, ref, flags)),
    );
}
