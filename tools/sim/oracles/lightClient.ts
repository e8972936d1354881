/**
 * Oracle 3, the other half: somebody who knows only the genesis, and checks what a node hands out with the product's own
 * proof code, sees the same irreversible chain as the full nodes, and the transactions that are in it.
 */
import type { Block } from "../../../chain/block.ts";
import { HistoryTree } from "../../../chain/historyTree.ts";
import { inclusionProof, leafHash, verifyInclusion } from "../../../chain/merkle.ts";
import type { SignatureClaim } from "../../../chain/signing.ts";
import type { Certificate } from "../../../consensus/certificate.ts";
import type { EngineKit } from "../../../consensus/engines.ts";
import { hexBytes } from "../../../src/base/bytes.ts";
import { HASH_BYTES, sha256Hex } from "../../../src/base/hash.ts";
import { RuleBroken } from "../violation.ts";

const AGREES = "a light client that knows only the genesis agrees with full nodes";

/** What a light client is given besides the genesis: by anybody, and believed for its proofs only. */
export interface Source {
  readonly certificate: Uint8Array;
  /** Irreversible, from the genesis block on. */
  blockAt(height: number): Block;
}

export class LightClientOracle {
  readonly #decode: EngineKit["decodeCertificate"];
  readonly #verify: (claim: SignatureClaim) => boolean;
  /** The one chain that full nodes call irreversible. */
  readonly #idAt: (height: number) => string | undefined;

  constructor(
    decode: EngineKit["decodeCertificate"],
    verify: (claim: SignatureClaim) => boolean,
    idAt: (height: number) => string | undefined,
  ) {
    this.#decode = decode;
    this.#verify = verify;
    this.#idAt = idAt;
  }

  /** A certificate of a node convinces, and of nothing but what is irreversible. */
  certificate(node: number, bytes: Uint8Array): Certificate {
    const decoded = this.#decode(bytes);
    if (!decoded.ok) return fail(node, `its certificate is refused: ${decoded.error.detail}`);
    if (!decoded.value.isFinal) return fail(node, "its certificate proves nothing irreversible");
    const { height, id, claims } = decoded.value;
    if (!claims.every(this.#verify))
      fail(node, `its certificate of height ${height} has a signature that is not valid`);
    const decided = this.#idAt(height);
    if (decided !== id)
      fail(node, `it proves block ${id} irreversible at height ${height}, full nodes have ${decided}`);
    return decoded.value;
  }

  /** Blocks at these heights, and their first and last transactions, are proven under a node's newest certificate. */
  proofs(node: number, source: Source, heights: readonly number[]): void {
    const certified = this.certificate(node, source.certificate);
    const history = new HistoryTree((from, count) =>
      Array.from({ length: count }, (_, i) => sha256Hex(source.blockAt(from + i).headerBytes)),
    );
    while (!history.extend(certified.height, Number.POSITIVE_INFINITY));
    for (const height of heights) {
      if (height >= certified.height) continue;
      const block = source.blockAt(height);
      // A light client takes the id from the header that it was given.
      const id = sha256Hex(block.headerBytes);
      const path = history.proof(height, certified.height) ?? [];
      const root = hexBytes(certified.header.historyRoot);
      if (!verifyInclusion(leafHash(hexBytes(id)), height, certified.height, path, root))
        fail(node, `block ${height} ${id} is not in the history of block ${certified.height}`);
      if (this.#idAt(height) !== id) fail(node, `block ${height} is proven to be ${id}`);
      this.#transactions(node, block);
    }
  }

  #transactions(node: number, { header, transactions: { count }, transactionIds }: Block): void {
    const root = hexBytes(header.transactionRoot);
    for (const index of count === 0 ? [] : [0, count - 1]) {
      const leaf = transactionIds.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1));
      if (!verifyInclusion(leaf, index, count, inclusionProof(transactionIds, index), root))
        fail(node, `transaction ${index} of block ${header.height} is not under its root`);
    }
  }
}

function fail(node: number, detail: string): never {
  throw new RuleBroken("lightClient", AGREES, detail, [node]);
}
