/** `cairn init` and `cairn testnet`: directories of nodes. */
import { basename, join, resolve } from "node:path";
import { type EngineName, PRODUCER_APPROVALS, type ProducerApproval } from "../../../chain/genesis.ts";
import { isAddress } from "../../../net/link/address.ts";
import { checkFree, createNodeDirectory } from "../directory.ts";
import { DEFAULT_LIMITS, type GenesisFile, parseGenesis, readGenesisFile } from "../genesisFile.ts";
import { generateNodeKey, type NodeKey, readNodeKey } from "../keys.ts";
import { createNetwork, isPortRangeValid, type NetworkNode, type NetworkPlan } from "../network.ts";
import { settingOf, type SettingName, type SettingValue } from "../settings.ts";
import { issueOf } from "../zodIssue.ts";
import { CliError, directoryFailure, EXIT, type ExitStatus } from "./error.ts";
import { wholeNumber } from "./numbers.ts";
import { print, printJson, table } from "./terminal.ts";

export interface InitFlags {
  readonly genesis?: string;
  readonly peer?: readonly string[];
  readonly name?: string;
  readonly listen?: string;
  readonly http?: string;
  readonly key?: string;
  /** Of a key that was there before: `first` or `lost`. */
  readonly voteRecord?: string;
  readonly engine?: string;
  readonly json?: boolean;
}

/** Without --genesis: a new chain whose only producer is this node. */
export function initCommand(dir: string, flags: InitFlags): ExitStatus {
  const free = checkFree(dir);
  if (!free.ok) throw directoryFailure(free.error);
  const name = flags.name ?? nameOf(dir);
  const settings = checkSettings({
    "node.name": name,
    ...(flags.listen === undefined ? {} : { "p2p.listen": flags.listen }),
    ...(flags.peer === undefined ? {} : { "p2p.peers": flags.peer }),
    ...(flags.http === undefined ? {} : { "http.listen": flags.http }),
  });
  if (flags.genesis !== undefined && flags.engine !== undefined)
    throw new CliError(EXIT.usage, "--engine: the chain of --genesis has its engine already; leave the flag out");
  const engine = readEngine(flags.engine ?? "raft");
  const isRecordLost = readIsRecordLost(flags);
  const key = flags.key === undefined ? generateNodeKey() : readKey(flags.key);
  const genesis = flags.genesis === undefined ? ownGenesis(name, engine, key, settings) : readGenesis(flags.genesis);
  const made = createNodeDirectory(dir, { genesis, key, settings, isRecordLost });
  if (!made.ok) throw directoryFailure(made.error);
  const role = genesis.producers.some((producer) => producer.key === key.publicKey) ? "producer" : "follower";
  if (flags.json) {
    printJson({ dir, role, key: key.publicKey, chainId: genesis.chainId, name, isRecordLost });
    return EXIT.ok;
  }
  print(`made ${dir}: a ${role} of chain ${JSON.stringify(genesis.name)} (${genesis.chainId.slice(0, 12)})`);
  print(`key  ${key.publicKey}`);
  if (isRecordLost)
    print("its vote record counts as lost: as a producer it is `recovering` at first (docs/operate.md)");
  print(`next: edit ${join(dir, "config.toml")} if you like, then: cairn start ${dir}`);
  return EXIT.ok;
}

/** A key that votes as if it were new, where it has promised something before, can make two chains irreversible. */
function readIsRecordLost({ genesis, key, voteRecord }: InitFlags): boolean {
  if (genesis === undefined || key === undefined) {
    if (voteRecord === undefined) return false;
    throw new CliError(EXIT.usage, "--vote-record: says something of a --key that joins the chain of a --genesis only");
  }
  if (voteRecord === "lost" || voteRecord === "first") return voteRecord === "lost";
  const problem = voteRecord === undefined ? "--key with --genesis" : `--vote-record ${voteRecord}`;
  throw new CliError(
    EXIT.usage,
    `${problem}: has a node run with this key on this chain before? ` +
      "If so, or in doubt: --vote-record lost; if it never has: --vote-record first",
  );
}

function nameOf(dir: string): string {
  const name = basename(resolve(dir)).replace(/\P{L}/gu, (character) => (/[-\w.]/.test(character) ? character : ""));
  return name.slice(0, 64) || "cairn";
}

/** Flags that set what config.toml would: checked by the same rules. */
function checkSettings(
  settings: Partial<Record<SettingName, SettingValue>>,
): Partial<Record<SettingName, SettingValue>> {
  for (const [name, value] of Object.entries(settings)) {
    const parsed = settingOf(name)?.schema.safeParse(value);
    if (parsed?.success !== false) continue;
    const { path, message } = issueOf(parsed.error, value);
    throw new CliError(EXIT.usage, `${FLAG_OF[name] ?? name}${path}: ${message}`);
  }
  return settings;
}

const FLAG_OF: Readonly<Record<string, string>> = {
  "node.name": "--name",
  "p2p.listen": "--listen",
  "p2p.peers": "--peer",
  "http.listen": "--http",
};

function readKey(file: string): NodeKey {
  const key = readNodeKey(file);
  if (!key.ok) throw new CliError(EXIT.unreachable, key.error.message);
  return key.value;
}

function readGenesis(file: string): GenesisFile {
  const genesis = readGenesisFile(file);
  if (genesis.ok) return genesis.value;
  const status = genesis.error.code === "GENESIS_UNREADABLE" ? EXIT.unreachable : EXIT.usage;
  throw new CliError(status, genesis.error.message);
}

function ownGenesis(
  name: string,
  engine: EngineName,
  key: NodeKey,
  settings: Partial<Record<SettingName, SettingValue>>,
): GenesisFile {
  const address = settings["p2p.listen"] ?? settingOf("p2p.listen")?.default;
  const genesis = parseGenesis({
    name,
    time: Date.now(),
    engine,
    producers: [{ name, key: key.publicKey, address }],
    application: { name: "kv", initialState: {} },
    limits: DEFAULT_LIMITS,
  });
  if (!genesis.ok) throw new CliError(EXIT.usage, genesis.error.message);
  return genesis.value;
}

export interface TestnetFlags {
  readonly producers: string;
  readonly followers: string;
  readonly engine: string;
  readonly basePort: string;
  readonly host?: readonly string[];
  readonly chainName?: string;
  readonly producerApproval?: string;
  readonly json?: boolean;
}

export function testnetCommand(dir: string, flags: TestnetFlags): ExitStatus {
  const plan = {
    ...readPlan(flags, flags.chainName ?? "testnet"),
    approval: readApproval(flags.producerApproval ?? DEFAULT_LIMITS.producerApproval),
  };
  const free = checkFree(dir);
  if (!free.ok) throw directoryFailure(free.error);
  const nodes = makeNetwork(dir, plan);
  if (flags.json) {
    printJson({ dir, nodes });
    return EXIT.ok;
  }
  print(nodeTable(nodes));
  print(`\nCopy each directory onto its machine, then there: cairn start ${nodes[0]?.dir ?? dir}`);
  return EXIT.ok;
}

/** Throws CliError 2 for numbers and engines that are none. */
export function readPlan(
  flags: Pick<TestnetFlags, "producers" | "followers" | "engine" | "basePort" | "host">,
  name: string,
): NetworkPlan {
  const producers = wholeNumber("--producers", flags.producers, 1, 200);
  const followers = wholeNumber("--followers", flags.followers, 0, 200);
  const basePort = wholeNumber("--base-port", flags.basePort, 1, 65_535);
  if (!isPortRangeValid(basePort, producers + followers)) {
    throw new CliError(
      EXIT.usage,
      `--base-port ${basePort}: the ports of ${producers + followers} nodes do not fit below 65536`,
    );
  }
  const engine = readEngine(flags.engine);
  const hosts = flags.host ?? ["127.0.0.1"];
  const wrong = hosts.find((host) => !isAddress(host.includes(":") ? `[${host}]:1` : `${host}:1`));
  if (wrong !== undefined)
    throw new CliError(
      EXIT.usage,
      `--host ${wrong}: must be a machine's name or address, without a port (--base-port)`,
    );
  return { name, engine, producers, followers, basePort, hosts, time: Date.now() };
}

function readEngine(engine: string): EngineName {
  if (engine !== "raft" && engine !== "vsr" && engine !== "bft") {
    throw new CliError(EXIT.usage, `--engine ${engine}: must be raft, vsr or bft`);
  }
  return engine;
}

function readApproval(rule: string): ProducerApproval {
  const known = PRODUCER_APPROVALS.find((each) => each === rule);
  if (known !== undefined) return known;
  throw new CliError(EXIT.usage, `--producer-approval ${rule}: must be ${PRODUCER_APPROVALS.join(" or ")}`);
}

export function makeNetwork(dir: string, plan: NetworkPlan): readonly NetworkNode[] {
  const made = createNetwork(dir, plan);
  if (!made.ok) throw directoryFailure(made.error);
  return made.value;
}

export function nodeTable(nodes: readonly NetworkNode[]): string {
  const rows = nodes.map(({ name, role, address, url, key }) => [name, role, address, url, key.slice(0, 16)]);
  return table(["NODE", "ROLE", "PEERS", "HTTP", "KEY"], rows);
}
