/** What an answer that is no success means, for the node that gave it and for what was asked. */
import type { Answer, NoAnswer } from "./exchange.ts";
import type { NodeEntry, Nodes } from "./nodes.ts";
import { readRefusal, type Refusal } from "./outcome.ts";
import { isObject, parseJson } from "./shape.ts";

export type Failure =
  /** It cannot be known whether it was done. */
  | { readonly kind: "lost"; readonly message: string; readonly isGarbage: boolean }
  /** Not done, and the node asks to come again. */
  | { readonly kind: "later"; readonly message: string }
  /** Not done, and would not be done if it were asked again. */
  | {
      readonly kind: "refused";
      readonly message: string;
      readonly httpStatus: number;
      readonly refusal: Refusal;
      readonly details: unknown;
    };

/** Refusals from before anything was done with the request. */
const NOT_TAKEN = new Set(["BUSY", "MEMPOOL_FULL"]);

/** Reads a failure and notes it with the node. */
export function readFailure(node: NodeEntry, answer: Answer | NoAnswer, nodes: Nodes): Failure {
  if (answer.kind === "lost") {
    if (answer.why === "aborted") node.breaker.abandoned();
    else nodes.failed(node);
    return { kind: "lost", message: answer.message, isGarbage: answer.why === "invalid" };
  }
  const { status, text, retryAfterMs } = answer;
  const body = parseJson(text);
  const error = isObject(body) ? body["error"] : undefined;
  const refusal = readRefusal(error);
  const message = `${node.url}: ${status} ${refusal === undefined ? "" : `${refusal.code}: ${refusal.message}`}`.trim();
  if (refusal === undefined || status < 400) {
    nodes.failed(node);
    return { kind: "lost", message: `${node.url} does not answer as a Cairn node (${status})`, isGarbage: true };
  }
  if (status === 429 || status === 503) {
    nodes.asksForPatience(node, retryAfterMs);
    return NOT_TAKEN.has(refusal.code) ? { kind: "later", message } : { kind: "lost", message, isGarbage: false };
  }
  // 501: the node is well, and what was asked for is not to be had of it.
  if ((status >= 500 && status !== 501) || status === 408) {
    nodes.failed(node);
    return { kind: "lost", message, isGarbage: false };
  }
  nodes.succeeded(node);
  nodes.passOver(node);
  return { kind: "refused", message, httpStatus: status, refusal, details: (error as { details?: unknown }).details };
}
