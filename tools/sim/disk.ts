/**
 * A node's two databases as a disk keeps them. chain.db takes atomic writes in order and many of them with one fsync;
 * a crash leaves a random prefix of what was asked for. state.db takes flushes, of which a crash may take back the last.
 */
import { assembleBlock, type Block } from "../../chain/block.ts";
import { type BlockRef, headerMessage } from "../../chain/header.ts";
import type { StateReader } from "../../chain/state.ts";
import { decodeProducerSets } from "../../chain/producerSets.ts";
import type { BlockLog, ProvenChange, RawBlock } from "../../consensus/sync/bestChain.ts";
import type { RangeLog } from "../../consensus/sync/rangeServer.ts";
import type {
  Effect,
  PersistedBlock,
  PersistedIrreversible,
  PersistedSets,
  StateFlush,
} from "../../src/replica/types.ts";

export type Persist = Extract<Effect, { kind: "persist" }>;

export class ChainDisk {
  readonly #genesis: Block;
  readonly #blocks = new Map<string, PersistedBlock>();
  /** Blocks above the irreversible one, by height. */
  readonly #reversible = new Map<number, Set<string>>();
  /** Ids of the irreversible chain by height. */
  readonly #chain: string[];
  readonly #heights = new Map<string, number>();
  readonly #decoded = new Map<string, Block>();
  readonly #raw = new Map<string, RawBlock>();
  /** Ids of all blocks that were ever on this disk, whatever became of them. */
  #everHeld = new Set<string>();
  /** Ids of blocks of abandoned branches that were here. */
  readonly #pruned = new Set<string>();
  #irreversible: PersistedIrreversible | undefined;
  #record: Uint8Array | undefined;
  readonly #producerSets: PersistedSets[] = [];

  /** Against producers, by whom and kind. */
  readonly #evidence = new Map<string, Uint8Array>();

  constructor(genesis: Block, record: Uint8Array | undefined) {
    this.#genesis = genesis;
    this.#chain = [genesis.id];
    this.#heights.set(genesis.id, 0);
    this.#record = record;
  }

  get irreversible(): PersistedIrreversible | undefined {
    return this.#irreversible;
  }
  get irreversibleHeight(): number {
    return this.#irreversible?.height ?? 0;
  }
  get record(): Uint8Array | undefined {
    return this.#record;
  }

  /** Changes of the irreversible chain's producer sets. */
  get producerSets(): readonly PersistedSets[] {
    return this.#producerSets;
  }

  get evidence(): Uint8Array[] {
    return [...this.#evidence.values()];
  }

  has(id: string): boolean {
    return id === this.#genesis.id || this.#blocks.has(id);
  }
  parentOf(id: string): string | undefined {
    return this.#blocks.get(id)?.parent;
  }
  isPruned(id: string): boolean {
    return this.#pruned.has(id);
  }
  everHeld(id: string): boolean {
    return this.#everHeld.has(id);
  }
  isIrreversible(id: string): boolean {
    return this.#heights.has(id);
  }
  idAt(height: number): string | undefined {
    return this.#chain[height];
  }

  apply({ blocks, record, irreversible, evidence = [] }: Omit<Persist, "kind" | "token">): void {
    for (const block of blocks) {
      this.#blocks.set(block.id, block);
      this.#everHeld.add(block.id);
      const sameHeight = this.#reversible.get(block.height) ?? new Set();
      this.#reversible.set(block.height, sameHeight.add(block.id));
    }
    if (record !== undefined) this.#record = record;
    if (irreversible !== undefined) this.#setIrreversible(irreversible);
    for (const { producer, kind, bytes } of evidence) this.#evidence.set(`${producer} ${kind}`, bytes);
  }

  /** As it is now, for a backup. What was ever held stays known to both. */
  copy(): ChainDisk {
    const copy = new ChainDisk(this.#genesis, this.#record);
    for (const [id, block] of this.#blocks) copy.#blocks.set(id, block);
    for (const [height, ids] of this.#reversible) copy.#reversible.set(height, new Set(ids));
    for (const id of this.#chain.slice(1)) copy.#chain.push(id);
    for (const [id, height] of this.#heights) copy.#heights.set(id, height);
    for (const id of this.#pruned) copy.#pruned.add(id);
    copy.#producerSets.push(...this.#producerSets);
    for (const [name, bytes] of this.#evidence) copy.#evidence.set(name, bytes);
    copy.#everHeld = this.#everHeld;
    copy.#irreversible = this.#irreversible;
    return copy;
  }

  /** Bit rot in the lowest block that is not irreversible yet, the most promised of all: it reads as not there. */
  rot(): void {
    const lowest = [...this.#reversible].sort(([a], [b]) => a - b).find(([, ids]) => ids.size > 0);
    if (lowest === undefined) return;
    for (const id of lowest[1]) {
      this.#blocks.delete(id);
      this.#decoded.delete(id);
      this.#raw.delete(id);
    }
    this.#reversible.delete(lowest[0]);
  }

  /** The vote record does not read any more. @param instead what the operator's confirmation puts in its place */
  loseRecord(instead?: Uint8Array): void {
    this.#record = instead;
  }

  /** The greatest block by view and height. */
  greatest(): BlockRef {
    const refs = [this.blockAt(this.irreversibleHeight), ...this.blocksAbove()].map(({ id, header }) => ({
      view: header.view,
      height: header.height,
      id,
    }));
    return refs.reduce((a, b) => (b.view > a.view || (b.view === a.view && b.height > a.height) ? b : a));
  }

  /** An irreversible block, decoded and checked. */
  blockAt(height: number): Block {
    return height === 0 ? this.#genesis : this.#decode(this.#chain[height] as string);
  }

  /** All blocks above the irreversible one, lowest first. */
  blocksAbove(): Block[] {
    return [...this.#reversible]
      .sort(([a], [b]) => a - b)
      .flatMap(([, ids]) => [...ids].sort().map((id) => this.#decode(id)));
  }

  /** @param fails whether reads fail now: as in the product, what does not read counts as not held */
  log(fails: () => boolean): BlockLog & RangeLog {
    const unless = <T>(read: () => T | undefined): T | undefined => (fails() ? undefined : read());
    return {
      range: (from, to, maxBytes) => {
        if (fails()) return [];
        const blocks: RawBlock[] = [];
        let bytes = 0;
        for (let height = from; height <= to && bytes < maxBytes; height++) {
          const block = this.#rawOf(this.#chain[height]);
          if (block === undefined) break;
          blocks.push(block);
          bytes += block.body.length;
        }
        return blocks;
      },
      idAt: (height) => (height === 0 ? this.#genesis.id : unless(() => this.#chain[height])),
      idsFrom: (height, count) => (fails() ? [] : this.#chain.slice(height, height + count)),
      heightOf: (id) => (id === this.#genesis.id ? 0 : unless(() => this.#heights.get(id))),
      blockAt: (height) => (height === 0 ? undefined : unless(() => this.#rawOf(this.#chain[height]))),
      changeProving: (height) => unless(() => this.#changeProving(height)),
      byId: (id) => unless(() => this.#rawOf(id)),
    };
  }

  #changeProving(height: number): ProvenChange | undefined {
    const ended = this.#producerSets.find(({ provenHeight }) => provenHeight > height);
    const certificate = ended && this.blockAt(ended.from - 1).proof;
    const sets = ended && decodeProducerSets(ended.sets);
    return certificate && sets && { certificate, producers: sets.current };
  }

  #setIrreversible(irreversible: PersistedIrreversible): void {
    this.#producerSets.push(...(irreversible.producerSets ?? []));
    const path: string[] = [];
    for (let id = irreversible.id; !this.#heights.has(id);) {
      const block = this.#blocks.get(id);
      if (block === undefined) throw new Error(`irreversible block ${id} or an ancestor was never persisted`);
      path.push(id);
      id = block.parent;
    }
    for (const id of path.reverse()) {
      this.#heights.set(id, this.#chain.length);
      this.#chain.push(id);
    }
    for (const [height, ids] of this.#reversible) {
      if (height > irreversible.height) continue;
      for (const id of ids) {
        if (this.#heights.has(id)) continue;
        this.#blocks.delete(id);
        this.#pruned.add(id);
      }
      this.#reversible.delete(height);
    }
    this.#irreversible = irreversible;
  }

  #decode(id: string): Block {
    const known = this.#decoded.get(id);
    if (known !== undefined) return known;
    const { header, signature, body } = this.#blocks.get(id) as PersistedBlock;
    const block = assembleBlock(header, signature, body);
    if (!block.ok || block.value.id !== id) throw new Error(`block ${id} was persisted damaged`);
    this.#decoded.set(id, block.value);
    return block.value;
  }

  #rawOf(id: string | undefined): RawBlock | undefined {
    const known = id === undefined ? undefined : this.#raw.get(id);
    const stored = id === undefined ? undefined : this.#blocks.get(id);
    if (known !== undefined || stored === undefined) return stored && known;
    const header = headerMessage.decode(stored.header);
    if (!header.ok) throw new Error(`block ${id} was persisted damaged`);
    const { height, header: headerBytes, signature, body } = stored;
    const raw = { id: stored.id, height, view: header.value.view, headerBytes, signature, body };
    this.#raw.set(stored.id, raw);
    return raw;
  }
}

/** Flushes that a crash may take back. */
const FLUSH_LOG_MAX = 32;

export class StateDisk {
  readonly #values = new Map<string, Uint8Array>();
  /** What the last flushes replaced, oldest first. */
  readonly #log: {
    readonly before: readonly (readonly [string, Uint8Array | undefined])[];
    readonly height: number;
  }[] = [];
  #height = -1;

  /** Newest block applied; -1: new. */
  get height(): number {
    return this.#height;
  }
  reader(): StateReader {
    return {
      get: (key) => this.#values.get(key),
      range: (start, end, limit) =>
        [...this.#values.keys()]
          .filter((key) => key >= start && (end === undefined || key < end))
          .sort()
          .slice(0, limit)
          .map((key) => ({ key, value: this.#values.get(key) as Uint8Array })),
    };
  }

  apply({ height, changes }: StateFlush): void {
    const before = changes.map(({ key }) => [key, this.#values.get(key)] as const);
    this.#log.push({ before, height: this.#height });
    if (this.#log.length > FLUSH_LOG_MAX) this.#log.shift();
    for (const { key, value } of changes) this.#set(key, value ?? undefined);
    this.#height = height;
  }

  copy(): StateDisk {
    const copy = new StateDisk();
    for (const [key, value] of this.#values) copy.#values.set(key, value);
    copy.#height = this.#height;
    return copy;
  }

  /** A crash takes back the last `count` flushes, or as many as it can. */
  takeBack(count: number): void {
    for (let i = 0; i < count; i++) {
      const last = this.#log.pop();
      if (last === undefined) return;
      for (const [key, value] of last.before) this.#set(key, value);
      this.#height = last.height;
    }
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }
}
