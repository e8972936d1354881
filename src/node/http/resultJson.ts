/** What became of a submission, as an answer of its own or as a line of a batch. */
import { unreachable } from "../../base/result.ts";
import type { SubmitResult } from "../api.ts";
import { errorBody, HttpError } from "./errors.ts";
import { receiptJson, receiptText } from "./kvText.ts";

/** Body of a 200. Throws HttpError for what is none. */
export function resultBody(result: SubmitResult, isKv: boolean): Record<string, unknown> {
  switch (result.status) {
    case "accepted":
      return { id: result.id, status: result.status };
    case "included":
    case "irreversible": {
      const receipt = receiptOf(result);
      const { id, status, place } = result;
      const body = { id, status, height: place.height, index: place.index };
      return receipt === undefined ? body : { ...body, receipt: receiptJson(receipt, isKv) };
    }
    default: {
      const { statusCode, code, message, details } = failureOf(result);
      throw new HttpError(statusCode, code, message, { id: result.id, ...details });
    }
  }
}

/** One line of a batch's answer, without its end. Written by hand: there are thousands. */
export function resultLine(result: SubmitResult, isKv: boolean): string {
  switch (result.status) {
    case "accepted":
    case "pending":
      return `{"id":"${result.id}","status":"${result.status}"}`;
    case "included":
    case "irreversible": {
      const { id, status, place } = result;
      const receipt = receiptOf(result);
      const tail = receipt === undefined ? "" : `,"receipt":${receiptText(receipt, isKv)}`;
      return `{"id":"${id}","status":"${status}","height":${place.height},"index":${place.index}${tail}}`;
    }
    default: {
      const { code, message, details } = failureOf(result);
      return JSON.stringify({ id: result.id, status: result.status, ...details, ...errorBody(code, message) });
    }
  }
}

/** A line of a batch that is no transaction. */
export function invalidLine(code: string, message: string): string {
  return JSON.stringify({ status: "invalid", ...errorBody(code, message) });
}

type Included = Extract<SubmitResult, { readonly place: unknown; readonly receipt: unknown }>;
type Failed = Exclude<SubmitResult, { readonly status: "accepted" | "included" | "irreversible" }>;

/** An `included` straight from admission has none, and an empty one stands for one that is not at hand. */
function receiptOf(result: SubmitResult): Uint8Array | undefined {
  const { receipt } = result as Partial<Included>;
  return receipt === undefined || receipt.length === 0 ? undefined : receipt;
}

interface Failure {
  readonly statusCode: number;
  readonly code: string;
  readonly message: string;
  readonly details?: { readonly height: number; readonly index: number };
}

function failureOf(result: Failed): Failure {
  switch (result.status) {
    case "invalid":
    case "rejected": {
      const statusCode = result.code === "TRANSACTION_TOO_LARGE" ? 413 : 400;
      return { statusCode, code: result.code, message: result.detail };
    }
    case "expired":
      return {
        statusCode: 400,
        code: "TRANSACTION_EXPIRED",
        message: "the transaction's time ran out before it was in a block; it is not in the chain and never will be",
      };
    case "inChain": {
      const { height, index } = result.place;
      const message = `this transaction is in the chain already, at height ${height}, index ${index}`;
      return { statusCode: 409, code: "ALREADY_IN_CHAIN", message, details: { height, index } };
    }
    case "full":
      return { statusCode: 429, code: "MEMPOOL_FULL", message: "too many transactions wait for a block; try again" };
    case "pending":
      return {
        statusCode: 504,
        code: "WAIT_TIMEOUT",
        message: "the wait ran out; the transaction is still under way: ask for it by its id",
      };
    case "noLeader":
      return { statusCode: 503, code: "NO_LEADER", message: "no leader is known now; try again" };
    default:
      return unreachable(result);
  }
}
