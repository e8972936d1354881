/** The vote record against the chain beside it. */
import { type Configuration, isProducer } from "../../chain/configuration.ts";
import { headerMessage } from "../../chain/header.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import type { ChainRows } from "../../src/node/storage/chainRows.ts";
import { type Fault, FaultFound } from "./fault.ts";

/**
 * Its checksum, its encoding, and that it does not contradict the blocks: a record that was changed together with its
 * checksum and contradicts nothing cannot be told from a true one.
 * @throws FaultFound
 */
export function checkVoteRecord(rows: ChainRows, configuration: Configuration): void {
  const fail = (detail: string, rest: Partial<Fault> = {}): never => {
    throw new FaultFound({ kind: "vote record", detail, file: rows.file, ...rest });
  };
  const stored = rows.record();
  if (stored === undefined) return fail("it is missing");
  if (!stored.isIntact) fail("it does not match its SHA-256");
  const decoded = raftRecordMessage.decode(stored.bytes);
  if (!decoded.ok) return fail(`it does not decode: ${decoded.error.detail}`);
  const { view, votedFor, ackedHead } = decoded.value;
  if (votedFor !== undefined && !isProducer(configuration, votedFor)) fail(`it votes for ${votedFor}, no producer`);
  if (view < ackedHead.view) fail(`it is in view ${view} and acknowledges a block of view ${ackedHead.view}`);
  const stands = rows.blockAt(ackedHead.height);
  const header = stands && headerMessage.decode(stands.header);
  if (stands === undefined || header?.ok !== true) return;
  const { view: chainView } = header.value;
  // One leader a view, one block a height of it [R1]: two of one view at one height cannot both exist.
  if ((stands.id === ackedHead.id) === (chainView === ackedHead.view)) return;
  fail("the block it acknowledges is not the one of its view at that height", {
    height: ackedHead.height,
    expected: `${stands.id} of view ${chainView}`,
    found: `${ackedHead.id} of view ${ackedHead.view}`,
  });
}
