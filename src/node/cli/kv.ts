/** `cairn kv put|get|delete`. */
import { ask, type ClientFlags, errorOf, refusal } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { wholeNumber } from "./numbers.ts";
import { printJson, print } from "./terminal.ts";
import { answerText, type SubmitAnswer, submitJson, type SubmitFlags, succeeded } from "./tx.ts";

export interface KvFlags extends SubmitFlags {
  readonly at?: string;
  readonly ifVersion?: string;
}

export async function kvPutCommand(key: string, value: string, flags: KvFlags): Promise<ExitStatus> {
  if (flags.ifVersion === undefined) return submit({ put: { key, value } }, flags);
  const expectedVersion = wholeNumber("--if-version", flags.ifVersion, 0, Number.MAX_SAFE_INTEGER);
  return submit({ compareAndSet: { key, expectedVersion, value } }, flags);
}

export async function kvDeleteCommand(key: string, flags: KvFlags): Promise<ExitStatus> {
  return submit({ delete: { key } }, flags);
}

async function submit(operation: unknown, flags: KvFlags): Promise<ExitStatus> {
  const answer: SubmitAnswer = await submitJson(operation, flags);
  if (flags.json) printJson(answer);
  else print(answerText(answer));
  return succeeded(answer) ? EXIT.ok : EXIT.no;
}

/** The value as it is, and a line's end on a terminal or behind text. */
export async function kvGetCommand(key: string, flags: ClientFlags & { readonly at?: string }): Promise<ExitStatus> {
  const { at = "irreversible" } = flags;
  if (at !== "irreversible" && at !== "head")
    throw new CliError(EXIT.usage, `--at ${at}: must be irreversible or head`);
  // Not percent-encoded: a key such as ".." would be taken for a step up in the path.
  const encoded = Buffer.from(key).toString("base64url");
  const answer = await ask(flags, `/v1/kv/${encoded}?at=${at}&encoding=base64url`);
  if (flags.json && (answer.status === 200 || answer.status === 404)) printJson(answer.body);
  if (answer.status === 404 && errorOf(answer.body)?.code === "KEY_NOT_FOUND") {
    throw new CliError(EXIT.no, `there is no key ${JSON.stringify(key)}`);
  }
  if (answer.status !== 200) throw refusal(answer);
  const { value, text } = answer.body as { readonly value: string; readonly text?: string };
  if (!flags.json) process.stdout.write(text === undefined ? Buffer.from(value, "base64url") : `${text}\n`);
  return EXIT.ok;
}
