/**
 * chain.db row by row as it lies there, for verification: a row whose checksum is wrong is given like any other, with
 * that verdict, so that hashes and signatures can tell which part of it is wrong. Everyone else reads by `ChainReader`.
 */
import { checksum, evidenceChecksum, recordChecksum } from "./chainChecksum.ts";
import { closeChain, openChain } from "./chainReader.ts";
import { hasEvidence, readChainIdentity } from "./chainSchema.ts";
import { type Connection, fileFaultOf } from "./connection.ts";
import { asStorage } from "./errors.ts";
import {
  StorageError,
  type StoredBlock,
  type StoredCertificate,
  type StoredEvidence,
  type StoredIrreversible,
} from "./types.ts";

const CACHE_BYTES = 4 * 1024 * 1024;

/** A row and whether its checksum is that of its content. */
export type AsStored<T> = T & { readonly isIntact: boolean };

interface BlockColumns {
  readonly height: unknown;
  readonly crc: unknown;
  readonly id: unknown;
  readonly parent: unknown;
  readonly header: unknown;
  readonly signature: unknown;
  readonly body: unknown;
}

interface PointerColumns {
  readonly height: unknown;
  readonly id: unknown;
  readonly certificate: unknown;
  readonly frontier: unknown;
  readonly crc: unknown;
}

export interface ChainHeights {
  readonly lowest: number | null;
  readonly highest: number | null;
  readonly count: number;
  /** Of the highest certificate. */
  readonly certificate: number | null;
}

export class ChainRows {
  readonly file: string;
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepareStatements>;

  private constructor(file: string, connection: Connection, chainId: string) {
    this.file = file;
    this.#connection = connection;
    readChainIdentity(connection, file, chainId);
    this.#statements = prepareStatements(connection);
  }

  /** Throws StorageError as `ChainReader.open`. */
  static open(dir: string, chainId: string): ChainRows {
    return openChain(dir, CACHE_BYTES, (file, connection) => new ChainRows(file, connection, chainId));
  }

  close(): void {
    closeChain(this.file, this.#connection);
  }

  /** The irreversible block at a height, by the `chain` table. */
  blockAt(height: number): AsStored<StoredBlock> | undefined {
    return this.#read(() => this.#block(this.#statements.blockAt.get(height), `block ${height}`));
  }

  /**
   * Blocks above the irreversible one with the height that the list of them says, lowest first, one in memory at a time.
   * What a running node takes away meanwhile is left out; a listed block that is not there is undefined.
   */
  *reversible(): Generator<{ readonly height: number; readonly row: AsStored<StoredBlock> | undefined }, void, void> {
    for (const { height, block } of this.#read(() => this.#statements.reversible.all())) {
      const found = this.#snapshot(() => ({
        row: this.#block(this.#statements.byNumber.get(block), `block row ${block}`),
        isListed: this.#statements.isReversible.get(height, block) !== undefined,
      }));
      if (found.isListed) yield { height, row: found.row };
    }
  }

  /** The irreversible pointer beside the heights of the irreversible chain and of the certificates. */
  extent(): { readonly pointer: AsStored<StoredIrreversible> | undefined; readonly heights: ChainHeights } {
    return this.#snapshot(() => ({ pointer: this.pointer(), heights: this.#statements.heights.get()! }));
  }

  pointer(): AsStored<StoredIrreversible> | undefined {
    return this.#read(() => {
      const row = this.#statements.pointer.get();
      if (row === undefined) return undefined;
      const height = this.#number(row.height, "the irreversible pointer");
      const blobs = [row.id, row.certificate, row.frontier].map((each) =>
        this.#bytes(each, "the irreversible pointer"),
      );
      const [id, certificate, frontier] = blobs as [Buffer, Buffer, Buffer];
      const isIntact = checksum(height, id, certificate, frontier) === row.crc;
      return { height, id: id.toString("hex"), certificate, frontier, isIntact };
    });
  }

  /** Certificates of heights from `from` on, in order, at most `limit`. */
  certificates(from: number, limit: number): AsStored<StoredCertificate>[] {
    return this.#read(() =>
      this.#statements.certificates.all(from, limit).map((row) => {
        const height = this.#number(row.height, "a certificate row");
        const id = this.#bytes(row.id, `the certificate row of height ${height}`);
        const certificate = this.#bytes(row.certificate, `the certificate row of height ${height}`);
        const isIntact = checksum(height, id, certificate) === row.crc;
        return { height, id: id.toString("hex"), certificate, isIntact };
      }),
    );
  }

  /** The vote record; undefined when there is none. */
  record(): AsStored<{ readonly bytes: Uint8Array }> | undefined {
    return this.#read(() => {
      const row = this.#statements.record.get();
      if (row === undefined) return undefined;
      const bytes = this.#bytes(row.bytes, "the vote record");
      return { bytes, isIntact: recordChecksum(bytes).equals(this.#bytes(row.sha256, "the vote record")) };
    });
  }

  /** Against producers. */
  evidence(): AsStored<StoredEvidence>[] {
    return this.#read(() =>
      (this.#statements.evidence?.all() ?? []).map((row) => {
        const producer = this.#bytes(row.producer, "a row of evidence");
        const what = `the row of evidence against ${producer.toString("hex")}`;
        const bytes = this.#bytes(row.bytes, what);
        if (typeof row.kind !== "string") throw this.#wrongType(what);
        const isIntact = evidenceChecksum(producer, Buffer.from(row.kind, "latin1"), bytes) === row.crc;
        return { producer: producer.toString("hex"), kind: row.kind, bytes, isIntact };
      }),
    );
  }

  /** The first thing SQLite finds wrong with the file itself; reads all of it. */
  fileFault(): string | undefined {
    return this.#read(() => fileFaultOf(this.#connection));
  }

  #block(row: BlockColumns | undefined, what: string): AsStored<StoredBlock> | undefined {
    if (row === undefined) return undefined;
    const height = this.#number(row.height, what);
    const blobs = [row.id, row.parent, row.header, row.signature, row.body].map((each) => this.#bytes(each, what));
    const [id, parent, header, signature, body] = blobs as [Buffer, Buffer, Buffer, Buffer, Buffer];
    const isIntact = checksum(height, id, parent, header, signature, body) === row.crc;
    return { height, id: id.toString("hex"), parent: parent.toString("hex"), header, signature, body, isIntact };
  }

  #number(value: unknown, what: string): number {
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    throw this.#wrongType(what);
  }

  #bytes(value: unknown, what: string): Buffer {
    if (Buffer.isBuffer(value)) return value;
    throw this.#wrongType(what);
  }

  #wrongType(what: string): StorageError {
    return new StorageError(
      "DAMAGED",
      this.file,
      `${this.file}: ${what} has a column of another type than it was made with`,
    );
  }

  /** One commit for all that is read. */
  #snapshot<T>(read: () => T): T {
    return this.#read(() => this.#connection.transaction(read)());
  }

  #read<T>(read: () => T): T {
    return asStorage(this.file, "chain", read);
  }
}

function prepareStatements(connection: Connection) {
  const columns = "height, crc, id, parent, header, signature, body";
  return {
    blockAt: connection.prepare<[number], BlockColumns>(
      `SELECT ${columns} FROM blocks WHERE number = (SELECT block FROM chain WHERE height = ?)`,
    ),
    byNumber: connection.prepare<[number], BlockColumns>(`SELECT ${columns} FROM blocks WHERE number = ?`),
    reversible: connection.prepare<[], { height: number; block: number }>(
      "SELECT height, block FROM reversible ORDER BY height, block",
    ),
    isReversible: connection.prepare<[number, number]>("SELECT 1 FROM reversible WHERE height = ? AND block = ?"),
    pointer: connection.prepare<[], PointerColumns>("SELECT height, id, certificate, frontier, crc FROM pointer"),
    certificates: connection.prepare<[number, number], Omit<PointerColumns, "frontier">>(
      "SELECT height, id, certificate, crc FROM certificates WHERE height >= ? ORDER BY height LIMIT ?",
    ),
    record: connection.prepare<[], { bytes: unknown; sha256: unknown }>("SELECT bytes, sha256 FROM record"),
    evidence: hasEvidence(connection)
      ? connection.prepare<[], Record<"producer" | "kind" | "bytes" | "crc", unknown>>(
          "SELECT producer, kind, bytes, crc FROM evidence ORDER BY producer, kind",
        )
      : undefined,
    heights: connection.prepare<[], ChainHeights>(
      `SELECT min(height) AS lowest, max(height) AS highest, count(*) AS count,
        (SELECT max(height) FROM certificates) AS certificate FROM chain`,
    ),
  };
}
