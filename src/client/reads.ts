/** Reading: one node after another until one answers. */
import type { Caller } from "./caller.ts";
import { ClientError } from "./errors.ts";
import type { Answer } from "./exchange.ts";
import type { NodeEntry } from "./nodes.ts";
import { type Failure, readFailure } from "./refusals.ts";
import { backoffMs } from "./platform.ts";
import { parseJson } from "./shape.ts";

export interface ReadOptions {
  /** Default: 30,000. */
  readonly timeoutMs?: number;
  /** Longest answer of a node. Default: 64 MiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Every node is asked so often before a read fails: what is down for good should be told soon. */
const ROUNDS = 2;
const TIMEOUT_MS = 30_000;
/** One node is given this long while there are others. */
const NODE_MS = 10_000;
const ANSWER_BYTES = 64 * 1024 * 1024;

/** What an answer was taken for: a value, or that another node should be asked. */
export type Taken<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "behind"; readonly height: number }
  | { readonly kind: "invalid" };

/**
 * A value out of the JSON of a 200, or out of a refusal where `refused` makes one of it. Throws ClientError: UNREACHABLE,
 * TIMEOUT, ABORTED, REFUSED, ANSWER_INVALID, BEHIND.
 */
export async function read<T>(
  path: string,
  options: ReadOptions & { readonly method?: "POST" },
  caller: Caller,
  take: (body: unknown) => Taken<T>,
  refused?: (failure: Extract<Failure, { readonly kind: "refused" }>) => Taken<T> | undefined,
): Promise<T> {
  const { nodes, platform } = caller;
  const { timeoutMs = TIMEOUT_MS, maxBytes = ANSWER_BYTES, signal, method = "GET" } = options;
  const deadline = platform.now() + timeoutMs;
  const causes: string[] = [];
  let last: ClientError | undefined;
  let avoid: NodeEntry | undefined;
  for (let attempt = 0; attempt < ROUNDS * nodes.all.length; attempt++) {
    if (attempt > 0) await platform.sleep(backoffMs(attempt - 1, platform), signal);
    const node = await nodes.acquire(deadline, signal, avoid);
    if (node === undefined) break;
    avoid = node;
    const left = deadline - platform.now();
    const nodeMs = nodes.all.length === 1 ? left : Math.min(left, NODE_MS);
    const answer = await caller.exchange(node, { path, method, timeoutMs: nodeMs, maxBytes, signal });
    const isAnswer = answer.kind === "answer" && answer.status === 200;
    const taken = isAnswer ? takeAnswer(answer, take) : undefined;
    if (taken === undefined || taken.kind === "invalid") {
      const failure = readFailure(node, answer, nodes);
      const value = failure.kind === "refused" ? refused?.(failure) : undefined;
      if (value?.kind === "value") return value.value;
      last = value?.kind === "behind" ? behind(node, value.height) : errorOf(failure, node);
      if (value === undefined && failure.kind === "refused") throw last;
    } else {
      nodes.succeeded(node);
      if (taken.kind === "value") return taken.value;
      nodes.passOver(node);
      last = behind(node, taken.height);
    }
    causes.push(last.message);
  }
  if (signal?.aborted) throw new ClientError("ABORTED", "the request was aborted");
  if (platform.now() >= deadline) {
    const asked = nodes.all.map(({ url }) => url).join(", ");
    throw new ClientError("TIMEOUT", `${asked}: no answer within ${timeoutMs} ms`, { causes });
  }
  throw last === undefined ? new ClientError("UNREACHABLE", "no node could be asked") : withCauses(last, causes);
}

function takeAnswer<T>({ text }: Answer, take: (body: unknown) => Taken<T>): Taken<T> {
  const body = parseJson(text);
  return body === undefined ? { kind: "invalid" } : take(body);
}

function behind({ url }: NodeEntry, height: number): ClientError {
  return new ClientError("BEHIND", `${url} is at height ${height} only`, { url, height });
}

function errorOf(failure: Failure, { url }: NodeEntry): ClientError {
  if (failure.kind !== "refused") {
    const code = failure.kind === "lost" && failure.isGarbage ? "ANSWER_INVALID" : "UNREACHABLE";
    return new ClientError(code, failure.message, { url });
  }
  const { httpStatus, refusal, details } = failure;
  const nodeDetails = details === undefined ? {} : { nodeDetails: details };
  return new ClientError("REFUSED", refusal.message, { url, httpStatus, nodeCode: refusal.code, ...nodeDetails });
}

function withCauses({ code, message, details }: ClientError, causes: readonly string[]): ClientError {
  return new ClientError(code, message, { ...details, causes });
}

/** Takes a body that is of this shape. */
export function shaped<T>(isShape: (value: unknown) => value is T): (body: unknown) => Taken<T> {
  return (body) => (isShape(body) ? { kind: "value", value: body } : { kind: "invalid" });
}
