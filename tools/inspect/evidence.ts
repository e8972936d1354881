/** Stored evidence against producers: that each piece is what its row says, and proves it. */
import type { EngineKit } from "../../consensus/engines.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import type { ChainRows } from "../../src/node/storage/chainRows.ts";
import { FaultFound } from "./fault.ts";

/** @returns how many pieces there are. @throws FaultFound */
export function checkStoredEvidence(rows: ChainRows, kit: EngineKit): number {
  const stored = rows.evidence();
  for (const { producer, kind, bytes, isIntact } of stored) {
    const fail = (detail: string): never => {
      throw new FaultFound({ kind: "evidence", detail: `${kind} against ${producer}: ${detail}`, file: rows.file });
    };
    // Against whoever was a producer when it was found.
    const decoded = kit.decodeEvidence(bytes, () => true);
    if (!decoded.ok) return fail(decoded.error.detail);
    const { value } = decoded;
    if (value.producer !== producer || value.kind !== kind) fail(`it is ${value.kind} against ${value.producer}`);
    if (!value.claims.every(verifySignature)) fail("a signature in it is not the producer's");
    if (!isIntact) fail("its row's checksum is wrong, though all it covers is right");
  }
  return stored.length;
}
