/** The vote record against the chain beside it. */
import { type BlockRef, headerMessage } from "../../chain/header.ts";
import { quorumCertificateMessage } from "../../consensus/bft/certificates.ts";
import type { BftRecord } from "../../consensus/bft/messages.ts";
import type { EngineKit } from "../../consensus/engines.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import type { ChainRows } from "../../src/node/storage/chainRows.ts";
import { type Fault, FaultFound } from "./fault.ts";

/** @throws FaultFound */
type Fail = (detail: string, rest?: Partial<Fault>) => never;

/**
 * Its checksum, its encoding, and that it does not contradict itself or the blocks: a record that was changed together
 * with its checksum and contradicts nothing cannot be told from a true one.
 * @param kit knows the producer sets of the irreversible chain; a block above it may have brought others
 * @throws FaultFound
 */
export function checkVoteRecord(rows: ChainRows, kit: EngineKit, isProducer: (key: string) => boolean): void {
  const fail: Fail = (detail, rest = {}) => {
    throw new FaultFound({ kind: "vote record", detail, file: rows.file, ...rest });
  };
  const stored = rows.record();
  if (stored === undefined) return fail("it is missing");
  if (!stored.isIntact) fail("it does not match its SHA-256");
  const decoded = kit.decodeRecord(stored.bytes);
  if (!decoded.ok) return fail(`it does not decode: ${decoded.error.detail}`);
  const { engine, content } = decoded.value;
  if (engine === "bft") return checkBft(rows, content, kit, fail);
  const votedFor = engine === "raft" ? content.votedFor : undefined;
  if (votedFor !== undefined && !isProducer(votedFor)) fail(`it votes for ${votedFor}, no producer`);
  const { view, ackedHead } = content;
  if (view < ackedHead.view) fail(`it is in view ${view} and acknowledges a block of view ${ackedHead.view}`);
  // One leader a view, one block a height of it [R1]: two of one view at one height cannot both exist.
  checkAgainstChain(rows, "acknowledges", ackedHead, fail);
}

function checkBft(rows: ChainRows, record: BftRecord, kit: EngineKit, fail: Fail): void {
  const { view, viewChangeSent, lastPrepared, lastCommitted, highQc, highQcBytes, ackedHead } = record;
  if (viewChangeSent > view) fail(`it is in view ${view} and has asked for view ${viewChangeSent}`);
  const promised = { prepares: lastPrepared, commits: lastCommitted, acknowledges: ackedHead };
  for (const [does, ref] of Object.entries(promised)) {
    if (ref !== undefined && ref.view > view) fail(`it is in view ${view} and ${does} a block of view ${ref.view}`);
  }
  if (highQcBytes.length > 0 || highQc.height > 0) checkHighQc(rows, record, kit, fail);
  // Of two certified blocks of one view at one height a quorum would have prepared both. What was only prepared may be
  // one of two that a lying leader made.
  checkAgainstChain(rows, "knows to be certified", highQc, fail);
  if (lastCommitted !== undefined) checkAgainstChain(rows, "commits", lastCommitted, fail);
}

function checkHighQc(rows: ChainRows, { highQc, highQcBytes }: BftRecord, kit: EngineKit, fail: Fail): void {
  const certificate = kit.decodeCertificate(highQcBytes);
  if (!certificate.ok) {
    const { code, detail } = certificate.error;
    // A block above the chain may have brought them; that it is of the block that it says is seen all the same.
    const raw = quorumCertificateMessage.decode(highQcBytes);
    const isOfBlock = raw.ok && sha256Hex(raw.value.header) === highQc.id;
    const isAbove = code === "PRODUCERS_UNKNOWN" && rows.blockAt(highQc.height) === undefined;
    return isAbove && isOfBlock ? undefined : fail(`the certificate in it: ${detail}`);
  }
  const { height, id, view, isFinal, claims } = certificate.value;
  if (isFinal) fail("the certificate in it is of commits, not of prepares");
  if (height !== highQc.height || id !== highQc.id || view !== highQc.view) {
    fail("the certificate in it is of another block", { height, expected: highQc.id, found: id });
  }
  const forged = claims.find((claim) => !verifySignature(claim));
  if (forged !== undefined) fail(`a signature of the certificate in it is not of producer ${forged.key}`, { height });
}

function checkAgainstChain(rows: ChainRows, does: string, ref: BlockRef, fail: Fail): void {
  const stands = rows.blockAt(ref.height);
  const header = stands && headerMessage.decode(stands.header);
  if (stands === undefined || header?.ok !== true) return;
  const { view } = header.value;
  if ((stands.id === ref.id) === (view === ref.view)) return;
  fail(`the block it ${does} is not the one of its view at that height`, {
    height: ref.height,
    expected: `${stands.id} of view ${view}`,
    found: `${ref.id} of view ${ref.view}`,
  });
}
