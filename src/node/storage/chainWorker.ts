/** The thread that writes chain.db. Started by `ChainStore`. */
import { workerData } from "node:worker_threads";
import { unpackChainWrite } from "./chainMessage.ts";
import type { PackedChainWrite } from "./chainMessage.ts";
import { addLaterTables, CHAIN_WRITER, readChainIdentity } from "./chainSchema.ts";
import { ChainTables } from "./chainTables.ts";
import { Checkpointer } from "./checkpointer.ts";
import { openWriter } from "./connection.ts";
import { runWriter } from "./writerEntry.ts";
import type { OpenedWriter } from "./writerEntry.ts";

export interface ChainWorkerData {
  readonly file: string;
  readonly chainId: string | undefined;
}

/** What the thread says when it is ready: the settings that durability rests on, as SQLite reports them. */
export interface ChainWorkerInfo {
  readonly journalMode: string;
  /** 2 is FULL. */
  readonly synchronous: number;
}

/** 8 MiB of log: a checkpoint then costs some tens of ms. */
const CHECKPOINT_PAGES = 1_024;

const { file, chainId } = workerData as ChainWorkerData;
runWriter(file, "chain", open);

function open(): OpenedWriter<PackedChainWrite> {
  const connection = openWriter(file, CHAIN_WRITER);
  readChainIdentity(connection, file, chainId);
  addLaterTables(connection);
  const tables = new ChainTables(connection);
  const checkpointer = new Checkpointer(connection, CHECKPOINT_PAGES);
  const begin = connection.prepare("BEGIN IMMEDIATE");
  const commit = connection.prepare("COMMIT");
  const info: ChainWorkerInfo = {
    journalMode: String(connection.pragma("journal_mode", { simple: true })),
    synchronous: Number(connection.pragma("synchronous", { simple: true })),
  };
  return {
    info,
    tasks: {
      file,
      kind: "chain",
      decode: unpackChainWrite,
      through: (batch) => batch[batch.length - 1]!.token,
      begin: () => void begin.run(),
      write: (write) => tables.write(write),
      commit: () => void commit.run(),
      rollback: () => {
        if (connection.inTransaction) connection.exec("ROLLBACK");
      },
      afterCommit: () => {},
      upkeep: (queueIsEmpty, report) => {
        const durationMs = checkpointer.run(queueIsEmpty);
        if (durationMs !== undefined) report({ kind: "checkpointed", durationMs });
        return false;
      },
      answer: () => undefined,
      close: () => void connection.close(),
    },
  };
}
