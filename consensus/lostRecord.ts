/**
 * A fresh record for a producer whose record was lost or is an old one, when its operator says so (docs/protocol.md,
 * section 4). What it promised is not known, so the record keeps it out of every view that it may have promised anything
 * in, as far as its disk and those tell that hold its messages: the others open a later one without it.
 */
import { majorityOf } from "../chain/configuration.ts";
import type { EngineName } from "../chain/genesis.ts";
import type { BlockRef } from "../chain/header.ts";
import { configurationsOf, type ProducerSets } from "../chain/producerSets.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { initialBftRecord } from "./bft/heldRecord.ts";
import { bftRecordMessage } from "./bft/messages.ts";
import { quorumOf } from "./bft/rules.ts";
import { raftRecordMessage } from "./raft/messages.ts";
import { vsrRecordMessage } from "./vsr/messages.ts";

/** What a disk still tells. */
export interface KnownOfLost {
  /** Highest view of a block, or of a record that is an old one. */
  readonly view: number;
  readonly head: BlockRef;
  readonly genesis: BlockRef;
}

export interface LossRefusal {
  /** They cannot decide anything without this producer. */
  readonly code: "OTHERS_ARE_TOO_FEW";
  readonly producers: number;
}

/**
 * @param sets who decides next, as far as the disk tells
 * @returns the encoded record
 */
export function recordAfterLoss(
  engine: EngineName,
  sets: ProducerSets,
  { view, head, genesis }: KnownOfLost,
): Result<Uint8Array, LossRefusal> {
  const producers = sets.members.length;
  // Here the others' answers are enough, but where some of them have lost theirs as well.
  if (engine === "vsr") {
    const lostWithOthers = producers > 1 || undefined;
    return ok(vsrRecordMessage.encode({ view, ackedHead: head, incarnations: [], lostWithOthers }));
  }
  // Who is alone has promised nobody anything.
  const isAlone = producers === 1;
  const needed = engine === "bft" ? quorumOf : majorityOf;
  const areTooFew = configurationsOf(sets).some((each) => needed(each) > each.producers.length - 1);
  if (!isAlone && areTooFew) return err({ code: "OTHERS_ARE_TOO_FEW", producers });
  const fresh = { view: view + 1, ackedHead: head, ...(!isAlone && { unknownUpTo: view }) };
  if (engine === "raft") return ok(raftRecordMessage.encode(fresh));
  return ok(bftRecordMessage.encode({ ...initialBftRecord(genesis), ...fresh, viewChangeSent: view + 1 }));
}
