/** Submitting, for `tx submit` and `kv`: what became of transactions, in words and as an exit status. */
import {
  type CairnClient,
  ClientError,
  type Outcome,
  type PreparedTransaction,
  type Receipt,
  type TransactionInput,
  type Unknown,
} from "../../client/index.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { wholeNumber } from "./numbers.ts";

export interface SubmitFlags extends ClientFlags {
  readonly wait: "accepted" | "included" | "irreversible";
  readonly timeout: string;
}

/** What became of one transaction, as it is printed; in the shape of a line of a batch's answer. */
export interface SubmitAnswer {
  readonly id?: string;
  readonly status: string;
  readonly height?: number;
  readonly index?: number;
  readonly receipt?: Receipt;
  readonly error?: { readonly code: string; readonly message: string };
}

const WAIT_MAX_MS = 300_000;

/** The ways of one command to the chain. */
export class Submitter {
  readonly #client: CairnClient;
  readonly #flags: SubmitFlags;

  private constructor(client: CairnClient, flags: SubmitFlags) {
    this.#client = client;
    this.#flags = flags;
  }

  /** Throws CliError 3 when no node is there: nothing was sent, and waiting for one is not what a person wants. */
  static async open(flags: SubmitFlags): Promise<Submitter> {
    const client = clientOf(flags);
    const submitter = new Submitter(client, flags);
    const { timeoutMs } = submitter.#options(); // wrong flags are told first
    await answerOf(client.status({ timeoutMs }));
    return submitter;
  }

  #options() {
    const timeoutMs = wholeNumber("--timeout", this.#flags.timeout, 0, WAIT_MAX_MS);
    // A moment more than the wait: no wait at all still takes the time of an answer.
    return { wait: this.#flags.wait, timeoutMs: timeoutMs + ANSWER_MS };
  }

  /**
   * @param from what it was read from, for the error
   * Throws CliError 1 when a node refuses it, or it is no transaction.
   */
  async one(input: TransactionInput, from?: string): Promise<SubmitAnswer> {
    const prepared = this.#prepared(input, from);
    const [outcome] = await this.#outcomes([prepared]);
    return outcome as SubmitAnswer;
  }

  #prepared(input: TransactionInput, from: string | undefined): PreparedTransaction {
    try {
      return this.#client.prepare(input);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      throw new CliError(EXIT.no, from === undefined ? error.message : `${from}: ${error.message}`);
    }
  }

  async #outcomes(transactions: readonly PreparedTransaction[]): Promise<SubmitAnswer[]> {
    if (transactions.length !== 1) {
      return (await this.#client.submitMany(transactions, this.#options())).map(answerOfOutcome);
    }
    const [only] = transactions as [PreparedTransaction];
    try {
      return [answerOfOutcome(await this.#client.submit(only, this.#options()))];
    } catch (error) {
      if (error instanceof ClientError && error.code === "OUTCOME_UNKNOWN") return [unknownAnswer(only.id, error)];
      throw await answerOf(Promise.reject(error as Error)).catch((told: unknown) => told);
    }
  }

  /** One answer for each line of JSON, in order; a line that is no transaction is answered in its place. */
  async lines(lines: readonly string[]): Promise<SubmitAnswer[]> {
    const items = lines.map((line) => this.#readLine(line));
    const prepared = items.filter((item): item is PreparedTransaction => "bytes" in item);
    const answers =
      prepared.length === 0 ? [] : (await this.#client.submitMany(prepared, this.#options())).map(answerOfOutcome);
    let next = 0;
    return items.map((item) => ("bytes" in item ? (answers[next++] as SubmitAnswer) : item));
  }

  #readLine(line: string): PreparedTransaction | SubmitAnswer {
    let value: TransactionInput;
    try {
      value = JSON.parse(line) as TransactionInput;
    } catch {
      return { status: "invalid", error: { code: "NOT_JSON", message: "the line is not JSON" } };
    }
    try {
      return this.#client.prepare(value);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { status: "invalid", error: { code: error.details.nodeCode ?? error.code, message: error.message } };
    }
  }
}

const ANSWER_MS = 2_000;

function unknownAnswer(id: string, { message, details }: ClientError): SubmitAnswer {
  return answerOfOutcome({ status: "unknown", id, pending: details.pending ?? false, message });
}

function answerOfOutcome(outcome: Outcome | Unknown): SubmitAnswer {
  switch (outcome.status) {
    case "accepted":
    case "included":
    case "irreversible":
      return outcome;
    case "expired": {
      const error = {
        code: "TRANSACTION_EXPIRED",
        message: "its time ran out before it was in a block; it is not in the chain and never will be",
      };
      return { id: outcome.id, status: outcome.status, error: outcome.refusal ?? error };
    }
    case "invalid":
    case "rejected": {
      const { id, status, code, message } = outcome;
      return { id, status, error: { code, message } };
    }
    case "unknown": {
      const { id, pending, message } = outcome;
      return { id, status: pending ? "pending" : "unknown", error: { code: "OUTCOME_UNKNOWN", message } };
    }
  }
}

/** True when the transaction is where it should be and its application did what it asked. */
export function succeeded({ status, receipt }: SubmitAnswer): boolean {
  const isIn = status === "accepted" || status === "included" || status === "irreversible";
  return isIn && !(typeof receipt === "object" && !receipt.ok);
}

export function exitOf(answers: readonly SubmitAnswer[]): ExitStatus {
  const failed = answers.filter((answer) => !succeeded(answer));
  if (failed.length === 0) return EXIT.ok;
  return failed.every(({ status }) => status === "unknown") ? EXIT.unreachable : EXIT.no;
}

export function answerText({ id, status, height, index, receipt, error }: SubmitAnswer): string {
  const place = height === undefined ? "" : ` at height ${height}, index ${index}`;
  const failed = typeof receipt === "object" && !receipt.ok ? `; not done: ${JSON.stringify(receipt)}` : "";
  const why = error === undefined ? "" : `: ${error.message} (${error.code})`;
  return `${id ?? "-"}  ${status}${place}${failed}${why}`;
}
