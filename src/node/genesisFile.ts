/**
 * `genesis.json`: what everyone who joins a chain must hold, byte for byte of its value.
 *
 *     { "name": "example", "time": 1767225600000, "engine": "raft",
 *       "producers": [{ "name": "node0", "key": "<64 hex digits>", "address": "10.0.0.1:26600" }],
 *       "application": { "name": "kv", "initialState": {} },
 *       "limits": { "blockBytes": 4194304 } }
 *
 * The chain id is the SHA-256 of the file's value in RFC 8785 canonical JSON, so spaces and the order of members do not
 * matter, but a limit that is written out makes another chain than one left to its default.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { makeConfiguration } from "../../chain/configuration.ts";
import { lengthDelimitedBytes } from "../../chain/scan.ts";
import { GENESIS_DEFAULTS, HARD_LIMITS, PRODUCERS_MAX } from "../../chain/constants.ts";
import {
  type ChainLimits,
  ENGINE_NAMES,
  type EngineName,
  type Genesis,
  PRODUCER_APPROVALS,
} from "../../chain/genesis.ts";
import { isAddress } from "../../net/link/address.ts";
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { canonicalJson } from "../base/canonicalJson.ts";
import { sha256Hex } from "../base/hash.ts";
import { err, ok, type Result } from "../base/result.ts";
import { isUsableKey } from "./signatures.ts";
import { whyNotRead } from "./systemError.ts";
import { issueOf } from "./zodIssue.ts";

export interface GenesisProducer {
  readonly name: string;
  /** Ed25519 public key, hex. */
  readonly key: string;
  /** Where it listens for peers: `host:port` or a multiaddr. */
  readonly address: string;
}

export interface GenesisFile {
  readonly name: string;
  /** Milliseconds since the epoch; the time of block 0. */
  readonly time: number;
  readonly engine: EngineName;
  readonly producers: readonly GenesisProducer[];
  readonly application: { readonly name: string; readonly initialState: unknown };
  /** With defaults for what the file leaves out. */
  readonly limits: ChainLimits;
  /** SHA-256 of `value` in canonical JSON, hex. */
  readonly chainId: string;
  /** The file's JSON value as it was read; what `GET /v1/genesis` serves. */
  readonly value: unknown;
}

/** What is wrong with a genesis: `path` such as `producers[1].key`, empty for the whole. */
export interface GenesisError {
  readonly code: "GENESIS_UNREADABLE" | "GENESIS_NOT_JSON" | "GENESIS_INVALID";
  readonly path: string;
  /** Names the path and, when it was read from one, the file. */
  readonly message: string;
}

/** A genesis of 200 producers with a large initial state is far below this. */
export const GENESIS_MAX_BYTES = 64 * 1024 * 1024;

/** Limits of a genesis that says nothing: the hard ones, and the defaults of the chain layer. */
export const DEFAULT_LIMITS: ChainLimits = { ...HARD_LIMITS, ...GENESIS_DEFAULTS, signaturesRequired: false };

// No control or format characters: names end up in logs and on terminals.
const printable = z
  .string()
  .min(1)
  .max(64)
  .regex(/^\P{C}+$/u, "must be printable text");
const upTo = (max: number, min = 1) => z.number().int().min(min).max(max);

const limitsSchema = z.strictObject({
  blockBytes: upTo(HARD_LIMITS.blockBytes).default(DEFAULT_LIMITS.blockBytes),
  blockTransactions: upTo(HARD_LIMITS.blockTransactions).default(DEFAULT_LIMITS.blockTransactions),
  transactionBytes: upTo(HARD_LIMITS.transactionBytes).default(DEFAULT_LIMITS.transactionBytes),
  expiryAheadMs: upTo(24 * 60 * 60 * 1000).default(DEFAULT_LIMITS.expiryAheadMs),
  duplicateWindowCount: upTo(64_000_000).default(DEFAULT_LIMITS.duplicateWindowCount),
  clockToleranceMs: upTo(60_000, 0).default(DEFAULT_LIMITS.clockToleranceMs),
  executionOperations: upTo(10_000_000).default(DEFAULT_LIMITS.executionOperations),
  executionBytes: upTo(1024 * 1024 * 1024).default(DEFAULT_LIMITS.executionBytes),
  signaturesRequired: z.boolean().default(DEFAULT_LIMITS.signaturesRequired),
  producerApproval: z.enum(PRODUCER_APPROVALS).default(DEFAULT_LIMITS.producerApproval),
});

const producerSchema = z.strictObject({
  name: printable,
  key: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits")
    .refine(isUsableKey, "is no usable Ed25519 public key"),
  address: z.string().refine(isAddress, "must be HOST:PORT or a multiaddr such as /ip4/10.0.0.1/tcp/26600"),
});

const genesisSchema = z.strictObject({
  name: printable,
  time: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  engine: z.enum(ENGINE_NAMES),
  producers: z.array(producerSchema).min(1).max(PRODUCERS_MAX),
  application: z.strictObject({ name: printable, initialState: z.unknown().optional() }),
  limits: limitsSchema.prefault({}),
});

/** A genesis from the value of its JSON. */
export function parseGenesis(value: unknown): Result<GenesisFile, GenesisError> {
  const parsed = genesisSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = issueOf(parsed.error, value);
    return invalid(path, message);
  }
  const { application, limits, producers, ...rest } = parsed.data;
  const doubled = doubledProducer(producers);
  if (doubled !== undefined) return doubled;
  if (lengthDelimitedBytes(limits.transactionBytes) > limits.blockBytes) {
    return invalid(
      "limits.transactionBytes",
      `${limits.transactionBytes} and its length prefix do not fit blockBytes (${limits.blockBytes})`,
    );
  }
  const canonical = canonicalJson(value);
  if (!canonical.ok) return invalid(canonical.error.path.replace(/^\./, ""), canonical.error.message);
  const chainId = sha256Hex(utf8(canonical.value));
  const { name, initialState } = application;
  return ok({ ...rest, producers, application: { name, initialState }, limits, chainId, value });
}

/** A genesis from JSON text. */
export function parseGenesisText(text: string): Result<GenesisFile, GenesisError> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err({ code: "GENESIS_NOT_JSON", path: "", message: `is not JSON: ${(error as Error).message}` });
  }
  return parseGenesis(value);
}

/** Reads a genesis file; messages of errors begin with the file. */
export function readGenesisFile(file: string): Result<GenesisFile, GenesisError> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return err({ code: "GENESIS_UNREADABLE", path: "", message: whyNotRead(file, error) });
  }
  const text = bytes.length > GENESIS_MAX_BYTES ? undefined : fromUtf8(bytes);
  if (text === undefined) {
    return err({ code: "GENESIS_NOT_JSON", path: "", message: `${file}: is not UTF-8 text of at most 64 MiB` });
  }
  const parsed = parseGenesisText(text);
  return parsed.ok ? parsed : err({ ...parsed.error, message: `${file}: ${parsed.error.message}` });
}

/** What the chain layer knows of a genesis. */
export function toGenesis(file: GenesisFile): Genesis {
  const { chainId, name, time, engine, limits } = file;
  return {
    chainId,
    name,
    time,
    engine,
    configuration: makeConfiguration(file.producers.map((producer) => producer.key)),
    limits,
    initialState: file.application.initialState,
  };
}

function doubledProducer(producers: readonly GenesisProducer[]): Result<never, GenesisError> | undefined {
  const first = { name: new Map<string, number>(), key: new Map<string, number>() };
  for (const [index, producer] of producers.entries()) {
    for (const field of ["name", "key"] as const) {
      const before = first[field].get(producer[field]);
      if (before !== undefined) return invalid(`producers[${index}].${field}`, `is that of producers[${before}], too`);
      first[field].set(producer[field], index);
    }
  }
  return undefined;
}

function invalid(path: string, message: string): Result<never, GenesisError> {
  return err({ code: "GENESIS_INVALID", path, message: path === "" ? message : `${path}: ${message}` });
}
