/** Load on a node: encoded kv transactions in batches over kept-alive connections. */
import { Agent, request } from "node:http";
import { randomBytes } from "node:crypto";
import { writeVarint, varintBytes } from "../../chain/scan.ts";
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { toHex, utf8 } from "../../src/base/bytes.ts";

export interface LoadTransaction {
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface TransactionShape {
  /** Bytes of the whole encoded transaction, about. */
  readonly bytes: number;
  readonly keys: "sequential" | "random";
}

const FRAME_BYTES = 60;
let counter = 0;

// Fresh random bytes for each transaction would be a third of the client's work: values are windows of one random buffer,
// nonces a random start and a counter.
const RANDOM = randomBytes(1024 * 1024);
const NONCE_START = randomBytes(10);

function randomWindow(bytes: number): Uint8Array {
  const at = Math.floor(Math.random() * (RANDOM.length - bytes));
  return RANDOM.subarray(at, at + bytes);
}

function nextNonce(): Uint8Array {
  const nonce = Buffer.alloc(16);
  nonce.set(NONCE_START);
  nonce.writeUIntBE(counter, 10, 6);
  return nonce;
}

/** A put of a new key. */
export function makeTransaction({ bytes, keys }: TransactionShape, now: number): LoadTransaction {
  counter++;
  const key =
    keys === "sequential"
      ? counter.toString(16).padStart(16, "0")
      : Math.floor(Math.random() * 2 ** 48)
          .toString(16)
          .padStart(16, "0");
  const value = randomWindow(Math.max(1, bytes - FRAME_BYTES - key.length));
  const encoded = encodeTransaction({
    payload: encodeKvPayload([{ kind: "put", key: utf8(key), value }]),
    nonce: nextNonce(),
    expiresAt: now + 50_000,
  });
  return { id: toHex(transactionId(encoded)), bytes: encoded };
}

/** One result line of the batch endpoint. */
export interface LoadResult {
  readonly id: string;
  readonly status: string;
  readonly height?: number;
  readonly index?: number;
}

/** Length-prefixed transactions, as the batch endpoint takes them. */
export function encodeBatch(transactions: readonly LoadTransaction[]): Buffer {
  const bytes = transactions.reduce((sum, { bytes: each }) => sum + varintBytes(each.length) + each.length, 0);
  const buffer = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { bytes: each } of transactions) {
    at = writeVarint(buffer, at, each.length);
    buffer.set(each, at);
    at += each.length;
  }
  return buffer;
}

export class LoadClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Rejects when the node cannot be reached or answers with an error. */
  async batch(transactions: readonly LoadTransaction[], wait: string, timeoutMs: number): Promise<LoadResult[]> {
    const text = await this.#post(
      `/v1/transactions/batch?wait=${wait}&timeout=${timeoutMs}`,
      encodeBatch(transactions),
      timeoutMs,
    );
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as LoadResult);
  }

  /** One transaction by itself. */
  async single(transaction: LoadTransaction, wait: string, timeoutMs: number): Promise<LoadResult> {
    const text = await this.#post(`/v1/transactions?wait=${wait}&timeout=${timeoutMs}`, transaction.bytes, timeoutMs);
    return JSON.parse(text) as LoadResult;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(path: string, body: Uint8Array, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/octet-stream", "content-length": body.length };
      const sent = request(`${this.#url}${path}`, { method: "POST", agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode !== undefined && response.statusCode < 300) resolve(text);
          else reject(new Error(`HTTP ${response.statusCode}: ${text.slice(0, 300)}`));
        });
      });
      sent.setTimeout(timeoutMs + 5_000, () => sent.destroy(new Error("no answer")));
      sent.on("error", reject);
      sent.end(body);
    });
  }
}
