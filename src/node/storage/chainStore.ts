/**
 * chain.db as the node uses it: writes go to a thread of its own and come back as tokens when they are on the
 * disk, reads happen here and see what is committed (a block handed to `persist` is not read back before its
 * token). The caller holds the directory's lock.
 *
 *     const store = await ChainStore.open(dir, { onPersisted: (token) => ..., onError: (error, retrying) => ... });
 *     store.persist({ token: 1, blocks: [block], record });
 *     store.byHeight(7);
 *     await store.close();
 */
import { packChainWrite } from "./chainMessage.ts";
import { ChainReader, checkChainFile } from "./chainReader.ts";
import type { ChainWorkerData, ChainWorkerInfo } from "./chainWorker.ts";
import { markClosed, markOpen } from "./fileCheck.ts";
import type {
  ChainMeta,
  ChainWrite,
  StorageError,
  StoredBlock,
  StoredCertificate,
  StoredEvidence,
  StoredSets,
  WriterEvents,
} from "./types.ts";
import { WriterThread } from "./writerThread.ts";

export interface ChainStoreEvents extends WriterEvents {
  /** Everything up to and including this token is on the disk. Tokens come in order; many may be covered by one call. */
  onPersisted(token: number): void;
}

export interface ChainStoreOptions {
  /** The genesis file's hash; another chain's database is refused. */
  readonly chainId?: string;
}

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./chainWorker.ts" : "./chainWorker.js", import.meta.url);

export class ChainStore {
  readonly #thread: WriterThread;
  readonly #reader: ChainReader;
  /** What the writer's connection says of its settings. */
  readonly settings: ChainWorkerInfo;
  #lastToken = -1;

  private constructor(thread: WriterThread, reader: ChainReader, settings: ChainWorkerInfo) {
    this.#thread = thread;
    this.#reader = reader;
    this.settings = settings;
  }

  /**
   * Opens what `createChainDatabase` made; makes nothing itself. Rejects with a StorageError: CANNOT_OPEN,
   * TRUNCATED, DAMAGED, WRONG_FORMAT, IO.
   */
  static async open(dir: string, events: ChainStoreEvents, options: ChainStoreOptions = {}): Promise<ChainStore> {
    const file = checkChainFile(dir);
    markOpen(file);
    try {
      const workerData: ChainWorkerData = { file, chainId: options.chainId };
      const onCommitted = (token: number): void => events.onPersisted(token);
      const { thread, info } = await WriterThread.start(WORKER, workerData, file, events, onCommitted);
      const reader = await openReaderOrClose(dir, thread);
      return new ChainStore(thread, reader, info as ChainWorkerInfo);
    } catch (error) {
      markClosed(file);
      throw error;
    }
  }

  get file(): string {
    return this.#reader.file;
  }

  /** Bytes handed over and not yet on the disk. */
  get queuedBytes(): number {
    return this.#thread.queuedBytes;
  }

  /** False when so much is queued that the caller should take in no more blocks; votes may still be persisted. */
  get hasRoom(): boolean {
    return this.#thread.hasRoom;
  }

  /**
   * Queues one atomic write. All buffers are copied before this returns. Throws RangeError for a token that does
   * not increase or an id that is none, QUEUE_FULL far above `hasRoom`, IO after a failure or `close`.
   */
  persist(write: ChainWrite): void {
    if (!(write.token > this.#lastToken)) throw new RangeError(`token ${write.token} after ${this.#lastToken}`);
    this.#thread.post(packChainWrite(write));
    this.#lastToken = write.token;
  }

  /** See ChainReader for these. */
  meta(): ChainMeta {
    return this.#reader.meta();
  }

  byId(id: string): StoredBlock | undefined {
    return this.#reader.byId(id);
  }

  firstHeight(): number | undefined {
    return this.#reader.firstHeight();
  }

  byHeight(height: number): StoredBlock | undefined {
    return this.#reader.byHeight(height);
  }

  idAt(height: number): string | undefined {
    return this.#reader.idAt(height);
  }

  idsFrom(height: number, count: number): string[] {
    return this.#reader.idsFrom(height, count);
  }

  heightOf(id: string): number | undefined {
    return this.#reader.heightOf(id);
  }

  range(from: number, limit: number, limitBytes?: number): StoredBlock[] {
    return this.#reader.range(from, limit, limitBytes);
  }

  blocksAbove(height: number, onDamaged?: (error: StorageError) => void): Generator<StoredBlock, void, undefined> {
    return this.#reader.blocksAbove(height, onDamaged);
  }

  certificateFor(height: number): StoredCertificate | undefined {
    return this.#reader.certificateFor(height);
  }
  newestCertificate(): StoredCertificate | undefined {
    return this.#reader.newestCertificate();
  }
  producerSets(): StoredSets[] {
    return this.#reader.producerSets();
  }
  changeProving(height: number): StoredSets | undefined {
    return this.#reader.changeProving(height);
  }

  evidence(onDamaged?: (error: StorageError) => void): StoredEvidence[] {
    return this.#reader.evidence(onDamaged);
  }

  idsWithPrefix(prefix: string, limit: number): string[] {
    return this.#reader.idsWithPrefix(prefix, limit);
  }

  /** Writes what is queued, checkpoints, ends the thread. Rejects when something queued could not be written. */
  async close(): Promise<void> {
    this.#reader.close(); // first, so that the writer is the last connection and leaves no log behind
    try {
      await this.#thread.close();
    } finally {
      markClosed(this.file);
    }
  }
}

async function openReaderOrClose(dir: string, thread: WriterThread): Promise<ChainReader> {
  try {
    return ChainReader.open(dir);
  } catch (error) {
    await thread.close();
    throw error;
  }
}
