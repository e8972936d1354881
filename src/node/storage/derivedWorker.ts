/** The thread that writes state.db and index.db. Started by `DerivedStore`. */
import { workerData } from "node:worker_threads";
import { Checkpointer } from "./checkpointer.ts";
import type { Connection } from "./connection.ts";
import { openDerivedWriter } from "./derivedFile.ts";
import { unpackDerivedWrite } from "./derivedMessage.ts";
import type { PackedDerivedWrite } from "./derivedMessage.ts";
import { GuardedIndex } from "./guardedIndex.ts";
import { STATE_FORMAT, StateTables } from "./stateTables.ts";
import { runWriter } from "./writerEntry.ts";
import type { OpenedWriter } from "./writerEntry.ts";

export interface DerivedWorkerData {
  readonly stateFile: string;
  /** Absent when the index is switched off. */
  readonly indexFile: string | undefined;
  readonly chainId: string;
}

/** What the thread says when it is ready. */
export interface DerivedWorkerInfo {
  readonly indexedHeight: number | undefined;
}

export type DerivedRequest =
  { readonly kind: "lookup"; readonly id: string } | { readonly kind: "flushIndex" } | { readonly kind: "makeDurable" };

/** 64 MiB of log: a page that several runs touch is then moved once. */
const CHECKPOINT_PAGES = 16_384;

const { stateFile, indexFile, chainId } = workerData as DerivedWorkerData;
runWriter(stateFile, "derived", open);

function open(wake: () => void): OpenedWriter<PackedDerivedWrite> {
  const connection = openDerivedWriter(stateFile, STATE_FORMAT, chainId);
  const tables = new StateTables(connection);
  const checkpointer = new Checkpointer(connection, CHECKPOINT_PAGES);
  const index = indexFile === undefined ? undefined : new GuardedIndex(indexFile, chainId, wake);
  const begin = connection.prepare("BEGIN IMMEDIATE");
  const commit = connection.prepare("COMMIT");
  const info: DerivedWorkerInfo = { indexedHeight: index?.height };
  return {
    info,
    tasks: {
      file: stateFile,
      kind: "derived",
      decode: unpackDerivedWrite,
      through: (batch) => batch.findLast((write) => write.id !== undefined)?.height ?? -1,
      begin: () => {
        index?.use((opened) => opened.makeRoom());
        begin.run();
      },
      write: (write) => tables.write(write),
      commit: () => void commit.run(),
      rollback: () => {
        if (connection.inTransaction) connection.exec("ROLLBACK");
      },
      afterCommit: (batch) => {
        for (const write of batch) index?.add(write);
      },
      upkeep: (queueIsEmpty, report) => {
        const durationMs = checkpointer.run(queueIsEmpty);
        if (durationMs !== undefined) report({ kind: "checkpointed", durationMs });
        return index?.upkeep(queueIsEmpty, report) ?? false;
      },
      answer: (body) => answer(body as DerivedRequest, connection, index),
      close: () => {
        connection.close();
        index?.close();
      },
    },
  };
}

function answer(request: DerivedRequest, connection: Connection, index: GuardedIndex | undefined): unknown {
  switch (request.kind) {
    case "lookup":
      return index?.ask((opened) => opened.lookup(request.id)) ?? [];
    case "flushIndex":
      return index?.ask((opened) => opened.flush());
    case "makeDurable":
      return makeDurable(connection);
  }
}

/**
 * Commits once with an fsync of the log, which covers every commit before; the height that is durable then.
 * The commit must change something: SQLite compares a row with its update and syncs nothing for an equal one.
 */
function makeDurable(connection: Connection): number | undefined {
  connection.pragma("synchronous = FULL");
  try {
    connection.exec("UPDATE meta SET value = value + 1 WHERE key = 'syncs'");
  } finally {
    connection.pragma("synchronous = NORMAL");
  }
  return connection.prepare<[], number>("SELECT height FROM applied").pluck().get();
}
