/**
 * Reading chain.db: for the store's own thread and for tools that look into a running or stopped node's
 * directory. Every row is checked against its checksum: what comes out is what was written, or DAMAGED.
 */
import { checksum, evidenceChecksum, recordChecksum } from "./chainChecksum.ts";
import { type BlockRow, chainFile, hasEvidence, readChainIdentity } from "./chainSchema.ts";
import { openReader } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { asStorage, toStorageError } from "./errors.ts";
import { checkDatabaseFile, fileBytes, markClosed, markOpen } from "./fileCheck.ts";
import { StorageError } from "./types.ts";
import type {
  ChainMeta,
  StoredBlock,
  StoredCertificate,
  StoredEvidence,
  StoredIrreversible,
  StoredRecord,
  StoredSets,
} from "./types.ts";

const CACHE_BYTES = 2 * 1024 * 1024;
/** Rows a step of `blocksAbove`: bounds what is in memory to some blocks. */
const STEP_ROWS = 16;
/** Rows that `range` reads by one statement. */
const RANGE_STEP_ROWS = 256;

interface PointerRow {
  readonly height: number;
  readonly id: Buffer;
  readonly certificate: Buffer;
  readonly frontier: Buffer;
  readonly crc: number;
}

interface CertificateRow {
  readonly height: number;
  readonly id: Buffer;
  readonly certificate: Buffer;
  readonly crc: number;
}

interface SetsRow {
  readonly height: number;
  readonly proven: number;
  readonly sets: Buffer;
  readonly crc: number;
}

interface EvidenceRow {
  readonly producer: Buffer;
  readonly kind: string;
  readonly bytes: Buffer;
  readonly crc: number;
}

/** CANNOT_OPEN when DIR has no chain.db, TRUNCATED or DAMAGED when the file shows it at once. Makes nothing. */
export function checkChainFile(dir: string): string {
  const file = chainFile(dir);
  if (fileBytes(file) === undefined) {
    throw new StorageError(
      "CANNOT_OPEN",
      file,
      `${file} does not exist; "cairn init DIR" makes the directory of a new node. Where one has run, its disk is lost: ` +
        `docs/operate.md, "A lost disk"; a producer never goes on from an old copy`,
    );
  }
  asStorage(file, "chain", () => checkDatabaseFile(file, "chain"));
  return file;
}

/** Opens DIR's chain.db for reading. Throws StorageError; whatever goes wrong, nothing stays open. */
export function openChain<T>(dir: string, cacheBytes: number, read: (file: string, connection: Connection) => T): T {
  const file = checkChainFile(dir);
  markOpen(file);
  let connection: Connection | undefined;
  try {
    connection = openReader(file, cacheBytes);
    return read(file, connection);
  } catch (error) {
    connection?.close();
    markClosed(file);
    throw toStorageError(error, file, "chain");
  }
}

export function closeChain(file: string, connection: Connection): void {
  if (!connection.open) return;
  connection.close();
  markClosed(file);
}

export class ChainReader {
  readonly file: string;
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepareStatements>;

  private constructor(file: string, connection: Connection, chainId: string | undefined) {
    this.file = file;
    this.#connection = connection;
    readChainIdentity(connection, file, chainId);
    this.#statements = prepareStatements(connection);
  }

  /** Throws StorageError: CANNOT_OPEN, TRUNCATED, DAMAGED, WRONG_FORMAT (also for another chain than `chainId`). */
  static open(dir: string, chainId?: string): ChainReader {
    return openChain(dir, CACHE_BYTES, (file, connection) => new ChainReader(file, connection, chainId));
  }

  close(): void {
    closeChain(this.file, this.#connection);
  }

  /** Throws DAMAGED when the irreversible pointer is; a missing or damaged vote record is told, not thrown. */
  meta(): ChainMeta {
    return this.#read(() => ({
      ...readChainIdentity(this.#connection, this.file),
      firstHeight: this.#statements.firstHeight.get() ?? undefined,
      irreversible: this.#irreversible(),
      record: this.#record(),
    }));
  }

  /** The lowest irreversible height stored; undefined while there is none. */
  firstHeight(): number | undefined {
    return this.#read(() => this.#statements.firstHeight.get() ?? undefined);
  }

  /** A block of any branch, by its id in hex. Throws DAMAGED. */
  byId(id: string): StoredBlock | undefined {
    return this.#read(() => this.#checked(this.#statements.byId.get(Buffer.from(id, "hex"))));
  }

  /** The irreversible block at a height. Throws DAMAGED. */
  byHeight(height: number): StoredBlock | undefined {
    return this.#read(() => this.#checked(this.#statements.byHeight.get(height), height));
  }

  /** Id of the irreversible block at a height, in hex: without its body, some microseconds. */
  idAt(height: number): string | undefined {
    return this.#read(() => this.#statements.idAt.get(height)?.toString("hex"));
  }

  /** Ids in hex of irreversible blocks from a height on, in order: at most `count`, up to the first that is missing. */
  idsFrom(height: number, count: number): string[] {
    return this.#read(() => {
      const rows = this.#statements.idsFrom.all(height, height + count - 1);
      const gap = rows.findIndex((row, index) => row.height !== height + index);
      return (gap === -1 ? rows : rows.slice(0, gap)).map(({ id }) => id.toString("hex"));
    });
  }

  /** Height of an irreversible block, by its id in hex; undefined for blocks of other branches, too. */
  heightOf(id: string): number | undefined {
    return this.#read(() => this.#statements.heightOf.get(Buffer.from(id, "hex")));
  }

  /** Irreversible blocks from a height on, in order, until `limit` blocks or `limitBytes` of bodies are reached. */
  range(from: number, limit: number, limitBytes: number = Number.POSITIVE_INFINITY): StoredBlock[] {
    const blocks: StoredBlock[] = [];
    let bytes = 0;
    // Read in steps of as many as are likely to fit: large blocks are not read in vain.
    for (let step = 1; blocks.length < limit && bytes < limitBytes;) {
      const start = from + blocks.length;
      const rows = this.#read(() => this.#statements.blocksFrom.all(start, start + step - 1));
      for (const [index, row] of rows.entries()) {
        if (row.place !== start + index || bytes >= limitBytes) return blocks;
        blocks.push(this.#read(() => this.#checked(row, row.place)) as StoredBlock);
        bytes += row.body.length;
      }
      if (rows.length < step) return blocks;
      const each = Math.max(1, bytes / blocks.length);
      step = Math.max(1, Math.min(limit - blocks.length, RANGE_STEP_ROWS, Math.ceil((limitBytes - bytes) / each)));
    }
    return blocks;
  }

  /**
   * Every block of every branch above a height, parents first; read in steps, so that thousands of large blocks
   * are never in memory together. A damaged one is passed to `onDamaged` and skipped; without it, thrown.
   */
  *blocksAbove(height: number, onDamaged?: (error: StorageError) => void): Generator<StoredBlock, void, undefined> {
    let after = { height, number: Number.MAX_SAFE_INTEGER };
    for (;;) {
      const { height: afterHeight, number: afterNumber } = after;
      const places = this.#read(() => this.#statements.placesAbove.all({ afterHeight, afterNumber, limit: STEP_ROWS }));
      for (const place of places) {
        const block = this.#blockAt(place, onDamaged);
        if (block !== undefined) yield block;
        after = place;
      }
      if (places.length < STEP_ROWS) return;
    }
  }

  #blockAt(
    place: { readonly height: number; readonly number: number },
    onDamaged: ((error: StorageError) => void) | undefined,
  ): StoredBlock | undefined {
    try {
      return this.#read(() => this.#checked(this.#statements.byNumber.get(place.number), place.height));
    } catch (error) {
      if (onDamaged === undefined || !(error instanceof StorageError) || error.code !== "DAMAGED") throw error;
      onDamaged(error);
      return undefined;
    }
  }

  /** The certificate of the first irreversible advance to this height or above. Throws DAMAGED. */
  certificateFor(height: number): StoredCertificate | undefined {
    return this.#read(() => this.#certificateOf(this.#statements.certificateFor.get(height)));
  }

  /** Every change of the irreversible chain's producer sets, ascending. Throws DAMAGED. */
  producerSets(): StoredSets[] {
    return this.#read(() => this.#statements.producerSets.all().map((row) => this.#setsOf(row)));
  }

  /** The first end of a change that proves a block above this height irreversible. Throws DAMAGED. */
  changeProving(height: number): StoredSets | undefined {
    const row = this.#read(() => this.#statements.changeProving.get(height));
    return row && this.#setsOf(row);
  }

  #setsOf({ height, proven, sets, crc }: SetsRow): StoredSets {
    if (checksum(height, sets) !== crc) throw this.#damaged(`producer sets from height ${height} on`, height, "");
    return { from: height, provenHeight: proven, sets };
  }

  /** Throws DAMAGED. */
  newestCertificate(): StoredCertificate | undefined {
    return this.#read(() => this.#certificateOf(this.#statements.newestCertificate.get()));
  }

  #certificateOf(row: CertificateRow | undefined): StoredCertificate | undefined {
    if (row === undefined) return undefined;
    const id = row.id.toString("hex");
    if (checksum(row.height, row.id, row.certificate) !== row.crc) {
      throw this.#damaged(`certificate at height ${row.height}`, row.height, id);
    }
    return { height: row.height, id, certificate: row.certificate };
  }

  /** Against producers, in their order. A damaged piece is passed to `onDamaged` and left out; without it, thrown. */
  evidence(onDamaged?: (error: StorageError) => void): StoredEvidence[] {
    return this.#read(() =>
      (this.#statements.evidence?.all() ?? []).flatMap(({ producer, kind, bytes, crc }) => {
        const key = producer.toString("hex");
        if (evidenceChecksum(producer, Buffer.from(kind, "latin1"), bytes) === crc)
          return [{ producer: key, kind, bytes }];
        const text = `${this.file}: evidence (${kind}) against producer ${key} does not match its checksum`;
        const error = new StorageError("DAMAGED", this.file, text);
        if (onDamaged === undefined) throw error;
        onDamaged(error);
        return [];
      }),
    );
  }

  /** Ids in hex that begin with `prefix` (hex digits), at most `limit`. */
  idsWithPrefix(prefix: string, limit: number): string[] {
    const least = Buffer.from(prefix.padEnd(64, "0"), "hex");
    const greatest = Buffer.from(prefix.padEnd(64, "f"), "hex");
    return this.#read(() => this.#statements.idsBetween.all(least, greatest, limit).map((id) => id.toString("hex")));
  }

  #irreversible(): StoredIrreversible | undefined {
    const row = this.#statements.pointer.get();
    if (row === undefined) return undefined;
    if (checksum(row.height, row.id, row.certificate, row.frontier) !== row.crc) {
      throw this.#damaged("irreversible pointer", row.height, row.id.toString("hex"));
    }
    return { height: row.height, id: row.id.toString("hex"), certificate: row.certificate, frontier: row.frontier };
  }

  #record(): StoredRecord {
    try {
      const row = this.#statements.record.get();
      if (row === undefined) return { verdict: "missing" };
      return recordChecksum(row.bytes).equals(row.sha256)
        ? { verdict: "ok", bytes: row.bytes }
        : { verdict: "damaged" };
    } catch (error) {
      if (toStorageError(error, this.file, "chain").code === "DAMAGED") return { verdict: "damaged" };
      throw error;
    }
  }

  #checked(row: BlockRow | undefined, height?: number): StoredBlock | undefined {
    if (row === undefined) return undefined;
    const id = row.id.toString("hex");
    const crc = checksum(row.height, row.id, row.parent, row.header, row.signature, row.body);
    if (crc !== row.crc || (height !== undefined && row.height !== height)) {
      throw this.#damaged(`block ${id} at height ${height ?? row.height}`, height ?? row.height, id);
    }
    const { header, signature, body } = row;
    return { height: row.height, id, parent: row.parent.toString("hex"), header, signature, body };
  }

  #damaged(what: string, height: number, id: string): StorageError {
    const text =
      `${this.file}: ${what} does not match its checksum; it is fetched again from peers while the node runs, ` +
      `should this go on, check the disk; docs/operate.md, "A lost disk", says how to begin again`;
    return new StorageError("DAMAGED", this.file, text, { height, id });
  }

  #read<T>(read: () => T): T {
    return asStorage(this.file, "chain", read);
  }
}

function prepareStatements(connection: Connection) {
  const columns = "number, height, crc, id, parent, header, signature, body";
  return {
    byId: connection.prepare<[Buffer], BlockRow>(`SELECT ${columns} FROM blocks WHERE id = ?`),
    byNumber: connection.prepare<[number], BlockRow>(`SELECT ${columns} FROM blocks WHERE number = ?`),
    byHeight: connection.prepare<[number], BlockRow>(
      `SELECT ${columns} FROM blocks WHERE number = (SELECT block FROM chain WHERE height = ?)`,
    ),
    idAt: connection
      .prepare<[number], Buffer>("SELECT id FROM blocks WHERE number = (SELECT block FROM chain WHERE height = ?)")
      .pluck(),
    // One statement for many: a third of the cost of one for each.
    idsFrom: connection.prepare<[number, number], { height: number; id: Buffer }>(
      `SELECT c.height AS height, b.id AS id FROM chain c JOIN blocks b ON b.number = c.block
       WHERE c.height BETWEEN ? AND ? ORDER BY c.height`,
    ),
    blocksFrom: connection.prepare<[number, number], BlockRow & { place: number }>(
      `SELECT c.height AS place, b.number, b.height, b.crc, b.id, b.parent, b.header, b.signature, b.body
       FROM chain c JOIN blocks b ON b.number = c.block WHERE c.height BETWEEN ? AND ? ORDER BY c.height`,
    ),
    heightOf: connection
      .prepare<[Buffer], number>(
        "SELECT b.height FROM blocks b JOIN chain c ON c.height = b.height AND c.block = b.number WHERE b.id = ?",
      )
      .pluck(),
    placesAbove: connection.prepare<
      [{ afterHeight: number; afterNumber: number; limit: number }],
      { height: number; number: number }
    >(
      `SELECT * FROM (SELECT height, block AS number FROM chain WHERE height > :afterHeight ORDER BY height LIMIT :limit)
       UNION ALL
       SELECT height, block AS number FROM reversible WHERE (height, block) > (:afterHeight, :afterNumber)
       ORDER BY height, number LIMIT :limit`,
    ),
    firstHeight: connection.prepare<[], number | null>("SELECT min(height) FROM chain").pluck(),
    pointer: connection.prepare<[], PointerRow>("SELECT height, id, certificate, frontier, crc FROM pointer"),
    record: connection.prepare<[], { bytes: Buffer; sha256: Buffer }>("SELECT bytes, sha256 FROM record"),
    certificateFor: connection.prepare<[number], CertificateRow>(
      "SELECT height, id, certificate, crc FROM certificates WHERE height >= ? ORDER BY height LIMIT 1",
    ),
    producerSets: connection.prepare<[], SetsRow>("SELECT height, proven, sets, crc FROM producers ORDER BY height"),
    changeProving: connection.prepare<[number], SetsRow>(
      "SELECT height, proven, sets, crc FROM producers WHERE proven > ? ORDER BY height LIMIT 1",
    ),
    newestCertificate: connection.prepare<[], CertificateRow>(
      "SELECT height, id, certificate, crc FROM certificates ORDER BY height DESC LIMIT 1",
    ),
    evidence: hasEvidence(connection)
      ? connection.prepare<[], EvidenceRow>("SELECT producer, kind, bytes, crc FROM evidence ORDER BY producer, kind")
      : undefined,
    idsBetween: connection
      .prepare<[Buffer, Buffer, number], Buffer>("SELECT id FROM blocks WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?")
      .pluck(),
  };
}
