/** What became of a transaction, and how nodes say it. */
import { isHeight, isObject, isText, parseJson } from "./shape.ts";

export type WaitFor = "accepted" | "included" | "irreversible";

/**
 * What a transaction did: of the key-value application with a version, of a change of the producer set with a code where it
 * was not made, of another application its bytes in base64url.
 */
export type Receipt =
  | { readonly ok: boolean; readonly version?: number; readonly failedOperation?: number; readonly code?: string }
  | string;

/** Known for certain. */
export type Outcome =
  /** A node keeps it; promises nothing across a crash. */
  | { readonly status: "accepted"; readonly id: string }
  /** In the chain at this place, once. `included` may still be undone, `irreversible` never. */
  | {
      readonly status: "included" | "irreversible";
      readonly id: string;
      readonly height: number;
      readonly index: number;
      /** Absent when the node did not have it at hand, for many at once: `transaction(id)` tells it. */
      readonly receipt?: Receipt;
    }
  /** Not in the chain, and never will be: a node proved it by an irreversible block after its time. */
  | { readonly status: "expired"; readonly id: string; readonly refusal?: Refusal }
  /** Not in the chain: the first node that was given it refused it, at the door or when it was executed. */
  | ({ readonly status: "invalid" | "rejected"; readonly id: string } & Refusal);

/** The deadline passed. It may be in the chain, may come into it, or not. */
export interface Unknown {
  readonly status: "unknown";
  readonly id: string;
  /** A node had it last when it was asked. */
  readonly pending: boolean;
  readonly message: string;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export type Placed = Extract<Outcome, { readonly height: number }>;

/** A node's word on one transaction of a batch. */
export type Word =
  | { readonly kind: "accepted" | "pending" | "expired" | "full" | "noLeader" }
  | { readonly kind: "placed"; readonly outcome: Placed }
  | { readonly kind: "invalid" | "rejected"; readonly refusal: Refusal };

/** The answer's lines in order of the ids; undefined when it is not the answer to this batch. */
export function readBatchAnswer(text: string, ids: readonly string[]): Word[] | undefined {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length !== ids.length) return undefined;
  const words: Word[] = [];
  for (const [i, line] of lines.entries()) {
    const word = readWord(parseJson(line), ids[i] as string);
    if (word === undefined) return undefined;
    words.push(word);
  }
  return words;
}

function readWord(line: unknown, id: string): Word | undefined {
  if (!isObject(line)) return undefined;
  const { status, error } = line;
  // What is too large is refused before its id is known.
  if (line["id"] !== id && !(line["id"] === undefined && status === "invalid")) return undefined;
  switch (status) {
    case "accepted":
    case "pending":
    case "expired":
    case "full":
    case "noLeader":
      return { kind: status };
    case "included":
    case "irreversible": {
      const outcome = readPlaced(line, id, status);
      return outcome && { kind: "placed", outcome };
    }
    case "inChain": {
      // Told only of what is irreversible: on a retry it is the answer that was lost.
      const outcome = readPlaced(line, id, "irreversible");
      return outcome && { kind: "placed", outcome };
    }
    case "invalid":
    case "rejected": {
      const refusal = readRefusal(error);
      return refusal && { kind: status, refusal };
    }
    default:
      return undefined;
  }
}

/** @param answer with `height`, `index`, and perhaps `receipt` */
export function readPlaced(
  answer: Readonly<Record<string, unknown>>,
  id: string,
  status: Placed["status"],
): Placed | undefined {
  const { height, index, receipt } = answer;
  if (!isHeight(height) || !isHeight(index)) return undefined;
  if (receipt === undefined) return { status, id, height, index };
  return isReceipt(receipt) ? { status, id, height, index, receipt } : undefined;
}

export function isReceipt(value: unknown): value is Receipt {
  if (isText(value)) return true;
  if (!isObject(value) || typeof value["ok"] !== "boolean") return false;
  const { version, code } = value;
  return (version === undefined || isHeight(version)) && (code === undefined || isText(code));
}

export function readRefusal(error: unknown): Refusal | undefined {
  if (!isObject(error)) return undefined;
  const { code, message } = error;
  return isText(code) && isText(message) ? { code, message } : undefined;
}
