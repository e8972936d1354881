/** Deliberate faults in what carries no tag: storage, mempool, sync and held blocks, replicas without a record. */
import { mutation, type Mutation } from "./mutation.ts";

const REPLICA = "src/replica/replica.ts";
const SUBMISSIONS = "src/replica/submissions.ts";
const LEDGER = "chain/ledger.ts";
const MEMPOOL = "consensus/mempool/mempool.ts";
const CONNECTION = "consensus/sync/connection.ts";
const SYNC = "consensus/sync/sync.ts";
const RAFT = "consensus/raft/raft.ts";
const VOTE_RECORD = "consensus/leading/voteRecord.ts";

function edited(
  tag: string,
  name: string,
  file: string,
  find: string,
  replace: string,
  sweep: Partial<Mutation> = {},
): Mutation {
  return mutation(tag, name, [{ file, find, replace }], sweep);
}

export const BEYOND_TAGS: readonly Mutation[] = [
  edited(
    "storage",
    "nothing waits for its token",
    "src/replica/outbox.ts",
    "...(durable && pending && { after: this.#token })",
    "...(durable && pending && {})",
  ),
  edited(
    "storage",
    "what is irreversible is told before it is on disk",
    REPLICA,
    'this.#parts.outbox.whenDurable({ kind: "irreversible", node });',
    "this.#promise(node);",
  ),
  edited(
    "storage",
    "a flush loses a key",
    "src/replica/stateFlusher.ts",
    "changes: flush.changes,",
    "changes: flush.changes.slice(1),",
  ),
  edited(
    "storage",
    "a flush takes the changes of its last block only",
    LEDGER,
    "state.netChanges(nodes.map(undoOf), this.#undosAbove(), last.height)",
    "state.netChanges(nodes.slice(-1).map(undoOf), this.#undosAbove(), last.height)",
  ),
  edited(
    "storage",
    "the state says that it holds a block less than it does",
    "src/replica/stateFlusher.ts",
    "height: last.height,\n      id: last.id,",
    "height: Math.max(0, last.height - 1),\n      id: last.id,",
  ),
  edited(
    "storage",
    "a branch that is left is not undone",
    LEDGER,
    "this.#setting.state.undoBlock(node.execution.undo);",
    "",
    { faults: "churning" },
  ),
  edited(
    "storage",
    "the history on disk is that of the block before",
    REPLICA,
    "frontier: encodeFrontier(node.frontier),",
    "frontier: encodeFrontier((node.parent ?? node).frontier),",
  ),
  mutation("mempool", "a transaction is executed again after a change of leaders", [
    {
      file: "chain/execution.ts",
      find: "if (!duplicates.add(ids, offset))",
      replace: "if (!duplicates.add(ids, offset) && offset < 0)",
    },
    {
      file: SUBMISSIONS,
      find: "if (mempool.get(id) !== undefined || ledger.findTransaction(idBytes) !== undefined) continue;",
      replace: "if (mempool.get(id) !== undefined) continue;",
    },
  ]),
  edited(
    "mempool",
    "what a new leader has to be told is forgotten",
    SUBMISSIONS,
    "for (const entry of this.#host.mempool.localPending()) this.#unforwarded.set(entry.id, entry);",
    "",
  ),
  edited(
    "mempool",
    "told expired two seconds too early",
    MEMPOOL,
    "if (waits && entry.expiresAt < time) {",
    "if (waits && entry.expiresAt < time + 2_000) {",
  ),
  edited(
    "mempool",
    "what a branch held is lost with it",
    REPLICA,
    "for (const node of event.undone) this.#parts.submissions.blockUndone(node);",
    "",
    { faults: "churning" },
  ),
  edited(
    "mempool",
    "no block proves what has expired",
    MEMPOOL,
    "for (const entry of this.#doomed) if (entry.expiresAt >= headTime) return true;",
    "",
    { check: "tests", tests: ["test/replica/submissions.test.ts"] },
  ),
  edited(
    "sync",
    "a block is left out of the stream",
    CONNECTION,
    "this.#chain.blockAt(known + 1)",
    "this.#chain.blockAt(known + 2)",
  ),
  edited(
    "sync",
    "a block that is held back tells what its sender has",
    SYNC,
    'if (outcome.kind !== "held") connection.blockReceived(',
    "connection.blockReceived(",
    { faults: "jumping" },
  ),
  edited(
    "sync",
    "only the first who sends a held block is known to have it",
    "src/replica/blockSenders.ts",
    "if (!known.includes(from)) known.push(from);",
    "",
    { faults: "jumping" },
  ),
  edited(
    "record",
    "who has lost its record answers heartbeats",
    VOTE_RECORD,
    "if (!this.takesPart) return;\n    this.#host.unicast(leader,",
    "this.#host.unicast(leader,",
    { faults: "forgetful" },
  ),
  edited(
    "record",
    "who has lost its record votes",
    RAFT,
    "if (!this.#record.takesPart) return;\n    if (request.preVote) return this.#answerPreVote(candidate, request);",
    "if (request.preVote) return this.#answerPreVote(candidate, request);",
    // 200 seeds do not find it any more: two elections of one view around the loss are rare.
    { check: "tests", tests: ["test/consensus/raft.test.ts"] },
  ),
];
