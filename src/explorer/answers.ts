/** The node that serves the page, asked over HTTP. What it says is shown as text; what is to be trusted, `verify.ts` checks. */
import type { NodeStatus, PeerView, ProducerView } from "../node/api.ts";

export type Status = NodeStatus;
export type Producer = Pick<ProducerView, "key" | "name" | "state" | "because">;
export type Peer = Pick<PeerView, "key" | "name" | "role" | "rttMs" | "height">;

/** A block as `/v1/blocks/{ref}` and the stream give it. */
export interface ShownBlock {
  readonly height: number;
  readonly id: string;
  readonly status: string;
  readonly header: Readonly<Record<string, unknown>> & {
    readonly parent: string;
    readonly producer: string;
    readonly view: number;
    readonly time: number;
  };
  readonly certificate: string | null;
  readonly transactionCount: number;
  readonly transactions?: readonly ShownContent[];
  readonly receipts?: readonly unknown[] | null;
}

export interface ShownContent {
  readonly id: string;
  readonly payload: string;
  readonly operations?: unknown;
}

export interface ShownTransaction {
  readonly id: string;
  readonly status: string;
  readonly height?: number;
  readonly index?: number;
  readonly blockId?: string;
  readonly receipt?: unknown;
  readonly transaction?: Omit<ShownContent, "id">;
}

/** The node answered with an error, or not at all. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  /** Of the node; undefined when it did not answer. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** @throws NodeError */
export async function ask<T>(path: string): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new NodeError("the node does not answer");
  }
  const body = (await response.json().catch(() => ({}))) as { readonly error?: { code?: string; message?: string } };
  if (response.ok) return body as T;
  throw new NodeError(String(body.error?.message ?? `status ${response.status}`), String(body.error?.code));
}
