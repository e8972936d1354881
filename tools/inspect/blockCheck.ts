/** One stored block against itself: header, id, signature's length, body, columns. Nothing here needs another block. */
import { assembleBlock, type Block, blockClaim } from "../../chain/block.ts";
import { SIGNATURE_BYTES } from "../../chain/constants.ts";
import { headerMessage } from "../../chain/header.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import type { AsStored } from "../../src/node/storage/chainRows.ts";
import type { StoredBlock } from "../../src/node/storage/types.ts";
import { type Fault, FaultFound, type FaultKind } from "./fault.ts";

export interface BlockCheck {
  readonly file: string;
  readonly chainId: string;
  /** What others say the block's id is (its child, the irreversible pointer), as far as they can be read. */
  readonly wanted: () => string | undefined;
}

/**
 * The block of a row. Hashes are looked at before the row's checksum, so that what is wrong is named and not only that
 * something is.
 * @throws FaultFound
 */
export function checkedBlock(row: AsStored<StoredBlock>, { file, chainId, wanted }: BlockCheck): Block {
  const { height, id } = row;
  const fail = (kind: FaultKind, detail: string, rest: Partial<Fault> = {}): never => {
    throw new FaultFound({ kind, detail, file, height, id, ...rest });
  };
  const hash = sha256Hex(row.header);
  if (hash !== id) {
    if (wanted() === hash) fail("block id", "the row's id is not the header's SHA-256", { expected: hash, found: id });
    fail("header", "its SHA-256 is not the block's id", { expected: id, found: hash });
  }
  const header = headerMessage.decode(row.header);
  if (!header.ok) return fail("header", `it does not decode: ${header.error.detail}`);
  if (row.signature.length !== SIGNATURE_BYTES) fail("signature", `it has ${row.signature.length} bytes`);
  const block = assembleBlock(row.header, row.signature, row.body);
  if (!block.ok) {
    if (block.error.code !== "BODY_DOES_NOT_MATCH") return fail("body", `it does not decode: ${block.error.detail}`);
    const { field } = block.error;
    const expected = header.value[field];
    return fail("body", `it does not have the header's ${field}`, { ...(expected !== undefined && { expected }) });
  }
  if (header.value.height !== height) {
    fail("block row", "its height is not the header's", { expected: `${header.value.height}`, found: `${height}` });
  }
  if (header.value.parent !== row.parent) {
    fail("block row", "its parent is not the header's", { expected: header.value.parent, found: row.parent });
  }
  // Signatures are checked behind, many together; of a row that is wrong anyway, this is the last part it can be.
  if (!row.isIntact && !verifySignature(blockClaim(chainId, block.value))) {
    fail("signature", `it is not one of producer ${block.value.header.producer} over this block`);
  }
  if (!row.isIntact) fail("block row", "its checksum is wrong, though all it covers is right");
  return block.value;
}
