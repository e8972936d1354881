/** `cairn inspect WHERE verify`: how far it is, what was checked, and the first thing wrong. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Application } from "../../../chain/application.ts";
import type { ReadBlock } from "../../../tools/inspect/blockOfJson.ts";
import { faultText } from "../../../tools/inspect/fault.ts";
import type { OnProgress, Progress, Report } from "../../../tools/inspect/verification.ts";
import { verifyBlocks } from "../../../tools/inspect/verifyBlocks.ts";
import { verifyDirectory } from "../../../tools/inspect/verifyDirectory.ts";
import { applicationByName } from "../applicationByName.ts";
import { NODE_FILES } from "../directory.ts";
import { type GenesisFile, parseGenesis, readGenesisFile } from "../genesisFile.ts";
import { StorageError } from "../storage/types.ts";
import { whyNotWritten } from "../systemError.ts";
import { answerOf, clientOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { isUrlOf, openSource } from "./inspectSource.ts";
import { colour, fields, print, printable, printJson } from "./terminal.ts";

const PROGRESS_EVERY_MS = 200;

export interface VerifyFlags {
  readonly genesis?: string;
  readonly json?: boolean;
}

export async function inspectVerify(where: string, flags: VerifyFlags): Promise<ExitStatus> {
  const started = performance.now();
  const progress = makeProgress(started);
  const report = await verified(where, flags, progress.tell).catch((error: unknown) => {
    throw scratchFailure(error) ?? error;
  });
  progress.end();
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) printJson({ ...report, seconds: Math.round(seconds * 100) / 100 });
  else print(reportText(report, seconds));
  return report.ok ? EXIT.ok : EXIT.no;
}

/** Of the temporary directory: nothing else is written. */
function scratchFailure(error: unknown): CliError | undefined {
  const isFull = error instanceof StorageError && error.code === "DISK_FULL";
  const isNone = error instanceof Error && "syscall" in error && error.syscall === "mkdtemp";
  if (!isFull && !isNone) return undefined;
  const why = isFull ? `${error.file}: no space left on the disk` : whyNotWritten(tmpdir(), error);
  const what = "the state grows again in a temporary directory, about as large as state.db";
  return new CliError(EXIT.unreachable, `${why}; ${what}: name a place with TMPDIR`);
}

async function verified(where: string, flags: VerifyFlags, onProgress: OnProgress): Promise<Report> {
  const isUrl = isUrlOf(where);
  const genesis = isUrl
    ? await genesisOfUrl(where, flags.genesis)
    : genesisOf(flags.genesis ?? join(where, NODE_FILES.genesis));
  const application = applicationByName(genesis.application.name);
  if (application === undefined) {
    throw new CliError(EXIT.unreachable, `there is no application ${JSON.stringify(genesis.application.name)} here`);
  }
  if (isUrl) return verifyUrl(where, genesis, application, onProgress);
  return verifyDirectory(where, genesis, application, onProgress);
}

/** What a node gives over HTTP up to its irreversible block, re-checked from genesis as far as it goes. */
async function verifyUrl(
  where: string,
  genesis: GenesisFile,
  application: Application,
  onProgress: OnProgress,
): Promise<Report> {
  const source = await openSource(where);
  const { height } = (await source.summary()).irreversible;
  const blocks = async function* (): AsyncGenerator<ReadBlock, void, undefined> {
    for await (const { read } of source.exported(1, height)) yield read();
  };
  return verifyBlocks(blocks(), genesis, application, height, onProgress);
}

/** The genesis that the user trusts must be the node's; without one the node's own is taken. */
async function genesisOfUrl(where: string, file: string | undefined): Promise<GenesisFile> {
  const told = parseGenesis(await answerOf(clientOf({ url: where }).genesis()));
  if (!told.ok) throw new CliError(EXIT.no, `the node's genesis is wrong: ${told.error.message}`);
  if (file === undefined) return told.value;
  const trusted = genesisOf(file);
  if (trusted.chainId === told.value.chainId) return trusted;
  throw new CliError(EXIT.no, `the node is of chain ${told.value.chainId}, ${file} of ${trusted.chainId}`);
}

function genesisOf(file: string): GenesisFile {
  const genesis = readGenesisFile(file);
  if (!genesis.ok) throw new CliError(EXIT.unreachable, genesis.error.message);
  return genesis.value;
}

/** One line on a terminal, written over and over; nothing where no person looks. */
function makeProgress(started: number): { readonly tell: OnProgress; readonly end: () => void } {
  if (!process.stderr.isTTY) return { tell: () => undefined, end: () => undefined };
  let toldAt = started;
  return {
    tell: (progress) => {
      const now = performance.now();
      if (now < toldAt + PROGRESS_EVERY_MS) return;
      toldAt = now;
      process.stderr.write(`\r${progressText(progress, (now - started) / 1000)}\x1b[K`);
    },
    end: () => void process.stderr.write("\r\x1b[K"),
  };
}

function progressText({ blocks, target, transactions }: Progress, seconds: number): string {
  const share = target === 0 ? 1 : Math.min(1, blocks / target);
  const left = share === 0 ? "" : `, ${Math.ceil((seconds / share) * (1 - share))} s left`;
  const rate = Math.round(transactions / Math.max(seconds, 0.001));
  return `verifies block ${blocks} of ${target} (${Math.floor(100 * share)} %), ${rate} transactions/s${left}`;
}

function reportText(report: Report, seconds: number): string {
  const { blocks, transactions, signatures, certificates, certifiedHeight } = report;
  const lines: [string, string][] = [
    ["blocks", `${blocks}, executed again`],
    ["transactions", `${transactions}, ${Math.round(transactions / Math.max(seconds, 0.001))}/s`],
    ["signatures", String(signatures)],
    ["certificates", `${certificates}, up to height ${certifiedHeight}`],
  ];
  const { stateHeight, stateRows, indexHeight, indexEntries, reversible, evidence } = report;
  if (stateHeight !== undefined) lines.push(["state", `${stateRows} rows at height ${stateHeight}`]);
  if (indexHeight !== undefined) lines.push(["index", `${indexEntries} entries up to height ${indexHeight}`]);
  if (reversible !== undefined) lines.push(["reversible", `${reversible} blocks, not executed`]);
  if (evidence !== undefined) lines.push(["evidence", `${evidence} against producers`]);
  lines.push(["time", `${seconds.toFixed(1)} s`]);
  const verdict =
    report.fault === undefined
      ? colour("green", "ok: everything checked is right")
      : colour("red", `wrong: ${faultText(report.fault).split("\n").map(printable).join("\n")}`);
  return `${fields(lines)}\n\n${verdict}`;
}
