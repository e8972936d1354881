/** `cairn tx submit`, `cairn tx show`. */
import { readFileSync } from "node:fs";
import { fromUtf8 } from "../../base/bytes.ts";
import { whyNotRead } from "../systemError.ts";
import { type Answer, ask, type ClientFlags, errorOf, get, refusal } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { wholeNumber } from "./numbers.ts";
import { colour, print, printJson } from "./terminal.ts";

export interface SubmitFlags extends ClientFlags {
  readonly wait: "accepted" | "included" | "irreversible";
  readonly timeout: string;
}

/** What became of one transaction: the body of an answer, or a line of a batch's. */
export interface SubmitAnswer {
  readonly id?: string;
  readonly status: string;
  readonly height?: number;
  readonly index?: number;
  readonly receipt?: { readonly ok: boolean; readonly version: number } | string;
  readonly error?: { readonly code: string; readonly message: string };
}

const WAIT_MAX_MS = 300_000;
/** Lines of one batch: some hundred kilobytes, some milliseconds of the node's time. */
const BATCH_LINES = 5_000;
const BATCH_BYTES = 8 * 1024 * 1024;

/** Submits one transaction of JSON. Throws CliError 1 when the node refuses it. */
export async function submitJson(operations: unknown, flags: SubmitFlags): Promise<SubmitAnswer> {
  const body = JSON.stringify(operations);
  return get<SubmitAnswer>(flags, `/v1/transactions${waitQuery(flags)}`, {
    method: "POST",
    body,
    waitMs: timeoutOf(flags),
  });
}

function timeoutOf(flags: SubmitFlags): number {
  return wholeNumber("--timeout", flags.timeout, 0, WAIT_MAX_MS);
}

function waitQuery(flags: SubmitFlags): string {
  return `?wait=${flags.wait}&timeout=${timeoutOf(flags)}`;
}

/** True when the transaction is where it should be and its application did what it asked. */
export function succeeded({ status, receipt }: SubmitAnswer): boolean {
  const isIn = status === "accepted" || status === "included" || status === "irreversible";
  return isIn && !(typeof receipt === "object" && !receipt.ok);
}

export function answerText({ id, status, height, index, receipt, error }: SubmitAnswer): string {
  const place = height === undefined ? "" : ` at height ${height}, index ${index}`;
  const failed = typeof receipt === "object" && !receipt.ok ? `; not done: ${JSON.stringify(receipt)}` : "";
  const why = error === undefined ? "" : `: ${error.message} (${error.code})`;
  return `${id ?? "-"}  ${status}${place}${failed}${why}`;
}

export async function txSubmitCommand(file: string, flags: SubmitFlags): Promise<ExitStatus> {
  const bytes = readInput(file);
  const text = fromUtf8(bytes);
  const isText = text !== undefined && /^\s*[[{]/.test(text);
  if (!isText) return show([await submitOne(bytes, "application/octet-stream", flags)], flags);
  if (isOneValue(text)) return show([await submitOne(text, "application/json", flags)], flags);
  return show(await submitLines(text, flags), flags);
}

function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    throw new CliError(EXIT.unreachable, whyNotRead(file === "-" ? "standard input" : file, error));
  }
}

function isOneValue(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // lines, or wrong: the node says which line
  }
}

async function submitOne(body: string | Uint8Array, contentType: string, flags: SubmitFlags): Promise<SubmitAnswer> {
  const path = `/v1/transactions${waitQuery(flags)}`;
  return get<SubmitAnswer>(flags, path, { method: "POST", body, contentType, waitMs: timeoutOf(flags) });
}

async function submitLines(text: string, flags: SubmitFlags): Promise<SubmitAnswer[]> {
  const answers: SubmitAnswer[] = [];
  for (const batch of batches(text.split("\n").filter((line) => line.trim() !== ""))) {
    const answer = await ask(flags, `/v1/transactions/batch${waitQuery(flags)}`, {
      method: "POST",
      body: batch.join("\n"),
      contentType: "application/x-ndjson",
      waitMs: timeoutOf(flags),
    });
    answers.push(...readLines(answer));
  }
  return answers;
}

function* batches(lines: readonly string[]): Generator<string[], void, undefined> {
  let batch: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    const lineBytes = Buffer.byteLength(line) + 1;
    if (batch.length === BATCH_LINES || (batch.length > 0 && bytes + lineBytes > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(line);
    bytes += lineBytes;
  }
  if (batch.length > 0) yield batch;
}

/** Lines of a batch's answer; a single line was read as the JSON that it is. */
function readLines(answer: Answer): SubmitAnswer[] {
  if (answer.status !== 200) throw refusal(answer);
  if (typeof answer.body !== "string") return [answer.body as SubmitAnswer];
  return answer.body.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as SubmitAnswer]));
}

function show(answers: readonly SubmitAnswer[], flags: SubmitFlags): ExitStatus {
  for (const answer of answers) {
    if (flags.json) print(JSON.stringify(answer));
    else print(succeeded(answer) ? answerText(answer) : colour("red", answerText(answer)));
  }
  return answers.every(succeeded) ? EXIT.ok : EXIT.no;
}

export async function txShowCommand(id: string, flags: ClientFlags): Promise<ExitStatus> {
  if (!/^[0-9a-f]{64}$/.test(id))
    throw new CliError(EXIT.usage, `${id}: a transaction's id is 64 lower-case hex digits`);
  const answer = await ask(flags, `/v1/transactions/${id}`);
  if (answer.status === 404 && errorOf(answer.body)?.code === "TRANSACTION_NOT_FOUND") {
    if (flags.json) printJson(answer.body);
    throw new CliError(EXIT.no, errorOf(answer.body)?.message ?? "not found");
  }
  if (answer.status !== 200) throw refusal(answer);
  if (flags.json) printJson(answer.body);
  else print(transactionText(answer.body as ShownTransaction));
  return EXIT.ok;
}

interface ShownTransaction extends SubmitAnswer {
  readonly blockId?: string;
  readonly transaction?: { readonly expiresAt?: number; readonly operations?: unknown; readonly payload?: string };
}

function transactionText(shown: ShownTransaction): string {
  const lines = [answerText(shown)];
  if (shown.blockId !== undefined) lines.push(`block    ${shown.blockId}`);
  if (shown.receipt !== undefined) lines.push(`receipt  ${JSON.stringify(shown.receipt)}`);
  const { operations, payload } = shown.transaction ?? {};
  if (operations !== undefined) lines.push(`does     ${JSON.stringify(operations)}`);
  else if (payload !== undefined) lines.push(`payload  ${payload}`);
  return lines.join("\n");
}
