/** `devnet`, `testnet`, `init`, `start`, `keys`, `config`: commands that make and run nodes. */
import type { Command } from "commander";
import { group, PRODUCERS } from "./group.ts";
import type { InitFlags, TestnetFlags } from "./init.ts";
import { DANGER } from "./dangers.ts";
import type { ConfirmFlags } from "./confirmLostRecord.ts";
import type { DevnetFlags } from "./devnet.ts";
import type { Finish } from "./main.ts";
import { collect, withSettingFlags, type SettingOptions } from "./settingFlags.ts";
import type { StartFlags } from "./start.ts";

const BASE_PORT = "26600";

export function addNodeCommands(program: Command, finish: Finish): void {
  addDevnet(program, finish);
  addTestnet(program, finish);
  addInit(program, finish);
  addStart(program, finish);
  addKeys(program, finish);
  addConfig(program, finish);
  addConfirmLostRecord(program, finish);
}

function addConfirmLostRecord(program: Command, finish: Finish): void {
  group(program, ...PRODUCERS)
    .command("confirm-lost-record")
    .description("an operator's word that a producer's vote record was lost; dangerous, see --help")
    .argument("<dir>", "the node's directory; the node must not run")
    .option("--confirm", "do it: the dangers below were understood")
    .option("--json", "print JSON")
    .addHelpText("after", `${DANGER}\n\nExample:\n  cairn producers confirm-lost-record node3 --confirm`)
    .action(async (dir: string, flags: ConfirmFlags) =>
      finish(await (await import("./confirmLostRecord.ts")).confirmLostRecordCommand(dir, flags)),
    );
}

function addDevnet(program: Command, finish: Finish): void {
  program
    .command("devnet")
    .description("a whole network on this machine, one process a node; Ctrl-C stops it, the same command goes on")
    .option("--engine <engine>", "raft, vsr or bft (default: raft)")
    .option("--producers <n>", "nodes that produce blocks (default: 4)")
    .option("--followers <n>", "nodes that follow (default: 1)")
    .option("--load <n>", "put this many key-value transactions a second")
    .option("--dir <dir>", "where the nodes' directories are", "./devnet")
    .option("--base-port <port>", `node i: peers on port + 10 i, HTTP on port + 10 i + 1 (default: ${BASE_PORT})`)
    .addHelpText("after", "\nExamples:\n  cairn devnet\n  cairn devnet --producers 3 --load 1000 --dir /tmp/net")
    .action(async (flags: DevnetFlags) => finish(await (await import("./devnet.ts")).devnetCommand(flags)));
}

function addTestnet(program: Command, finish: Finish): void {
  program
    .command("testnet")
    .description("directories of a network's nodes, ready to copy onto machines")
    .argument("<dir>", "new or empty; gets node0, node1, ..., producers first")
    .option("--producers <n>", "nodes that produce blocks", "4")
    .option("--followers <n>", "nodes that follow", "0")
    .option("--engine <engine>", "raft, vsr or bft", "raft")
    .option("--base-port <port>", "node i: peers on port + 10 i, HTTP on port + 10 i + 1", BASE_PORT)
    .option("--host <host...>", "machines in turn: node i is on the i-th (default: 127.0.0.1)")
    .option("--chain-name <name>", "the chain's name", "testnet")
    .option("--producer-approval <rule>", "who approves a change of the producers: quorum, or anyProducer", "quorum")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  cairn testnet net --producers 3 --followers 1 --host 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4",
    )
    .action(async (dir: string, flags: TestnetFlags) => finish((await import("./init.ts")).testnetCommand(dir, flags)));
}

function addInit(program: Command, finish: Finish): void {
  program
    .command("init")
    .description("a node's directory: with --genesis a follower of that chain, without a chain of its own")
    .argument("<dir>", "new or empty")
    .option("--genesis <file>", "genesis.json of the chain to follow")
    .option("--peer <address>", "a node to connect to, HOST:PORT or a multiaddr; may be repeated", collect)
    .option("--name <name>", "the node's name (default: the directory's)")
    .option("--listen <address>", "where peers connect to (default: 127.0.0.1:26600)")
    .option("--http <address>", "where HTTP is served (default: 127.0.0.1:26601)")
    .option("--key <file>", "take this node.key instead of a new one")
    .option("--vote-record <state>", "with --genesis and --key: first (no node ever ran with it on this chain) or lost")
    .option("--engine <engine>", "of a chain of its own: raft, vsr or bft (default: raft)")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn init me --genesis genesis.json --peer /ip4/10.0.0.1/tcp/26600 --http 127.0.0.1:8080" +
        "\n  cairn init node2 --genesis genesis.json --key saved.key --vote-record lost   after its disk was lost",
    )
    .action(async (dir: string, flags: InitFlags) => finish((await import("./init.ts")).initCommand(dir, flags)));
}

function addStart(program: Command, finish: Finish): void {
  const command = program
    .command("start")
    .description("run a node; prints `listening URL` when it serves; SIGTERM or Ctrl-C stops it")
    .argument("<dir>", "a node's directory")
    .addHelpText(
      "after",
      "\nExamples:\n  cairn start devnet/node0\n  cairn start me --log-format json --set consensus.heartbeatMs=50",
    );
  withSettingFlags(command)
    .addOption(command.createOption("--with-parent", "stop when the starting process is gone").hideHelp())
    .action(async (dir: string, flags: StartFlags) =>
      finish(await (await import("./start.ts")).startCommand(dir, flags)),
    );
}

function addKeys(program: Command, finish: Finish): void {
  const keys = program.command("keys").description("identities of nodes");
  keys
    .command("generate")
    .description("write a new key, mode 0600, and print its public key")
    .argument("[file]", "must not exist", "node.key")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  cairn keys generate producer.key")
    .action(async (file: string, flags) => finish((await import("./keys.ts")).keysGenerateCommand(file, flags)));
  keys
    .command("show")
    .description("print the public key of a node's directory or of a key file")
    .argument("[path]", "directory or file", ".")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  cairn keys show devnet/node0")
    .action(async (path: string, flags) => finish((await import("./keys.ts")).keysShowCommand(path, flags)));
}

function addConfig(program: Command, finish: Finish): void {
  const config = program.command("config").description("settings of a node");
  const show = config
    .command("show")
    .description("every setting, its value, and where it came from")
    .argument("<dir>", "a node's directory")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  CAIRN_LOG_LEVEL=debug cairn config show devnet/node0");
  withSettingFlags(show).action(async (dir: string, flags: SettingOptions) =>
    finish((await import("./config.ts")).configShowCommand(dir, flags)),
  );
}
