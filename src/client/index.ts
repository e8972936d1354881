/** The client: `import { CairnClient } from "cairn/client"`; docs/client.md is its guide. */
export type { GenesisAnswer, KvEntry, KvRange, NodeStatus, Peers, Producers } from "./answers.ts";
export type { BlockAnswer, BlockHeader, BlockPage } from "./blocks.ts";
export { CairnClient, type ClientOptions, type SubmitOptions, type WatchOptions } from "./client.ts";
export { ClientError, type ClientErrorCode, type ClientErrorDetails } from "./errors.ts";
export type { KvGetOptions, KvRangeOptions, KvReadOptions, KvValue } from "./kv.ts";
export type { Outcome, Placed, Receipt, Refusal, Unknown, WaitFor } from "./outcome.ts";
export type { Platform } from "./platform.ts";
export type { ReadOptions } from "./reads.ts";
export type { StreamOptions } from "./stream.ts";
export type { BytesJson, KvOperation, PreparedTransaction, TransactionInput } from "./transactions.ts";
export type { TransactionContent, TransactionState } from "./transactionState.ts";
export type { KvChange } from "./watch.ts";
