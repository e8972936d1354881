/** What every group of routes is given. */
import type { NodeApi } from "../api.ts";
import type { Logger } from "../logging.ts";
import type { Closing } from "./closing.ts";

export interface HttpContext {
  readonly api: NodeApi;
  readonly log: Logger;
  /** Larger transactions are not taken here. */
  readonly transactionBytes: number;
  /** Waits end when the server closes. */
  readonly closing: Closing;
}

/** Only the key-value application has JSON of its own; others speak in bytes. */
export function isKv({ api }: HttpContext): boolean {
  return api.genesis.application.name === "kv";
}
