/** `status`, `peers`, `tx`, `kv`, `audit`: commands that ask a running node. */
import { type Command, Option } from "commander";
import type { AuditFlags } from "./audit.ts";
import { type ClientFlags, DEFAULT_URL } from "./client.ts";
import type { KvFlags, KvGetFlags } from "./kv.ts";
import { group, PRODUCERS } from "./group.ts";
import type { Finish } from "./main.ts";
import { collect } from "./settingFlags.ts";
import type { ProposeFlags } from "./producers.ts";
import type { SubmitFlags } from "./tx.ts";
import type { TxVerifyFlags } from "./txProof.ts";

export function addClientCommands(program: Command, finish: Finish): void {
  addStatus(program, finish);
  addPeers(program, finish);
  addRoutes(program, finish);
  addProducers(program, finish);
  addBlocks(program, finish);
  addTx(program, finish);
  addKv(program, finish);
  addAudit(program, finish);
}

function forNode(command: Command): Command {
  return command
    .option(
      "--url <url>",
      `a node; may be repeated, for the next where one fails (default: CAIRN_URL or ${DEFAULT_URL})`,
      collect,
    )
    .option("--token <token>", "its bearer token (default: CAIRN_TOKEN)")
    .option("--json", "print JSON");
}

function waiting(command: Command): Command {
  return forNode(command)
    .addOption(
      new Option("--wait <for>", "how long to wait")
        .choices(["accepted", "included", "irreversible"])
        .default("irreversible"),
    )
    .option("--timeout <ms>", "longest wait, in milliseconds", "30000");
}

function addStatus(program: Command, finish: Finish): void {
  forNode(program.command("status").description("what a node says of itself"))
    .addHelpText("after", "\nExample:\n  cairn status --url http://127.0.0.1:26611 --json")
    .action(async (flags: ClientFlags) => finish(await (await import("./status.ts")).statusCommand(flags)));
}

function addPeers(program: Command, finish: Finish): void {
  const peers = forNode(program.command("peers").description("whom a node is connected to, and whom it must not be"))
    .addHelpText("after", "\nExamples:\n  cairn peers --json\n  cairn peers off 4f0c63a1")
    .action(async (flags: ClientFlags) => finish(await (await import("./peers.ts")).peersCommand(flags)));
  for (const [word, text] of [
    ["off", "close links to a peer and take none, also after a restart, until they are switched on"],
    ["on", "allow links to a peer again"],
  ] as const) {
    forNode(peers.command(word).description(text))
      .argument("<key>", "64 hex digits; the first 8 do for a peer that cairn peers shows")
      .addHelpText("after", `\nExample:\n  cairn peers ${word} 4f0c63a1 --url http://127.0.0.1:26611`)
      // Flags that `peers` has, too, commander takes for its, wherever they stand.
      .action(async (key: string, _: ClientFlags, command: Command) =>
        finish(await (await import("./peers.ts")).peersSwitchCommand(word, key, command.optsWithGlobals())),
      );
  }
}

function addRoutes(program: Command, finish: Finish): void {
  forNode(program.command("routes").description("by which neighbour a node reaches each other producer"))
    .addHelpText("after", "\nExample:\n  cairn routes --url http://127.0.0.1:26611 --json")
    .action(async (flags: ClientFlags) => finish(await (await import("./routes.ts")).routesCommand(flags)));
}

function addProducers(program: Command, finish: Finish): void {
  const producers = group(program, ...PRODUCERS);
  forNode(producers.command("show").description("who produces, and how far a change is"))
    .addHelpText("after", "\nExample:\n  cairn producers show --url http://127.0.0.1:26611 --json")
    .action(async (flags: ClientFlags) => finish(await (await import("./producers.ts")).producersShowCommand(flags)));
  forNode(producers.command("propose").description("propose another set; submit it once enough producers approve"))
    .argument("[dirs...]", "directories of nodes whose keys approve")
    .option("--add <producer>", "KEY, KEY,NAME or KEY,NAME,ADDRESS; may be repeated", collect)
    .option("--remove <producer>", "a name, a key or its first 8 digits; may be repeated", collect)
    .option("--replace <old=new>", "one in the place of another; may be repeated", collect)
    .option("--approve <file...>", "proposals with approvals; without --add, --remove and --replace what they propose")
    .option("--out <file>", "where the proposal goes while approvals are missing (default: proposal.json)")
    .option("--force", "also where, by what the node sees, no quorum would be left")
    .addHelpText("after", PROPOSE_HELP)
    .action(async (dirs: string[], flags: ProposeFlags) =>
      finish(await (await import("./producers.ts")).producersProposeCommand(dirs, flags)),
    );
  forNode(producers.command("prove").description("print a proof of all changes of the set, for checks without a node"))
    .addHelpText(
      "after",
      "\nExample:\n  cairn producers prove > producers.json\n  cairn tx verify proof.json --genesis genesis.json --producers producers.json",
    )
    .action(async (flags: ClientFlags) => finish(await (await import("./producers.ts")).producersProveCommand(flags)));
  producers
    .command("approve")
    .description("sign a proposal with a node's key; asks no node")
    .argument("<file>", "what producers propose wrote")
    .argument("<dir>", "the directory of a producer")
    .option("--out <file>", "write there, and leave the file as it is")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  cairn producers approve proposal.json /var/lib/cairn")
    .action(async (file: string, dir: string, flags) =>
      finish((await import("./producers.ts")).producersApproveCommand(file, dir, flags)),
    );
}

const PROPOSE_HELP = `
The genesis says how many producers must approve. Each operator signs the same file, in any order; then one submits it.
Where no quorum would be left it is refused, as the first node sees it; each node that --url names is asked whether it is
recovering, which the others do not know.
Exit status: 0 the new set is active, or a proposal was written; 1 the change was not made or is not done yet.

Examples:
  cairn producers propose node0 --add KEY,node4,10.0.0.5:26600   writes proposal.json, approved by node0
  cairn producers approve proposal.json node1                    on the next machine
  cairn producers propose --approve proposal.json                submits it and waits until the set is active
  cairn producers propose node0 node1 node2 --remove node3       all at once, where the keys are on one machine
  cairn producers propose node0 node1 --replace node2=KEY,node5,10.0.0.6:26600`;

function addBlocks(program: Command, finish: Finish): void {
  const blocks = program.command("blocks").description("the operator's word on single blocks");
  for (const [verb, text] of [
    ["reject", "take neither this block nor what descends from it, as long as it is not irreversible"],
    ["accept", "take a rejection back"],
  ] as const) {
    forNode(blocks.command(verb).description(text))
      .argument("<id>", "64 hex digits; cairn inspect URL forks shows them")
      .addHelpText("after", `\nExample:\n  cairn blocks ${verb} 4f0c... --url http://127.0.0.1:26611`)
      .action(async (id: string, flags: ClientFlags) =>
        finish(await (await import("./blocks.ts")).blocksDecideCommand(verb, id, flags)),
      );
  }
  forNode(blocks.command("rejected").description("ids of the blocks that a node's operator rejected"))
    .addHelpText("after", "\nExample:\n  cairn blocks rejected --json")
    .action(async (flags: ClientFlags) => finish(await (await import("./blocks.ts")).blocksRejectedCommand(flags)));
}

function addTx(program: Command, finish: Finish): void {
  const tx = program.command("tx").description("transactions");
  waiting(tx.command("submit").description("submit transactions and tell what became of them"))
    .argument(
      "<file>",
      "JSON (one transaction), JSON lines (one each), or an encoded transaction; - for standard input",
    )
    .addHelpText("after", `\nExample:\n  echo '{"put": {"key": "a", "value": "b"}}' | cairn tx submit -`)
    .action(async (file: string, flags: SubmitFlags) =>
      finish(await (await import("./tx.ts")).txSubmitCommand(file, flags)),
    );
  forNode(tx.command("show").description("what a node knows of a transaction"))
    .argument("<id>", "64 hex digits")
    .option("--proof", "with a proof that anyone can check who has the genesis; prints JSON")
    .addHelpText("after", "\nExamples:\n  cairn tx show 4f0c... --json\n  cairn tx show 4f0c... --proof > proof.json")
    .action(async (id: string, flags: ClientFlags & { readonly proof?: boolean }) =>
      finish(await (await import("./tx.ts")).txShowCommand(id, flags)),
    );
  tx.command("verify")
    .description("check a proof of a transaction, without any node")
    .argument("<file>", "what tx show --proof printed; - for standard input")
    .requiredOption("--genesis <file>", "genesis.json of the chain")
    .option("--producers <file>", "what producers prove printed, where the set of producers has changed")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExit status: 0 proven, 1 not proven, 3 a file cannot be read.\n\nExample:\n  cairn tx verify proof.json --genesis genesis.json",
    )
    .action(async (file: string, flags: TxVerifyFlags) =>
      finish(await (await import("./txProof.ts")).txVerifyCommand(file, flags)),
    );
}

function addKv(program: Command, finish: Finish): void {
  const kv = program.command("kv").description("the built-in key-value application");
  waiting(kv.command("put").description("write a key"))
    .argument("<key>")
    .argument("<value>")
    .option("--if-version <height>", "only when the key's version is this; 0: only when it is absent")
    .addHelpText("after", "\nExample:\n  cairn kv put greeting hello --if-version 0")
    .action(async (key: string, value: string, flags: KvFlags) =>
      finish(await (await import("./kv.ts")).kvPutCommand(key, value, flags)),
    );
  forNode(kv.command("get").description("print a key's value"))
    .argument("<key>")
    .option("--at <state>", "irreversible or head", "irreversible")
    .option("--linearizable", "see whatever was irreversible anywhere when this began; asks the leader")
    .addHelpText("after", "\nExamples:\n  cairn kv get greeting\n  cairn kv get greeting --linearizable")
    .action(async (key: string, flags: KvGetFlags) => finish(await (await import("./kv.ts")).kvGetCommand(key, flags)));
  waiting(kv.command("delete").description("delete a key"))
    .argument("<key>")
    .addHelpText("after", "\nExample:\n  cairn kv delete greeting")
    .action(async (key: string, flags: KvFlags) => finish(await (await import("./kv.ts")).kvDeleteCommand(key, flags)));
  forNode(kv.command("watch").description("print changes of keys as they become irreversible, until Ctrl-C"))
    .argument("<prefix>", 'what the keys begin with; "" for all')
    .option("--from <height>", "the first block to tell; without it those to come")
    .addHelpText("after", "\nExample:\n  cairn kv watch user/ --from 1 --json")
    .action(async (prefix: string, flags: KvFlags) =>
      finish(await (await import("./kv.ts")).kvWatchCommand(prefix, flags)),
    );
}

function addAudit(program: Command, finish: Finish): void {
  const audit = program
    .command("audit")
    .description("follow several nodes, check what they prove, raise an alarm when they show two histories")
    .argument("<url...>", "nodes; they need not be trusted")
    .option("--genesis <file>", "the chain's genesis.json (default: what the first node serves)")
    .option("--from <file>", "go on from a proof of a block, as head.json of an earlier audit")
    .option("--dir <dir>", "where the newest proof, the log of heads and evidence are kept", "cairn-audit")
    .option("--interval <ms>", "between two looks, in milliseconds", "1000")
    .option("--once", "look once; exit status 1 if anything is wrong, 3 if no node can be reached")
    .option("--json", "print JSON, one object a look")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn audit http://127.0.0.1:26601 http://127.0.0.1:26611 --genesis genesis.json\n" +
        "  cairn audit verify cairn-audit/fork-7.json --genesis genesis.json",
    )
    .action(async (urls: string[], flags: AuditFlags) =>
      finish(await (await import("./audit.ts")).auditCommand(urls, flags)),
    );
  audit
    .command("verify")
    .description("check evidence that a chain has two histories, or that a producer lied; needs no node")
    .argument("<file>", "as an audit wrote it, or of producers as GET /v1/evidence and inspect evidence --json give it")
    .option("--genesis <file>", "the chain's genesis.json (required)")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  cairn audit verify fork-7.json --genesis genesis.json")
    // Flags that `audit` has, too, commander takes for its, wherever they stand.
    .action(async (file: string, _: unknown, command: Command) =>
      finish(await (await import("./audit.ts")).auditVerifyCommand(file, command.optsWithGlobals())),
    );
}
