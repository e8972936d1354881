/** Carrying out a ChainWrite on an open connection, inside the caller's transaction. */
import { crc32 } from "node:zlib";
import { checksum, evidenceChecksum, recordChecksum } from "./chainChecksum.ts";
import type { PackedBlock, PackedChainWrite, PackedEvidence, PackedIrreversible, PackedSets } from "./chainMessage.ts";
import type { BlockRow } from "./chainSchema.ts";
import type { Connection } from "./connection.ts";
import { StorageError } from "./types.ts";

interface BlockPlace {
  readonly number: number;
  readonly height: number;
  readonly parent: Buffer;
}

interface Pointer {
  readonly height: number;
  readonly id: Buffer;
}

export class ChainTables {
  readonly #file: string;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(connection: Connection) {
    this.#file = connection.name;
    this.#statements = prepareStatements(connection);
  }

  /** Throws REFUSED when the write would move the irreversible block back or to another branch. */
  write(write: PackedChainWrite): void {
    for (const block of write.blocks) this.#putBlock(block);
    if (write.record !== undefined) this.#statements.putRecord.run(write.record, recordChecksum(write.record));
    if (write.irreversible !== undefined) this.#advance(write.irreversible, write.firstHeight);
    for (const each of write.evidence) this.#putEvidence(each);
    if (write.firstHeight !== undefined) this.#prune(write.firstHeight);
  }

  #putEvidence({ producer, kind, bytes }: PackedEvidence): void {
    this.#statements.putEvidence.run(producer, kind.toString("latin1"), bytes, evidenceChecksum(producer, kind, bytes));
  }

  #putBlock(block: PackedBlock): void {
    const { height, id, parent, header, signature, body } = block;
    const crc = crc32(block.covered);
    const added = this.#statements.addBlock.run(height, crc, id, parent, header, signature, body);
    if (added.changes === 0) this.#repair(block, crc);
    else this.#statements.addReversible.run(height, added.lastInsertRowid);
  }

  /** The block is there already. Intact it stays; a damaged row is replaced by what a peer sent again. */
  #repair(block: PackedBlock, crc: number): void {
    const stored = this.#statements.contentById.get(block.id);
    if (stored === undefined) return;
    const { number, height, id, parent, header, signature, body } = stored;
    if (checksum(height, id, parent, header, signature, body) === stored.crc) return;
    this.#statements.replaceBlock.run(
      block.height,
      crc,
      block.id,
      block.parent,
      block.header,
      block.signature,
      block.body,
      number,
    );
  }

  #advance(to: PackedIrreversible, firstHeight: number | undefined): void {
    const before = this.#statements.pointer.get();
    if (before === undefined || to.height > before.height) this.#moveToChain(to, before, firstHeight);
    else if (to.height < before.height || !before.id.equals(to.id)) throw this.#refused(before, to, "it would go back");
    const crc = checksum(to.height, to.id, to.certificate, to.frontier);
    this.#statements.putPointer.run(to.height, to.id, to.certificate, to.frontier, crc);
    for (const each of to.producerSets) this.#putSets(each);
    if (to.certificate.length > 0) {
      const certificateCrc = checksum(to.height, to.id, to.certificate);
      this.#statements.putCertificate.run(to.height, to.id, to.certificate, certificateCrc);
    }
  }

  #putSets({ from, provenHeight, sets }: PackedSets): void {
    this.#statements.putSets.run(from, provenHeight, sets, checksum(from, sets));
  }

  /** The new irreversible block's ancestors join the chain; whatever else is not above it goes. */
  #moveToChain(to: PackedIrreversible, before: Pointer | undefined, firstHeight: number | undefined): void {
    const statements = this.#statements;
    const oldHeight = before?.height ?? -1;
    let lowest: BlockPlace | undefined;
    let place = statements.placeById.get(to.id);
    while (place !== undefined && place.height > oldHeight) {
      statements.addToChain.run(place.height, place.number);
      statements.removeReversible.run(place.height, place.number);
      lowest = place;
      place = statements.placeById.get(place.parent);
    }
    if (before !== undefined) this.#checkJoint(before, to, lowest, firstHeight);
    statements.deleteStale.run(to.height);
    statements.deleteStaleReversible.run(to.height);
  }

  /**
   * The descent must have ended at the block that was irreversible before, or, after a snapshot, at the block
   * that the same write names as the first one kept. Else a damaged link would delete a chain as stale.
   */
  #checkJoint(
    before: Pointer,
    to: PackedIrreversible,
    lowest: BlockPlace | undefined,
    firstHeight: number | undefined,
  ): void {
    if (lowest === undefined) throw this.#refused(before, to, "the block is not stored");
    if (lowest.height === before.height + 1 && lowest.parent.equals(before.id)) return;
    if (lowest.height === firstHeight) return;
    throw this.#refused(before, to, `its stored ancestors end at height ${lowest.height}`);
  }

  #refused(before: Pointer, to: PackedIrreversible, why: string): StorageError {
    const from = `${before.height} ${before.id.toString("hex")}`;
    const text = `irreversible block ${from} cannot become ${to.height} ${to.id.toString("hex")}: ${why}`;
    return new StorageError("REFUSED", this.#file, text);
  }

  #prune(firstHeight: number): void {
    const statements = this.#statements;
    const pointer = statements.pointer.get();
    if (pointer === undefined || firstHeight > pointer.height) {
      throw new StorageError("REFUSED", this.#file, `cannot prune up to ${firstHeight}: it is not irreversible`);
    }
    statements.pruneBlocks.run(firstHeight);
    statements.pruneChain.run(firstHeight);
    statements.pruneCertificates.run(firstHeight);
  }
}

function prepareStatements(connection: Connection) {
  return {
    addBlock: connection.prepare(
      `INSERT INTO blocks (height, crc, id, parent, header, signature, body) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    ),
    replaceBlock: connection.prepare(
      `UPDATE blocks SET height = ?, crc = ?, id = ?, parent = ?, header = ?, signature = ?, body = ? WHERE number = ?`,
    ),
    contentById: connection.prepare<[Buffer], BlockRow>("SELECT * FROM blocks WHERE id = ?"),
    placeById: connection.prepare<[Buffer], BlockPlace>("SELECT number, height, parent FROM blocks WHERE id = ?"),
    addReversible: connection.prepare("INSERT INTO reversible (height, block) VALUES (?, ?)"),
    removeReversible: connection.prepare("DELETE FROM reversible WHERE height = ? AND block = ?"),
    addToChain: connection.prepare("INSERT INTO chain (height, block) VALUES (?, ?)"),
    deleteStale: connection.prepare(
      "DELETE FROM blocks WHERE number IN (SELECT block FROM reversible WHERE height <= ?)",
    ),
    deleteStaleReversible: connection.prepare("DELETE FROM reversible WHERE height <= ?"),
    pointer: connection.prepare<[], Pointer>("SELECT height, id FROM pointer"),
    putPointer: connection.prepare(
      "INSERT OR REPLACE INTO pointer (one, height, id, certificate, frontier, crc) VALUES (1, ?, ?, ?, ?, ?)",
    ),
    putCertificate: connection.prepare(
      "INSERT OR REPLACE INTO certificates (height, id, certificate, crc) VALUES (?, ?, ?, ?)",
    ),
    putSets: connection.prepare("INSERT OR REPLACE INTO producers (height, proven, sets, crc) VALUES (?, ?, ?, ?)"),
    putRecord: connection.prepare("INSERT OR REPLACE INTO record (one, bytes, sha256) VALUES (1, ?, ?)"),
    putEvidence: connection.prepare("INSERT OR REPLACE INTO evidence (producer, kind, bytes, crc) VALUES (?, ?, ?, ?)"),
    pruneBlocks: connection.prepare("DELETE FROM blocks WHERE number IN (SELECT block FROM chain WHERE height < ?)"),
    pruneChain: connection.prepare("DELETE FROM chain WHERE height < ?"),
    pruneCertificates: connection.prepare("DELETE FROM certificates WHERE height < ?"),
  };
}
