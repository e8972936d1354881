/**
 * `cairn audit URL...`: several nodes, one history, or evidence that there are two. `cairn audit verify FILE --genesis FILE`:
 * does that prove it, or that a producer lied?
 */
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { EVIDENCE_WORDS } from "../../../consensus/bft/evidence.ts";
import { CairnClient, ClientError } from "../../client/index.ts";
import {
  checkEvidence,
  checkProducerEvidence,
  LightClient,
  LightError,
  type NodeReport,
  type SyncReport,
  PRODUCER_EVIDENCE_FORMAT,
  trustedGenesis,
} from "../../client/light/index.ts";
import { GENESIS_MAX_BYTES } from "../genesisFile.ts";
import { AuditLog } from "./auditLog.ts";
import { answerOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { readJson } from "./input.ts";
import { wholeNumber } from "./numbers.ts";
import { colour, print, printError, printJson, shortId, timeText } from "./terminal.ts";

export interface AuditFlags {
  readonly genesis?: string;
  /** What an earlier audit has kept: `head.json` of its directory. */
  readonly from?: string;
  readonly dir: string;
  readonly interval: string;
  readonly once?: boolean;
  readonly json?: boolean;
}

/** What a node does that needs somebody's eyes. */
const WRONG: ReadonlySet<NodeReport["verdict"]> = new Set(["lying", "wentBack", "forked"]);

export async function auditCommand(urls: readonly string[], flags: AuditFlags): Promise<ExitStatus> {
  const intervalMs = wholeNumber("--interval", flags.interval, 1, 3_600_000);
  const client = clientOf(urls[0] as string);
  for (const url of urls) clientOf(url);
  const genesis = await genesisOf(client, urls[0] as string, flags);
  const log = new AuditLog(flags.dir);
  const [light, older] = await start(genesis, urls, flags, log);
  if (!flags.json)
    print(
      `audits chain ${light.genesis.chainId} on ${urls.length} nodes, trusting that ${light.trust}; keeps its log in ${flags.dir}`,
    );
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  if (older !== undefined) {
    const round = await lookOnce(older);
    if (round.kind === "forked") return alarm(round.error, log, flags);
  }
  let seen = "";
  let unkept: string | undefined;
  for (;;) {
    const round = await lookOnce(light, log);
    if (round.kind === "forked") return alarm(round.error, log, flags);
    const shown = round.kind === "report" ? wordsOf(round.report) : nothingIn(round);
    if (flags.json) printJson(round);
    else if (shown !== seen) print(shown);
    seen = shown;
    if (log.unkept !== unkept)
      printError(log.unkept === undefined ? "what is seen is kept again" : `not kept: ${log.unkept}`);
    unkept = log.unkept;
    if (flags.once) {
      const status = statusOf(round);
      return status === EXIT.ok && unkept !== undefined ? EXIT.unreachable : status;
    }
    await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    if (stop.signal.aborted) return EXIT.ok;
  }
}

type Round =
  | { readonly kind: "report"; readonly report: SyncReport }
  | {
      readonly kind: "nothing";
      readonly why: string;
      readonly nodes: LightError["details"]["nodes"];
      readonly reports: readonly NodeReport[];
    }
  | { readonly kind: "forked"; readonly error: LightError };

/** A node that is down is no finding; that all are is none either, but then nothing was seen. */
function statusOf(round: Exclude<Round, { readonly kind: "forked" }>): ExitStatus {
  const { nodes } = round.kind === "report" ? round.report : { nodes: round.reports };
  if (nodes.some(({ verdict }) => WRONG.has(verdict))) return EXIT.no;
  if (round.kind === "report") return EXIT.ok;
  return nodes.every(({ verdict }) => verdict === "unreachable") ? EXIT.unreachable : EXIT.no;
}

async function lookOnce(light: LightClient, log?: AuditLog): Promise<Round> {
  try {
    const report = await light.sync();
    log?.keep(report.head, light.state);
    return { kind: "report", report };
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    if (error.code === "FORKED") return { kind: "forked", error };
    const { nodes, reports = [] } = error.details;
    return { kind: "nothing", why: error.message, nodes, reports };
  }
}

function alarm({ message, details }: LightError, log: AuditLog, flags: AuditFlags): ExitStatus {
  const { evidence, nodes } = details;
  const file = log.evidence(evidence);
  // Evidence that cannot be written is too precious to be lost for that.
  if (flags.json) printJson({ kind: "forked", message, evidence: file ?? evidence, nodes });
  else {
    printError(`${colour("red", "ALARM")}: ${message}`);
    if (file === undefined) printJson(evidence);
    const where = file ?? `above, keep it: ${log.unkept}`;
    printError(`evidence: ${where}; anybody checks it: cairn audit verify ${file ?? "FILE"} --genesis genesis.json`);
  }
  return EXIT.no;
}

export async function auditVerifyCommand(
  file: string,
  flags: Pick<AuditFlags, "genesis" | "json">,
): Promise<ExitStatus> {
  if (flags.genesis === undefined)
    throw new CliError(EXIT.usage, "--genesis FILE is missing: evidence is judged by it");
  const value = readJson(file);
  const genesis = trusted(readJson(flags.genesis, GENESIS_MAX_BYTES), flags.genesis);
  const pieces = producerPieces(value);
  if (pieces?.length === 0) return noEvidence("the list of evidence is empty: no producer is accused", flags);
  if (pieces !== undefined) return verifyPieces(pieces, genesis, flags);
  const verdict = await checkEvidence(value, genesis);
  if (!verdict.ok) return noEvidence(verdict.why, flags);
  const { height, first, second } = verdict;
  const signers = (of: typeof first): string[] => of.claims.map(({ key }) => key);
  const both = signers(first).filter((key) => signers(second).includes(key));
  const content = { ok: true, height, blocks: [first.id, second.id], signedBoth: [...new Set(both)] };
  if (flags.json) printJson(content);
  else {
    print(`${colour("red", "two histories")}: height ${height} is both ${first.id} and ${second.id}, each certified`);
    print(
      `signed in both certificates: ${content.signedBoth.map(shortId).join(", ") || "nobody: other producers of the set"}`,
    );
  }
  return EXIT.ok;
}

/** One piece of evidence against a producer, or the list that `GET /v1/evidence` and `cairn inspect` give; undefined: neither. */
function producerPieces(value: unknown): readonly unknown[] | undefined {
  const { format, evidence } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (format === PRODUCER_EVIDENCE_FORMAT) return [value];
  return format === undefined && Array.isArray(evidence) ? evidence : undefined;
}

async function verifyPieces(
  pieces: readonly unknown[],
  genesis: ReturnType<typeof trustedGenesis>,
  flags: Pick<AuditFlags, "json">,
): Promise<ExitStatus> {
  const proven = [];
  for (const piece of pieces) {
    const verdict = await checkProducerEvidence(piece, genesis);
    if (!verdict.ok) return noEvidence(verdict.why, flags);
    const { kind, producer, view, height } = verdict.evidence;
    proven.push({ kind, producer, view, height });
  }
  if (flags.json) printJson({ ok: true, proven });
  else
    for (const { kind, producer, view, height } of proven)
      print(
        `${colour("red", "a producer lied")}: ${producer} signed ${EVIDENCE_WORDS[kind]}, view ${view}, height ${height}`,
      );
  return EXIT.ok;
}

function noEvidence(why: string, flags: Pick<AuditFlags, "json">): ExitStatus {
  if (flags.json) printJson({ ok: false, why });
  else print(`${colour("red", "no evidence")}: ${why}`);
  return EXIT.no;
}

/** Throws CliError 2 for what is no URL. */
function clientOf(url: string): CairnClient {
  try {
    return new CairnClient(url);
  } catch (error) {
    throw error instanceof ClientError ? new CliError(EXIT.usage, error.message) : error;
  }
}

/** Of the file, or what the first node serves. Throws CliError 3 for what is none. */
async function genesisOf(client: CairnClient, url: string, { genesis, json }: AuditFlags): Promise<unknown> {
  const value = genesis === undefined ? await answerOf(client.genesis()) : readJson(genesis, GENESIS_MAX_BYTES);
  trusted(value, genesis ?? url);
  if (genesis === undefined && json !== true)
    print(`takes the genesis that ${url} serves: compare the chain id below, or give --genesis FILE`);
  return value;
}

/** From the newest of what was kept; the other is looked at once, lest two that are kept be of two histories. */
async function start(
  genesis: unknown,
  urls: readonly string[],
  { from }: AuditFlags,
  log: AuditLog,
): Promise<readonly [LightClient, LightClient | undefined]> {
  const isKept = statSync(log.headFile, { throwIfNoEntry: false }) !== undefined;
  const kept = await opened(genesis, urls, isKept ? log.headFile : undefined);
  log.goOn(kept.head);
  if (from === undefined) return [kept, undefined];
  const given = await opened(genesis, urls, from);
  if (!isKept) return [given, undefined];
  return heightOf(given) > heightOf(kept) ? [given, kept] : [kept, given];
}

const heightOf = ({ head }: LightClient): number => head?.height ?? 0;

/** @param file with what an earlier audit has kept */
async function opened(genesis: unknown, urls: readonly string[], file?: string): Promise<LightClient> {
  const state = file === undefined ? {} : { state: readJson(file) };
  try {
    return await LightClient.open(genesis, urls, state);
  } catch (error) {
    if (error instanceof LightError)
      throw new CliError(EXIT.no, error.code === "STATE_INVALID" ? `${file}: ${error.message}` : error.message);
    throw error;
  }
}

/** @param file where it is from, for the error */
export function trusted(value: unknown, file: string): ReturnType<typeof trustedGenesis> {
  try {
    return trustedGenesis(value);
  } catch (error) {
    throw error instanceof LightError ? new CliError(EXIT.unreachable, `${file}: ${error.message}`) : error;
  }
}

function nothingIn({ why, nodes = {} }: Extract<Round, { readonly kind: "nothing" }>): string {
  const each = Object.entries(nodes).map(([url, reason]) => `${url} ${reason}`);
  return `${colour("red", "nothing proven")}: ${why}: ${each.join("; ")}`;
}

function wordsOf({ head, nodes }: SyncReport): string {
  const text = ({ url, verdict, height, why }: NodeReport): string => {
    const at = height === undefined ? "" : ` at ${height}`;
    const shown = WRONG.has(verdict) ? colour("red", verdict) : verdict;
    return `${url} ${shown}${at}${why === undefined || verdict === "behind" ? "" : ` (${why})`}`;
  };
  return `${head.height}  ${shortId(head.id)}  ${timeText(head.time)}  ${nodes.map(text).join("; ")}`;
}
