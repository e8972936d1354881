/**
 * `cairn start DIR`: the node first, then HTTP, then one line on standard output. SIGTERM and SIGINT end it the other
 * way round.
 */
import { LinkError } from "../../../net/link/error.ts";
import { readNodeDirectory, type NodeDirectory } from "../directory.ts";
import { type HttpServer, startHttp } from "../http/server.ts";
import { type Logger, makeLogger } from "../logging.ts";
import type { RunningNode } from "../startTypes.ts";
import { messageOf, systemCode } from "../systemError.ts";
import { CliError, directoryFailure, EXIT, type ExitStatus } from "./error.ts";
import type { SettingOptions } from "./settingFlags.ts";
import { settingSources } from "./settingSources.ts";
import { startSyncBar } from "./syncBar.ts";
import { print } from "./terminal.ts";

export interface StartFlags extends SettingOptions {
  /** Stop when the process that started this one is gone. */
  readonly withParent?: boolean;
}

/** A stop that takes longer than this is not one: the process ends anyway and says so. */
const STOP_LIMIT_MS = 15_000;
/** One Ctrl-C arrives twice where a parent passes on what the terminal sent to both. */
const SAME_SIGNAL_MS = 1_000;

export async function startCommand(dir: string, flags: StartFlags): Promise<ExitStatus> {
  const ending = awaitEnding(flags.withParent === true);
  const read = readNodeDirectory(dir, settingSources(flags));
  if (!read.ok) throw directoryFailure(read.error);
  const directory = read.value;
  const log = makeLogger(directory.config.log);
  for (const warning of directory.loaded.warnings) log.write("warn", "config", warning);
  const fatal = Promise.withResolvers<Error>();
  const node = await start(directory, log, fatal.resolve);
  const http = await serve(node, directory, log);
  print(`listening ${http.url}`);
  const bar = startSyncBar(() => node.api.status());
  const end = await Promise.race([ending, fatal.promise]);
  bar.stop();
  if (end instanceof Error) log.write("error", "node", "stopping: the node cannot go on", { error: end });
  else log.write("info", "node", "stopping", { signal: end });
  await stopWithin(STOP_LIMIT_MS, http, node, log);
  if (end instanceof Error) throw new CliError(EXIT.no, `${dir}: the node stopped: ${end.message}`);
  log.write("info", "node", "stopped");
  return EXIT.ok;
}

async function start(directory: NodeDirectory, log: Logger, onFatal: (error: Error) => void): Promise<RunningNode> {
  const { dir, config, genesis, key } = directory;
  const { startNode } = await import("../node.ts");
  try {
    return await startNode({ dir, config, genesis, key, log, onFatal });
  } catch (error) {
    if (error instanceof LinkError && error.code === "LISTEN_FAILED") {
      const where = `p2p.listen ${config.p2p.listen}`;
      throw new CliError(EXIT.unreachable, whyNotListening(where, "--listen", error.systemCode, error.message));
    }
    if (isExpected(error)) throw new CliError(EXIT.unreachable, error.message);
    throw error;
  }
}

/** Errors with a stable code (storage, link, restore) say what to do; anything else is a bug and shows its stack. */
function isExpected(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

async function serve(node: RunningNode, { config }: NodeDirectory, log: Logger): Promise<HttpServer> {
  try {
    return await startHttp(node.api, { ...config.http, transactionBytes: config.transactionBytes, log });
  } catch (error) {
    await node.stop();
    const where = `http.listen ${config.http.host}:${config.http.port}`;
    throw new CliError(
      EXIT.unreachable,
      whyNotListening(where, "--http", systemCode(error), `cannot listen: ${messageOf(error)}`),
    );
  }
}

/** @param said what to say of another error */
function whyNotListening(where: string, flag: string, code: string | undefined, said: string): string {
  if (code === "EADDRINUSE") {
    return `${where}: the port is in use by another program; stop that one, or choose another port with ${flag} or in config.toml`;
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `${where}: this machine has no such address; choose another with ${flag} or in config.toml`;
  }
  if (code === "EACCES") return `${where}: permission denied; choose a port above 1023`;
  return `${where}: ${said}`;
}

/** Resolves at the first signal. Another one later than a moment ends the process at once. */
function awaitEnding(withParent: boolean): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let firstAt: number | undefined;
  const end = (why: string): void => {
    if (firstAt !== undefined && Date.now() - firstAt > SAME_SIGNAL_MS) process.exit(EXIT.no);
    firstAt ??= Date.now();
    resolve(why);
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  if (withParent) {
    process.on("disconnect", () => end("parent gone"));
    process.channel?.unref();
  }
  return promise;
}

async function stopWithin(limitMs: number, http: HttpServer, node: RunningNode, log: Logger): Promise<void> {
  const timer = setTimeout(() => {
    log.write("error", "node", "the stop takes too long: the process ends now", { afterMs: limitMs });
    process.exit(EXIT.no);
  }, limitMs);
  // With HTTP open: who waits for a transaction is told its end.
  await node.handOver();
  await http.close();
  await node.stop();
  clearTimeout(timer);
}
