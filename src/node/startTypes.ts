/** What the `start` command hands to a node, and what it gets back. */
import type { NodeApi } from "./api.ts";
import type { Config } from "./config.ts";
import type { GenesisFile } from "./genesisFile.ts";
import type { NodeKey } from "./keys.ts";
import type { Logger } from "./logging.ts";

export interface StartOptions {
  /** The node's directory. */
  readonly dir: string;
  readonly config: Config;
  readonly genesis: GenesisFile;
  readonly key: NodeKey;
  readonly log: Logger;
  /** The node cannot go on and has stopped taking part; the process ends with this message. Called at most once. */
  onFatal(error: Error): void;
}

export interface RunningNode {
  readonly api: NodeApi;
  /**
   * Before {@link stop}: a leader has another producer elected, and what was submitted here comes to an end. Takes nothing
   * more in; bounded, and never rejects.
   */
  handOver(): Promise<void>;
  /** Leaves the network, writes what is queued, closes the databases, gives the lock back. */
  stop(): Promise<void>;
}
