/**
 * An operator confirms that a producer's vote record was lost: a fresh one takes its place, which keeps the producer out of
 * every view that it may have promised anything in (`consensus/lostRecord.ts`). Nothing else ever does that.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineName } from "../../chain/genesis.ts";
import { type LossRefusal, recordAfterLoss } from "../../consensus/lostRecord.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ChainDirectory, type VoteRecord } from "./chainDirectory.ts";
import { toGenesis } from "./genesisFile.ts";
import { ChainStore } from "./storage/chainStore.ts";
import { acquireLock } from "./storage/lock.ts";

/** In the node's directory: each confirmation is a line of JSON. */
export const CONFIRMATIONS_FILE = "confirmed-losses.jsonl";

export interface Loss {
  readonly verdict: "missing" | "damaged" | "undecodable" | "old";
  readonly engine: EngineName;
  /** What was promised in views up to this one is not known. */
  readonly unknownUpTo: number;
}

export interface NothingLost {
  readonly code: "RECORD_IS_WHOLE";
}

interface Prepared {
  readonly loss: Loss;
  readonly chainId: string;
  readonly record: Uint8Array;
}

/**
 * @param isConfirmed false: only whether it could be done is found out
 * @throws StorageError: LOCKED while a node runs here, DAMAGED when what else chain.db holds does not tell enough
 */
export async function confirmLostRecord(
  dir: string,
  isConfirmed: boolean,
  nowMs: number,
): Promise<Result<Loss, LossRefusal | NothingLost>> {
  const lock = acquireLock(dir);
  try {
    const prepared = prepare(dir);
    if (!prepared.ok) return prepared;
    const { loss, chainId, record } = prepared.value;
    if (isConfirmed) {
      const line = JSON.stringify({ time: new Date(nowMs).toISOString(), ...loss });
      appendFileSync(join(dir, CONFIRMATIONS_FILE), `${line}\n`, { mode: 0o600, flush: true });
      await replaceRecord(dir, chainId, record);
    }
    return ok(loss);
  } finally {
    lock.release();
  }
}

function prepare(dir: string): Result<Prepared, LossRefusal | NothingLost> {
  const directory = ChainDirectory.open(dir);
  try {
    const { engine, chainId } = toGenesis(directory.genesis);
    const vote = directory.voteRecord();
    const verdict = verdictOf(vote);
    if (verdict === undefined) return err({ code: "RECORD_IS_WHOLE" });
    const { head, byId } = directory.tree();
    const views = [...byId.values()].map(({ block }) => block.view);
    const view = Math.max(...views, vote.verdict === "ok" ? vote.record.content.view : 0);
    const { height, id } = head.block;
    const known = { view, head: { view: head.block.view, height, id }, genesis: directory.genesisRef };
    const record = recordAfterLoss(engine, directory.nextSets(), known);
    if (!record.ok) return record;
    return ok({ loss: { verdict, engine, unknownUpTo: view }, chainId, record: record.value });
  } finally {
    directory.close();
  }
}

/** Undefined: it is whole. */
function verdictOf(vote: VoteRecord): Loss["verdict"] | undefined {
  if (vote.verdict !== "ok") return vote.verdict;
  return vote.record.content.outdated === true ? "old" : undefined;
}

/** Resolves when it is on the disk. */
async function replaceRecord(dir: string, chainId: string, record: Uint8Array): Promise<void> {
  let onPersisted = (): void => undefined;
  let onError: (error: Error) => void = () => undefined;
  const written = new Promise<void>((resolve, reject) => {
    onPersisted = resolve;
    onError = reject;
  });
  const events = { onPersisted: () => onPersisted(), onError: (error: Error) => onError(error) };
  const store = await ChainStore.open(dir, events, { chainId });
  try {
    store.persist({ token: 0, blocks: [], record });
    await written;
  } finally {
    await store.close();
  }
}
