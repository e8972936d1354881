/** Blocks whose parent is unknown, by that parent, up to a bound of bytes and one of their number; the oldest leave first. */
import { type Block, blockBytes } from "./block.ts";

export class Orphans {
  readonly #maxBytes: number;
  readonly #maxCount: number;
  readonly #blocks = new Map<string, Block>();
  readonly #byParent = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(maxBytes: number, maxCount: number) {
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get size(): number {
    return this.#blocks.size;
  }
  has(id: string): boolean {
    return this.#blocks.has(id);
  }

  get(id: string): Block | undefined {
    return this.#blocks.get(id);
  }

  add(block: Block): void {
    if (this.#blocks.has(block.id)) return;
    this.#blocks.set(block.id, block);
    this.#bytes += blockBytes(block);
    const siblings = this.#byParent.get(block.header.parent) ?? new Set();
    this.#byParent.set(block.header.parent, siblings.add(block.id));
    for (const oldest of this.#blocks.values()) {
      if (this.#bytes <= this.#maxBytes && this.#blocks.size <= this.#maxCount) break;
      this.#remove(oldest);
    }
  }

  /** Takes out the blocks that wait for this parent. */
  takeChildrenOf(parent: string): Block[] {
    const children = [...(this.#byParent.get(parent) ?? [])].map((id) => this.#blocks.get(id) as Block);
    for (const child of children) this.#remove(child);
    return children;
  }

  /** Forgets blocks at or below a height that has become irreversible. */
  dropUpTo(height: number): void {
    for (const block of this.#blocks.values()) if (block.header.height <= height) this.#remove(block);
  }

  #remove(block: Block): void {
    this.#blocks.delete(block.id);
    this.#bytes -= blockBytes(block);
    const siblings = this.#byParent.get(block.header.parent);
    siblings?.delete(block.id);
    if (siblings?.size === 0) this.#byParent.delete(block.header.parent);
  }
}
