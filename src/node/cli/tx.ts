/** `cairn tx submit`, `cairn tx show`. */
import type { TransactionInput, TransactionState } from "../../client/index.ts";
import { fromUtf8 } from "../../base/bytes.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { nameOfInput, readInput } from "./input.ts";
import { answerText, exitOf, type SubmitAnswer, type SubmitFlags, Submitter, succeeded } from "./submit.ts";
import { colour, print, printJson } from "./terminal.ts";

export type { SubmitAnswer, SubmitFlags } from "./submit.ts";

/** Lines whose outcomes are printed together. */
const LINES_AT_ONCE = 5_000;

export async function txSubmitCommand(file: string, flags: SubmitFlags): Promise<ExitStatus> {
  const bytes = await readInput(file);
  const name = nameOfInput(file);
  const text = fromUtf8(bytes);
  if (text?.trim() === "") throw new CliError(EXIT.no, `${name} is empty: there is no transaction in it`);
  const isText = text !== undefined && /^\s*[[{]/.test(text);
  const submitter = await Submitter.open(flags);
  if (!isText) return show([await submitter.one(bytes, name)], flags);
  const value = oneValue(text);
  if (value !== undefined) return show([await submitter.one(value, name)], flags);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  let status: ExitStatus = EXIT.ok;
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    const shown = show(await submitter.lines(lines.slice(at, at + LINES_AT_ONCE)), flags);
    if (status !== EXIT.no && shown !== EXIT.ok) status = shown;
  }
  return status;
}

function oneValue(text: string): TransactionInput | undefined {
  try {
    return JSON.parse(text) as TransactionInput;
  } catch {
    return undefined; // lines, or wrong: then it is told which line
  }
}

function show(answers: readonly SubmitAnswer[], flags: SubmitFlags): ExitStatus {
  for (const answer of answers) {
    if (flags.json) print(JSON.stringify(answer));
    else print(succeeded(answer) ? answerText(answer) : colour("red", answerText(answer)));
  }
  return exitOf(answers);
}

export async function txShowCommand(
  id: string,
  flags: ClientFlags & { readonly proof?: boolean },
): Promise<ExitStatus> {
  if (!/^[0-9a-f]{64}$/.test(id))
    throw new CliError(EXIT.usage, `${id}: a transaction's id is 64 lower-case hex digits`);
  if (flags.proof === true) return (await import("./txProof.ts")).txProofCommand(id, flags);
  const state = await answerOf(clientOf(flags).transaction(id));
  if (state.status === "unknown") {
    const message = `no node that was asked knows transaction ${id}`;
    const { absentThrough } = state;
    const details = absentThrough === undefined ? {} : { details: { absentThrough } };
    if (flags.json) printJson({ error: { code: "TRANSACTION_NOT_FOUND", message, ...details } });
    throw new CliError(EXIT.no, message);
  }
  if (flags.json) printJson(state);
  else print(transactionText(state));
  return EXIT.ok;
}

function transactionText(state: Exclude<TransactionState, { readonly status: "unknown" }>): string {
  const lines = [answerText(state)];
  if (state.status === "pending") return lines.join("\n");
  lines.push(`block    ${state.blockId}`);
  if (state.receipt !== undefined) lines.push(`receipt  ${JSON.stringify(state.receipt)}`);
  const { operations, payload } = state.transaction;
  if (operations !== undefined) lines.push(`does     ${JSON.stringify(operations)}`);
  else if (payload !== undefined) lines.push(`payload  ${payload}`);
  return lines.join("\n");
}
