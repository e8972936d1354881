/** `cairn kv put|get|delete|watch`. */
import { toBase64Url } from "../../base/base64url.ts";
import type { KvChange, TransactionInput } from "../../client/index.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { wholeNumber } from "./numbers.ts";
import { answerText, exitOf, type SubmitFlags, Submitter } from "./submit.ts";
import { print, printable, printJson } from "./terminal.ts";

export interface KvFlags extends SubmitFlags {
  readonly at?: string;
  readonly ifVersion?: string;
  readonly from?: string;
}

export interface KvGetFlags extends ClientFlags {
  readonly at?: string;
  readonly linearizable?: boolean;
}

export async function kvPutCommand(key: string, value: string, flags: KvFlags): Promise<ExitStatus> {
  if (flags.ifVersion === undefined) return submit({ put: { key, value } }, flags);
  const expectedVersion = wholeNumber("--if-version", flags.ifVersion, 0, Number.MAX_SAFE_INTEGER);
  return submit({ compareAndSet: { key, expectedVersion, value } }, flags);
}

export async function kvDeleteCommand(key: string, flags: KvFlags): Promise<ExitStatus> {
  return submit({ delete: { key } }, flags);
}

async function submit(operation: TransactionInput, flags: KvFlags): Promise<ExitStatus> {
  const answer = await (await Submitter.open(flags)).one(operation);
  if (flags.json) printJson(answer);
  else print(answerText(answer));
  return exitOf([answer]);
}

/** The value as it is, and a line's end on a terminal or behind text. */
export async function kvGetCommand(key: string, flags: KvGetFlags): Promise<ExitStatus> {
  const { at = "irreversible", linearizable = false } = flags;
  if (at !== "irreversible" && at !== "head")
    throw new CliError(EXIT.usage, `--at ${at}: must be irreversible or head`);
  if (linearizable && at === "head") throw new CliError(EXIT.usage, "--linearizable goes with --at irreversible");
  const found = await answerOf(clientOf(flags).kvGet(key, { at, linearizable }));
  if (found === undefined) {
    const message = `there is no key ${JSON.stringify(key)}`;
    if (flags.json) printJson({ error: { code: "KEY_NOT_FOUND", message } });
    throw new CliError(EXIT.no, message);
  }
  const { value, text } = found;
  if (flags.json) printJson({ ...found, value: toBase64Url(value) });
  else process.stdout.write(text === undefined ? value : `${text}\n`);
  return EXIT.ok;
}

/** Changes as they become irreversible, until Ctrl-C. */
export async function kvWatchCommand(prefix: string, flags: KvFlags): Promise<ExitStatus> {
  const from = flags.from === undefined ? {} : { from: wholeNumber("--from", flags.from, 0, Number.MAX_SAFE_INTEGER) };
  const client = clientOf(flags);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  await answerOf(client.status()); // no node at all is told at once
  const watching = client.watch(prefix, { ...from, signal: stop.signal });
  try {
    await answerOf(printChanges(watching, flags));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return EXIT.ok;
}

async function printChanges(changes: AsyncIterable<KvChange>, { json }: KvFlags): Promise<void> {
  for await (const change of changes) {
    const isTaken = process.stdout.write(`${json ? changeJson(change) : changeText(change)}\n`);
    if (!isTaken) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
}

/** One line. */
function changeJson({ kind, key, value, height, index, transactionId }: KvChange): string {
  const fields = kind === "put" ? { put: { key, value } } : { delete: { key } };
  return JSON.stringify({ height, index, id: transactionId, ...fields });
}

function changeText({ kind, key, value, height }: KvChange): string {
  const text = (bytes: KvChange["key"]): string => (typeof bytes === "string" ? printable(bytes) : bytes.base64url);
  return `${height}  ${kind.padEnd(6)}  ${text(key)}${value === undefined ? "" : `  ${text(value)}`}`;
}
