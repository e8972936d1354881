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
  cairn inspect devnet/node0 tx 4f0c...                  a transaction by its whole id
  cairn inspect devnet/node0 verify                      re-checks everything from genesis
  cairn inspect http://127.0.0.1:26601 verify --genesis genesis.json
  cairn inspect devnet/node0 export --from 10 > blocks.jsonl
  cairn inspect devnet/node0 export --format protobuf --out blocks.bin
  cairn inspect devnet/node0 certificates --limit 5
  cairn inspect devnet/node0 votes                       of a directory only
  cairn inspect devnet/node0 evidence                    what proves that producers lied, checked again

Exit status: 1 when the answer is no or the database is damaged, 3 when it cannot be opened or reached.`;

export function addInspectCommand(program: Command, finish: Finish): void {
  program
    .command("inspect")
    .description(
      "look into a chain: summary, blocks, block REF, tx ID, forks, verify, export, certificates, votes, evidence",
    )
    .argument("<where>", "a node's directory or URL")
    .argument("<what>", "summary, blocks, block, tx, forks, verify, export, certificates, votes or evidence")
    .argument("[ref]", "for block: which; for tx: its id")
    .option("--from <height>", "blocks, certificates: the first (default: the newest); export: the first (default: 0)")
    .option("--limit <n>", "blocks, certificates: how many", "20")
    .option("--to <height>", "export: the last (default: the head)")
    .option(
      "--format <format>",
      "export: jsonl, as the HTTP interface gives blocks, or protobuf, each behind its length",
      "jsonl",
    )
    .option("--out <file>", "export: a new file (default: standard output)")
    .option(
      "--genesis <file>",
      "verify, evidence: the genesis to trust (default: the one beside the database, or the node's)",
    )
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (where: string, what: string, ref: string | undefined, flags: InspectFlags) =>
      finish(await (await import("./inspect.ts")).inspectCommand(where, what, ref, flags)),
    );
}
