/**
 * What the operator decided by hand, blocks rejected and peers switched off, each in a file of the node's directory: what
 * the file says holds at the next start. It is replaced whole, so a crash leaves the old list or the new one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { REJECTED_BLOCKS_MAX } from "../../chain/constants.ts";
import { OFF_PEERS_MAX } from "../../net/link/limits.ts";
import { StorageError } from "./storage/types.ts";
import { messageOf, systemCode } from "./systemError.ts";
import { writeWhole } from "./wholeFile.ts";

/** One list: the file holds an object whose only field is an array of ids or keys. */
export interface ListKind {
  readonly file: string;
  readonly field: string;
  readonly max: number;
  /** What is listed, and what an empty list means, in words. */
  readonly what: string;
  readonly none: string;
}

export const REJECTED_BLOCKS: ListKind = {
  file: "rejected-blocks.json",
  field: "rejected",
  max: REJECTED_BLOCKS_MAX,
  what: "rejected blocks",
  none: "to reject none",
};
export const OFF_PEERS: ListKind = {
  file: "off-peers.json",
  field: "off",
  max: OFF_PEERS_MAX,
  what: "peers switched off",
  none: "to switch none off",
};

export class OperatorList {
  readonly #kind: ListKind;
  readonly #dir: string;
  #ids: ReadonlySet<string>;

  private constructor(kind: ListKind, dir: string, ids: ReadonlySet<string>) {
    this.#kind = kind;
    this.#dir = dir;
    this.#ids = ids;
  }

  /** Throws StorageError when the file is there and is not such a list: no decision may be forgotten by mistake. */
  static open(kind: ListKind, dir: string): OperatorList {
    const file = join(dir, kind.file);
    const list = z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(kind.max);
    try {
      const value = z.strictObject({ [kind.field]: list }).parse(JSON.parse(readFileSync(file, "utf8")));
      return new OperatorList(kind, dir, new Set(value[kind.field]));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return new OperatorList(kind, dir, new Set());
      const why = `${file} is no list of ${kind.what} (${messageOf(error)}); mend it, or delete it ${kind.none}`;
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
    return this.#ids.size >= this.#kind.max;
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
    const file = join(this.#dir, this.#kind.file);
    writeWhole(file, `${JSON.stringify({ [this.#kind.field]: [...ids] }, null, 2)}\n`);
    this.#ids = ids;
  }
}
