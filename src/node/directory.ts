/**
 * A node's directory: made once by `init` and `testnet`, with the vote record that nothing else ever makes, and read by
 * `start`. Nothing that exists is overwritten.
 */
import { existsSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { engineKit } from "../../consensus/engines.ts";
import { err, ok, type Result } from "../base/result.ts";
import { applicationByName, APPLICATION_NAMES } from "./applicationByName.ts";
import { type Config, type ConfigSources, type LoadedConfig, loadConfig } from "./config.ts";
import { configTemplate } from "./configTemplate.ts";
import { type GenesisFile, readGenesisFile, toGenesis } from "./genesisFile.ts";
import { type NodeKey, readNodeKey, writeNodeKey } from "./keys.ts";
import type { SettingName, SettingValue } from "./settings.ts";
import { createChainDatabase } from "./storage/chainSchema.ts";
import { StorageError } from "./storage/types.ts";
import { messageOf, systemCode, whyNotWritten } from "./systemError.ts";
import { writeAndClose } from "./wholeFile.ts";

export const NODE_FILES = { config: "config.toml", genesis: "genesis.json", key: "node.key" } as const;

/** Why a directory could not be made or read: messages name the file and what to do. */
export interface DirectoryError {
  readonly code:
    | "DIRECTORY_MISSING"
    | "DIRECTORY_NOT_EMPTY"
    | "DIRECTORY_UNWRITABLE"
    | "APPLICATION_UNKNOWN"
    | "INITIAL_STATE_INVALID"
    | "CONFIG"
    | "GENESIS"
    | "KEY";
  readonly messages: readonly string[];
}

export interface NewNode {
  readonly genesis: GenesisFile;
  readonly key: NodeKey;
  /** Settings that differ from the defaults. */
  readonly settings: Partial<Record<SettingName, SettingValue>>;
  /** The key has run on this chain before and what it promised is lost: no vote record, so that it does not vote as if new. */
  readonly isRecordLost?: boolean;
}

/**
 * Makes a node's directory. It must not exist, or be empty. What was made is removed again when something fails; chain.db
 * comes last, so a directory without one was never a node.
 */
export function createNodeDirectory(dir: string, node: NewNode): Result<undefined, DirectoryError> {
  const record = initialRecord(node.genesis);
  if (!record.ok) return record;
  const isFree = checkFree(dir);
  if (!isFree.ok) return isFree;
  const made: string[] = [];
  const failed = fillDirectory(dir, node, node.isRecordLost === true ? undefined : record.value, made);
  if (failed === undefined) return ok(undefined);
  for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
  return err(failed);
}

function fillDirectory(
  dir: string,
  { genesis, key, settings }: NewNode,
  record: Uint8Array | undefined,
  made: string[],
): DirectoryError | undefined {
  let file = dir;
  try {
    const firstMade = mkdirSync(dir, { recursive: true, mode: 0o755 });
    if (firstMade !== undefined) made.push(firstMade);
    file = join(dir, NODE_FILES.genesis);
    writeNew(file, `${JSON.stringify(genesis.value, null, 2)}\n`, 0o644, made);
    file = join(dir, NODE_FILES.config);
    writeNew(file, configTemplate(settings), 0o600, made); // it may hold the token
    file = join(dir, NODE_FILES.key);
    const written = writeNodeKey(file, key);
    if (!written.ok) return { code: "KEY", messages: [written.error.message] };
    made.push(file);
    createChainDatabase(dir, { chainId: genesis.chainId, ...(record !== undefined && { record }) });
    return undefined;
  } catch (error) {
    const message = error instanceof StorageError ? error.message : whyNotWritten(file, error);
    return { code: "DIRECTORY_UNWRITABLE", messages: [message] };
  }
}

/** Whether a directory can be made here: nothing is in the way. */
export function checkFree(dir: string): Result<undefined, DirectoryError> {
  try {
    if (readdirSync(dir).length === 0) return ok(undefined);
    const isNode = existsSync(join(dir, "chain.db"));
    const message = isNode ? "holds a node already" : "is not empty";
    const remedy = isNode ? "choose another directory" : "empty it, or choose another directory";
    return err({ code: "DIRECTORY_NOT_EMPTY", messages: [`${dir} ${message}; ${remedy}`] });
  } catch (error) {
    switch (systemCode(error)) {
      case "ENOENT":
        return ok(undefined);
      case "ENOTDIR":
        return err({ code: "DIRECTORY_NOT_EMPTY", messages: [`${dir} is a file; choose another directory`] });
      default:
        return err({ code: "DIRECTORY_UNWRITABLE", messages: [whyNotWritten(dir, error)] });
    }
  }
}

/** The first vote record of a chain: nothing promised, block 0 held. */
export function initialRecord(file: GenesisFile): Result<Uint8Array, DirectoryError> {
  const application = applicationByName(file.application.name);
  if (application === undefined) {
    const known = APPLICATION_NAMES.join(", ");
    const message = `application.name: there is no application ${JSON.stringify(file.application.name)}, known: ${known}`;
    return err({ code: "APPLICATION_UNKNOWN", messages: [message] });
  }
  try {
    const genesis = toGenesis(file);
    return ok(engineKit(genesis, makeGenesisBlock(genesis, application).block.id).initialRecord());
  } catch (error) {
    return err({ code: "INITIAL_STATE_INVALID", messages: [messageOf(error)] }); // the application names the member
  }
}

export interface NodeDirectory {
  readonly dir: string;
  readonly loaded: LoadedConfig;
  /** Settings as they hold: what the genesis limits, is not above it. */
  readonly config: Config;
  readonly genesis: GenesisFile;
  readonly key: NodeKey;
}

/** Reads what `start` needs, first error first. */
export function readNodeDirectory(dir: string, sources: ConfigSources): Result<NodeDirectory, DirectoryError> {
  if (!existsSync(dir)) {
    return err({ code: "DIRECTORY_MISSING", messages: [`${dir} does not exist; make it with: cairn init ${dir}`] });
  }
  const loaded = loadConfig(dir, sources);
  if (!loaded.ok) {
    const code = loaded.error.code === "CONFIG_UNREADABLE" ? "DIRECTORY_MISSING" : "CONFIG";
    return err({ code, messages: loaded.error.problems });
  }
  const genesis = readGenesisFile(join(dir, NODE_FILES.genesis));
  if (!genesis.ok) return err({ code: "GENESIS", messages: [genesis.error.message] });
  const key = readNodeKey(join(dir, NODE_FILES.key));
  if (!key.ok) return err({ code: "KEY", messages: [key.error.message] });
  const config = withinGenesis(loaded.value.config, genesis.value);
  return ok({ dir, loaded: loaded.value, config, genesis: genesis.value, key: key.value });
}

/** A block of one's own, and a transaction taken here, is never larger than the chain allows. */
export function withinGenesis(config: Config, { limits }: GenesisFile): Config {
  const { consensus } = config;
  return {
    ...config,
    transactionBytes: Math.min(config.transactionBytes, limits.transactionBytes),
    consensus: {
      ...consensus,
      blockBytes: Math.min(consensus.blockBytes, limits.blockBytes),
      blockTransactions: Math.min(consensus.blockTransactions, limits.blockTransactions),
    },
  };
}

/** @param made gets the file as soon as it is there, whole or not */
function writeNew(file: string, text: string, mode: number, made: string[]): void {
  const descriptor = openSync(file, "wx", mode);
  made.push(file);
  writeAndClose(descriptor, text);
}
