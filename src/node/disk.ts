/** A node's two databases, as long as it runs: what they have taken, and what is wrong with them. */
import type { Logger } from "./logging.ts";
import { ChainStore } from "./storage/chainStore.ts";
import { DerivedStore } from "./storage/derivedStore.ts";
import type { CommitReport, StorageError } from "./storage/types.ts";

export interface DiskEvents {
  readonly persisted: (token: number) => void;
  readonly committed: (report: CommitReport) => void;
  /** The derived database holds the state of this height; told while nobody waits for it by {@link NodeDisk.whenApplied}. */
  readonly applied: (height: number) => void;
  /** It is not tried again. */
  readonly failed: (error: StorageError) => void;
}

export class NodeDisk {
  readonly #events: DiskEvents;
  readonly #log: Logger;
  #chain!: ChainStore;
  #derived!: DerivedStore;
  #fault: string | undefined;
  /** Of start-up. */
  #waiters: { readonly height: number; readonly resolve: () => void }[] = [];

  private constructor(events: DiskEvents, log: Logger) {
    this.#events = events;
    this.#log = log;
  }

  /** @throws StorageError */
  static async open(
    { dir, chainId, index }: { readonly dir: string; readonly chainId: string; readonly index: boolean },
    events: DiskEvents,
    log: Logger,
  ): Promise<NodeDisk> {
    const disk = new NodeDisk(events, log);
    const onError = (error: StorageError, retrying: boolean): void => disk.#failed(error, retrying);
    const onPersisted = (token: number): void => {
      disk.#fault = undefined;
      events.persisted(token);
    };
    disk.#chain = await ChainStore.open(dir, { onPersisted, onError, onCommit: events.committed }, { chainId });
    const onIndexLost = (error: StorageError): void => log.write("error", "storage", error.message);
    try {
      const onApplied = (height: number): void => disk.#applied(height);
      disk.#derived = await DerivedStore.open(dir, { onApplied, onError, onIndexLost }, { chainId, index });
    } catch (error) {
      await disk.#chain.close();
      throw error;
    }
    return disk;
  }

  /** Blocks, certificates and the vote record: what must be durable. */
  get chain(): ChainStore {
    return this.#chain;
  }

  /** State and index: what follows from the blocks. */
  get derived(): DerivedStore {
    return this.#derived;
  }

  /** Why nothing is written at present, in words; undefined: all is well. */
  get fault(): string | undefined {
    return this.#fault;
  }

  whenApplied(height: number): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ height, resolve }));
  }

  async close(): Promise<void> {
    for (const end of await Promise.allSettled([this.#derived.close(), this.#chain.close()])) {
      if (end.status === "rejected") this.#log.write("error", "storage", String(end.reason));
    }
  }

  #applied(height: number): void {
    const waiting = this.#waiters;
    if (waiting.length === 0) return this.#events.applied(height);
    this.#waiters = waiting.filter((waiter) => waiter.height > height);
    for (const waiter of waiting) if (waiter.height <= height) waiter.resolve();
  }

  #failed(error: StorageError, retrying: boolean): void {
    this.#fault = error.code === "DISK_FULL" ? "the disk is full" : `the disk fails: ${error.code}`;
    this.#log.write("error", "storage", error.message);
    if (!retrying) this.#events.failed(error);
  }
}
