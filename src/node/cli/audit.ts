/**
 * `cairn audit URL...`: several nodes, one history, or evidence that there are two. `cairn audit verify FILE --genesis FILE`:
 * does that prove it, or that a producer lied?
 */
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EVIDENCE_WORDS } from "../../../consensus/bft/evidence.ts";
import { CairnClient, ClientError } from "../../client/index.ts";
import {
  checkEvidence,
  checkProducerEvidence,
  LightClient,
  LightError,
  type LightHead,
  type NodeReport,
  type SyncReport,
  PRODUCER_EVIDENCE_FORMAT,
  trustedGenesis,
} from "../../client/light/index.ts";
import { messageOf } from "../systemError.ts";
import { writeWhole } from "../wholeFile.ts";
import { cliErrorOf } from "./client.ts";
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

/** Heads of the log at most, about: then the older half goes. */
const LOG_MAX_BYTES = 4 * 1024 * 1024;
/** What a node does that needs somebody's eyes. */
const WRONG: ReadonlySet<NodeReport["verdict"]> = new Set(["lying", "wentBack", "forked"]);

export async function auditCommand(urls: readonly string[], flags: AuditFlags): Promise<ExitStatus> {
  const intervalMs = wholeNumber("--interval", flags.interval, 1, 3_600_000);
  const log = new AuditLog(flags.dir);
  const genesis = await genesisOf(urls, flags);
  const state = flags.from === undefined ? log.head() : readJson(flags.from);
  const light = await opened(genesis, urls, state);
  if (!flags.json)
    print(
      `audits chain ${light.genesis.chainId} on ${urls.length} nodes, trusting that ${light.trust}; keeps its log in ${flags.dir}`,
    );
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  let seen = "";
  for (;;) {
    const round = await lookOnce(light, log);
    if (round.kind === "forked") return alarm(round.error, log, flags);
    const shown = round.kind === "report" ? wordsOf(round.report) : `${colour("red", "nothing proven")}: ${round.why}`;
    if (flags.json) printJson(round);
    else if (shown !== seen) print(shown);
    seen = shown;
    const isWrong = round.kind === "nothing" || round.report.nodes.some(({ verdict }) => WRONG.has(verdict));
    if (flags.once) return isWrong ? EXIT.no : EXIT.ok;
    await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    if (stop.signal.aborted) return EXIT.ok;
  }
}

type Round =
  | { readonly kind: "report"; readonly report: SyncReport }
  | { readonly kind: "nothing"; readonly why: string; readonly nodes: LightError["details"]["nodes"] }
  | { readonly kind: "forked"; readonly error: LightError };

async function lookOnce(light: LightClient, log: AuditLog): Promise<Round> {
  const before = light.head?.id;
  try {
    const report = await light.sync();
    if (report.head.id !== before) log.keep(report.head, light.state);
    return { kind: "report", report };
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    if (error.code === "FORKED") return { kind: "forked", error };
    return { kind: "nothing", why: error.message, nodes: error.details.nodes };
  }
}

function alarm({ message, details }: LightError, log: AuditLog, flags: AuditFlags): ExitStatus {
  const file = log.evidence(details.evidence);
  if (flags.json) printJson({ kind: "forked", message, evidence: file, nodes: details.nodes });
  else {
    printError(`${colour("red", "ALARM")}: ${message}`);
    printError(`evidence: ${file}; anybody checks it: cairn audit verify ${file} --genesis genesis.json`);
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
  const genesis = trusted(readJson(flags.genesis), flags.genesis);
  const pieces = producerPieces(value);
  if (pieces.length > 0) return verifyPieces(pieces, genesis, flags);
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

/** One piece of evidence against a producer, or the list that `GET /v1/evidence` and `cairn inspect` give. */
function producerPieces(value: unknown): readonly unknown[] {
  const { format, evidence } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (format === PRODUCER_EVIDENCE_FORMAT) return [value];
  return format === undefined && Array.isArray(evidence) ? evidence : [];
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

async function genesisOf(urls: readonly string[], { genesis, json }: AuditFlags): Promise<unknown> {
  if (genesis !== undefined) return readJson(genesis);
  try {
    const value = await new CairnClient(urls[0] as string).get("/v1/genesis");
    if (json !== true)
      print(`takes the genesis that ${urls[0]} serves: compare the chain id below, or give --genesis FILE`);
    return value;
  } catch (error) {
    throw error instanceof ClientError ? cliErrorOf(error) : error;
  }
}

async function opened(genesis: unknown, urls: readonly string[], state: unknown): Promise<LightClient> {
  try {
    return await LightClient.open(genesis, urls, state === undefined ? {} : { state });
  } catch (error) {
    if (error instanceof LightError) throw new CliError(EXIT.no, error.message);
    throw error instanceof ClientError ? new CliError(EXIT.usage, error.message) : error;
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

function wordsOf({ head, nodes }: SyncReport): string {
  const text = ({ url, verdict, height, why }: NodeReport): string => {
    const at = height === undefined ? "" : ` at ${height}`;
    const shown = WRONG.has(verdict) ? colour("red", verdict) : verdict;
    return `${url} ${shown}${at}${why === undefined || verdict === "behind" ? "" : ` (${why})`}`;
  };
  return `${head.height}  ${shortId(head.id)}  ${timeText(head.time)}  ${nodes.map(text).join("; ")}`;
}

/** What an auditor keeps: the proof of the newest head, a log of heads, evidence. */
class AuditLog {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    try {
      mkdirSync(dir, { recursive: true });
    } catch (error) {
      throw new CliError(EXIT.unreachable, `${dir} cannot be made: ${messageOf(error)}`);
    }
  }

  head(): unknown {
    const file = join(this.#dir, "head.json");
    return statSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readJson(file);
  }

  keep({ height, id, time }: LightHead, proof: unknown): void {
    this.#write("head.json", proof);
    const file = join(this.#dir, "heads.jsonl");
    const line = `${JSON.stringify({ height, id, time, seen: Date.now() })}\n`;
    appendFileSync(file, line);
    if (statSync(file).size <= LOG_MAX_BYTES) return;
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, lines.slice(Math.floor(lines.length / 2)).join("\n"));
  }

  /** @returns the file */
  evidence(evidence: LightError["details"]["evidence"]): string {
    return this.#write(`fork-${evidence?.first.height ?? 0}.json`, evidence);
  }

  /** Whole or not at all. */
  #write(name: string, value: unknown): string {
    const file = join(this.#dir, name);
    writeWhole(file, `${JSON.stringify(value, null, 1)}\n`);
    return file;
  }
}
