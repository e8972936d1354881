/**
 * The blocks that the operator rejected by hand, in `rejected-blocks.json` of the node's directory: what the file says
 * holds at the next start. It is replaced whole, so a crash leaves the old list or the new one.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { REJECTED_BLOCKS_MAX } from "../../chain/constants.ts";
import { StorageError } from "./storage/types.ts";
import { messageOf, systemCode } from "./systemError.ts";

const FILE = "rejected-blocks.json";
const shape = z.strictObject({ rejected: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(REJECTED_BLOCKS_MAX) });

export class RejectedBlocks {
  readonly #dir: string;
  #ids: ReadonlySet<string>;

  private constructor(dir: string, ids: ReadonlySet<string>) {
    this.#dir = dir;
    this.#ids = ids;
  }

  /** Throws StorageError when the file is there and is not such a list: a rejected block must not be taken by mistake. */
  static open(dir: string): RejectedBlocks {
    const file = join(dir, FILE);
    try {
      return new RejectedBlocks(dir, new Set(shape.parse(JSON.parse(readFileSync(file, "utf8"))).rejected));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return new RejectedBlocks(dir, new Set());
      const why = `${file} is no list of rejected blocks (${messageOf(error)}); mend it, or delete it to reject none`;
      throw new StorageError("DAMAGED", file, why);
    }
  }

  get ids(): readonly string[] {
    return [...this.#ids];
  }
  has(id: string): boolean {
    return this.#ids.has(id);
  }
  get isFull(): boolean {
    return this.#ids.size >= REJECTED_BLOCKS_MAX;
  }

  /** On disk when it returns. Throws the system's error, and nothing has changed. */
  add(id: string): void {
    this.#write(new Set([...this.#ids, id]));
  }
  /** As {@link add}. */
  remove(id: string): void {
    this.#write(new Set([...this.#ids].filter((each) => each !== id)));
  }

  #write(ids: ReadonlySet<string>): void {
    const file = join(this.#dir, FILE);
    const unfinished = `${file}.new`;
    const descriptor = openSync(unfinished, "w", 0o644);
    try {
      writeSync(descriptor, `${JSON.stringify({ rejected: [...ids] }, null, 2)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(unfinished, file);
    const directory = openSync(this.#dir, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    this.#ids = ids;
  }
}
