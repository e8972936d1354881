/** Verification of blocks that come as a stream: from a node over HTTP, or out of an export. */
import type { Application } from "../../chain/application.ts";
import { type GenesisFile, toGenesis } from "../../src/node/genesisFile.ts";
import type { ReadBlock } from "./blockOfJson.ts";
import { ChainVerifier } from "./chainVerifier.ts";
import { FaultFound } from "./fault.ts";
import type { OnProgress, Report } from "./verification.ts";

/**
 * Checks links, roots, signatures, certificates and execution from height 1 on; what only a directory has is not there.
 * Rejects with what the stream rejects with.
 */
export async function verifyBlocks(
  blocks: AsyncIterable<ReadBlock>,
  genesis: GenesisFile,
  application: Application,
  target: number,
  onProgress: OnProgress,
): Promise<Report> {
  const verifier = await ChainVerifier.start(toGenesis(genesis), application);
  try {
    for await (const { block, certificate } of blocks) {
      if (block.header.height === 0) continue;
      verifier.add(block);
      if (certificate !== undefined) addCertificate(verifier, certificate);
      verifier.execute();
      if (!verifier.isBusy) continue;
      await verifier.pause();
      onProgress({ ...verifier.counts, target });
    }
    await verifier.signaturesChecked();
    return { ok: true, ...verifier.counts };
  } catch (error) {
    if (!(error instanceof FaultFound)) throw error;
    const { fault } = await verifier.firstOf(error);
    return { ok: false, ...verifier.counts, fault };
  } finally {
    await verifier.close();
  }
}

/** A block shows the certificate of the next block that has one: it is checked where it belongs. */
function addCertificate(verifier: ChainVerifier, encoded: Uint8Array): void {
  const { height } = verifier.block.header;
  const certificate = verifier.kit.decodeCertificate(encoded);
  // By producers that a later block brings.
  if (!certificate.ok && certificate.error.code === "PRODUCERS_UNKNOWN") return;
  if (!certificate.ok || certificate.value.height <= height) verifier.addCertificate(encoded);
}
