/** Directories of a whole network (`testnet`, `devnet`): `DIR/node0`, `DIR/node1`, ..., producers first. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../base/result.ts";
import { checkFree, createNodeDirectory, type DirectoryError } from "./directory.ts";
import { type GenesisFile, parseGenesis } from "./genesisFile.ts";
import { generateNodeKey, type NodeKey } from "./keys.ts";
import { DEFAULT_LIMITS } from "./genesisFile.ts";
import { LOOPBACK } from "./settings.ts";
import type { EngineName, ProducerApproval } from "../../chain/genesis.ts";

export const DEFAULT_BASE_PORT = 26_600;
/** Ports of a node: peers on the first, HTTP on the next. */
const PORTS_BETWEEN_NODES = 10;
const LAST_PORT = 65_535;

export interface NetworkPlan {
  readonly name: string;
  readonly engine: EngineName;
  readonly producers: number;
  readonly followers: number;
  readonly basePort: number;
  /** Node i is on `hosts[i mod hosts.length]`. */
  readonly hosts: readonly string[];
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Who must approve a change of the producers; default: as many as decide a block. */
  readonly approval?: ProducerApproval;
}

export interface NetworkNode {
  readonly name: string;
  readonly dir: string;
  readonly role: "producer" | "follower";
  readonly key: string;
  /** Where others find it. */
  readonly address: string;
  /** Where its HTTP is on its own machine. */
  readonly url: string;
}

/** Node i listens for peers on base + 10 i and serves HTTP on base + 10 i + 1. */
export function nodePorts(basePort: number, index: number): { readonly peers: number; readonly http: number } {
  const peers = basePort + PORTS_BETWEEN_NODES * index;
  return { peers, http: peers + 1 };
}

export function isPortRangeValid(basePort: number, nodes: number): boolean {
  return basePort >= 1 && nodePorts(basePort, nodes - 1).http <= LAST_PORT;
}

/** Makes the genesis and every node's directory below `dir`, or nothing but an error. */
export function createNetwork(dir: string, plan: NetworkPlan): Result<readonly NetworkNode[], DirectoryError> {
  const keys = Array.from({ length: plan.producers + plan.followers }, generateNodeKey);
  const nodes = keys.map((key, index) => networkNode(dir, plan, index, key));
  const genesis = parseGenesis(genesisValue(plan, nodes));
  if (!genesis.ok) return err({ code: "GENESIS", messages: [genesis.error.message] });
  for (const node of nodes) {
    const free = checkFree(node.dir);
    if (!free.ok) return free;
  }
  for (const [index, node] of nodes.entries()) {
    const made = createNodeDirectory(node.dir, {
      genesis: genesis.value,
      key: keys[index] as NodeKey,
      settings: nodeSettings(plan, node, index),
    });
    if (made.ok) continue;
    for (const { dir: whole } of nodes.slice(0, index)) rmSync(whole, { recursive: true, force: true });
    return made;
  }
  return ok(nodes);
}

function networkNode(dir: string, plan: NetworkPlan, index: number, key: NodeKey): NetworkNode {
  const { peers, http } = nodePorts(plan.basePort, index);
  const name = `node${index}`;
  const host = hostOf(plan, index);
  return {
    name,
    dir: join(dir, name),
    role: index < plan.producers ? "producer" : "follower",
    key: key.publicKey,
    address: `${host.includes(":") ? `[${host}]` : host}:${peers}`,
    url: `http://127.0.0.1:${http}`,
  };
}

function hostOf({ hosts }: NetworkPlan, index: number): string {
  return hosts[index % hosts.length] ?? "127.0.0.1";
}

/** Every limit is written out: a later version's defaults must not change what this chain's nodes agree on. */
function genesisValue(plan: NetworkPlan, nodes: readonly NetworkNode[]): Omit<GenesisFile, "chainId" | "value"> {
  const producers = nodes
    .filter(({ role }) => role === "producer")
    .map(({ name, key, address }) => ({ name, key, address }));
  return {
    name: plan.name,
    time: plan.time,
    engine: plan.engine,
    producers,
    application: { name: "kv", initialState: {} },
    limits: { ...DEFAULT_LIMITS, producerApproval: plan.approval ?? DEFAULT_LIMITS.producerApproval },
  };
}

/** HTTP stays on loopback: it would need a token elsewhere. */
function nodeSettings(plan: NetworkPlan, node: NetworkNode, index: number) {
  const { peers, http } = nodePorts(plan.basePort, index);
  const host = hostOf(plan, index);
  return {
    "node.name": node.name,
    "p2p.listen": LOOPBACK.test(host) ? node.address : `${host.includes(":") ? "[::]" : "0.0.0.0"}:${peers}`,
    "http.listen": `127.0.0.1:${http}`,
  };
}
