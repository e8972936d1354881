/** What a store and its worker thread say to each other besides the packed writes (plain ArrayBuffers). */
import type { PlainStorageError } from "./errors.ts";

export type ToWriter =
  | { readonly kind: "request"; readonly request: number; readonly body: unknown }
  /** Write what is queued, checkpoint, end. */
  | { readonly kind: "close" };

export type FromWriter =
  | { readonly kind: "ready"; readonly info: unknown }
  | { readonly kind: "cannotOpen"; readonly error: PlainStorageError }
  | {
      readonly kind: "committed";
      /** Token or height of the newest write of the transaction. */
      readonly through: number;
      readonly writes: number;
      readonly bytes: number;
      readonly writeMs: number;
      readonly syncMs: number;
    }
  | { readonly kind: "checkpointed"; readonly durationMs: number }
  | { readonly kind: "failed"; readonly error: PlainStorageError; readonly retrying: boolean }
  /** A part that the rest can do without is damaged and switched off. */
  | { readonly kind: "partLost"; readonly error: PlainStorageError }
  | { readonly kind: "answer"; readonly request: number; readonly body: unknown }
  | { readonly kind: "requestFailed"; readonly request: number; readonly error: PlainStorageError }
  | { readonly kind: "closed"; readonly unwrittenBytes: number };
