/**
 * Every setting of a node, once: its name in `config.toml`, its values, its default, what it is for. The file's
 * template, the names of environment variables, the checks and `cairn config show` all come from this table.
 */
import { z } from "zod";
import { HARD_LIMITS } from "../../chain/constants.ts";
import { CONSENSUS_DEFAULTS, WINDOW_BLOCKS } from "../../consensus/constants.ts";
import { parseAddress } from "../../net/link/address.ts";
import { ADDRESSES_MAX } from "../../net/transport/addressMessages.ts";
import { OUTBOUND_PEERS } from "../replica/constants.ts";
import { messageOf } from "./systemError.ts";

export type SettingValue = string | number | boolean | readonly string[];

export interface Setting {
  /** `section.name`, as in the file. */
  readonly name: string;
  readonly schema: z.ZodType<SettingValue>;
  readonly default: SettingValue;
  /** What it is, with unit and bounds; one line of the file's template. */
  readonly about: string;
  /** Never printed. */
  readonly isSecret?: boolean;
}

const integer = (min: number, max: number): z.ZodType<number> => z.number().int().min(min).max(max);
const milliseconds = (min = 1): z.ZodType<number> => integer(min, 3_600_000);
const MIB = 1024 * 1024;

/** An address of a node, `HOST:PORT` or a multiaddr. */
const address = z.string().superRefine((text, context) => {
  try {
    parseAddress(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
  }
});

const HOST_PORT = /^(?:\[([0-9a-fA-F:]+)\]|([^:/\s[\]]+)):(\d{1,5})$/;

/** `127.0.0.1:80` or `[::1]:80` in its parts; undefined when it is not that. */
export function parseHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = HOST_PORT.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || !(port <= 65_535) ? undefined : { host, port };
}

const hostPort = z
  .string()
  .refine((text) => parseHostPort(text) !== undefined, "must be HOST:PORT, such as 127.0.0.1:26601");

export const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

export const SETTINGS = [
  {
    name: "node.name",
    schema: z
      .string()
      .min(1)
      .max(64)
      .regex(/^\P{C}+$/u, "must be printable text"),
    default: "cairn",
    about: "What people see; peers are told. At most 64 characters.",
  },
  {
    name: "p2p.listen",
    schema: address,
    default: "127.0.0.1:26600",
    about: "Where peers connect to: HOST:PORT or a multiaddr. 0.0.0.0:26600 for every interface.",
  },
  {
    name: "p2p.peers",
    schema: z.array(address).max(1000),
    default: [],
    about: "Nodes to connect to besides the producers of genesis.json: HOST:PORT or multiaddrs.",
  },
  { name: "p2p.maxPeers", schema: integer(1, 10_000), default: 64, about: "Links at most, 1 to 10000." },
  {
    name: "p2p.outboundPeers",
    schema: integer(0, 256),
    default: OUTBOUND_PEERS,
    about: "Links to dial, configured addresses included: the rest by addresses that peers tell. 0: none of those.",
  },
  {
    name: "p2p.announce",
    schema: z.array(address).max(ADDRESSES_MAX),
    default: [],
    about: "Where others reach this node, told to peers under its signature; empty: where it listens.",
  },
  {
    name: "http.listen",
    schema: hostPort,
    default: "127.0.0.1:26601",
    about: "Where HTTP is served. Anything but loopback needs http.token.",
  },
  {
    name: "http.token",
    schema: z.string().regex(/^[\x21-\x7e]{0,256}$/, "must be at most 256 printable ASCII characters without spaces"),
    default: "",
    about: "Bearer token that writing endpoints ask for; empty: none.",
    isSecret: true,
  },
  {
    name: "http.readyWithinBlocks",
    schema: integer(0, 1_000_000),
    default: 10,
    about: "/health/ready answers 200 while the node is at most this many blocks behind.",
  },
  {
    name: "log.level",
    schema: z.enum(["debug", "info", "warn", "error"]),
    default: "info",
    about: "debug, info, warn or error.",
  },
  {
    name: "log.format",
    schema: z.enum(["text", "json"]),
    default: "text",
    about: "text: a line for people. json: a line for programs.",
  },
  {
    name: "index.enabled",
    schema: z.boolean(),
    default: true,
    about: "Keep index.db, which finds any transaction by its id. Can be switched on later: it is rebuilt.",
  },
  {
    name: "consensus.heartbeatMs",
    schema: milliseconds(),
    default: CONSENSUS_DEFAULTS.heartbeatMs,
    about: "A leader with nothing to say says so this often.",
  },
  {
    name: "consensus.electionTimeoutMs",
    schema: milliseconds(),
    default: CONSENSUS_DEFAULTS.electionTimeoutMs,
    about: "raft, vsr: t; without a sign of a leader for t to 2t an election begins. More than heartbeatMs.",
  },
  {
    name: "consensus.viewTimeoutMs",
    schema: milliseconds(),
    default: CONSENSUS_DEFAULTS.viewTimeoutMs,
    about: "bft: without progress for so long while there is something to decide, the leader is suspected.",
  },
  {
    name: "consensus.tenureBlocks",
    schema: integer(1, 2 ** 32 - 1),
    default: CONSENSUS_DEFAULTS.tenureBlocks,
    about: "bft: a leader hands over after so many blocks of its own.",
  },
  {
    name: "consensus.tenureMs",
    schema: milliseconds(),
    default: CONSENSUS_DEFAULTS.tenureMs,
    about: "bft: a leader hands over after so long in which there was something to decide.",
  },
  {
    name: "consensus.brokenLinkJitterMs",
    schema: milliseconds(0),
    default: CONSENSUS_DEFAULTS.brokenLinkJitterMs,
    about: "After the link to the leader breaks: random delay up to this before an election is asked for.",
  },
  {
    name: "consensus.windowBlocks",
    schema: integer(1, WINDOW_BLOCKS),
    default: WINDOW_BLOCKS,
    about: `A leader's uncommitted blocks in flight at most, 1 to ${WINDOW_BLOCKS}.`,
  },
  {
    name: "production.batchDelayMs",
    schema: integer(0, 60_000),
    default: CONSENSUS_DEFAULTS.batchDelayMs,
    about: "Longest wait for more transactions while a block of one's own is in flight.",
  },
  {
    name: "production.blockBytes",
    schema: integer(1, HARD_LIMITS.blockBytes),
    default: CONSENSUS_DEFAULTS.blockBytes,
    about: "A block of one's own is full at this many bytes (at most the genesis limit).",
  },
  {
    name: "production.blockTransactions",
    schema: integer(1, HARD_LIMITS.blockTransactions),
    default: CONSENSUS_DEFAULTS.blockTransactions,
    about: "A block of one's own is full at this many transactions (at most the genesis limit).",
  },
  {
    name: "production.transactionBytes",
    schema: integer(1, HARD_LIMITS.transactionBytes),
    default: 64 * 1024,
    about: "Larger transactions are not taken here (at most the genesis limit).",
  },
  {
    name: "mempool.bytes",
    schema: integer(1, 4096 * MIB),
    default: CONSENSUS_DEFAULTS.mempoolBytes,
    about: "Transactions that wait, together at most.",
  },
  {
    name: "mempool.transactions",
    schema: integer(1, 10_000_000),
    default: CONSENSUS_DEFAULTS.mempoolTransactions,
    about: "Transactions that wait at most.",
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof SETTINGS)[number]["name"];

const BY_NAME: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((setting) => [setting.name, setting]));

export function settingOf(name: string): Setting | undefined {
  return BY_NAME.get(name);
}

/** `consensus.electionTimeoutMs` is `CAIRN_CONSENSUS_ELECTION_TIMEOUT_MS` in the environment. */
export function environmentName(name: string): string {
  const words = name.replaceAll(".", "_").replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return `CAIRN_${words.toUpperCase()}`;
}
