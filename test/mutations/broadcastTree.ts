/** Deliberate faults in the tree of links and in what travels over it. */
import { mutation, type Mutation } from "./mutation.ts";

const STATES = "net/transport/linkStates.ts";
const TREE = "net/transport/broadcastTree.ts";
const CONNECTION = "consensus/sync/connection.ts";
const SYNC = "consensus/sync/sync.ts";
const TREE_TEST = "test/net/broadcastTree.test.ts";
const SYNC_TEST = "test/consensus/sync.test.ts";

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("tree", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

function modelled(name: string, file: string, find: string, replace: string): Mutation {
  return mutation("tree", name, [{ file, find, replace }], { check: "model" });
}

export const BROADCAST_TREE: readonly Mutation[] = [
  modelled(
    "prune without graft: what is announced and does not come is not asked for",
    SYNC,
    "if (first !== undefined) this.#host.links.graft(first[0]);",
    "",
  ),
  modelled(
    "a graft does not resume the stream",
    SYNC,
    "    this.#connections.get(peer)?.push();\n  }\n\n  headMoved",
    "  }\n\n  headMoved",
  ),
  modelled(
    "an announcement moves last sent",
    CONNECTION,
    "this.#announced = head.id;",
    "this.#announced = head.id;\n    this.#known.learnHeight(head.height);",
  ),
  modelled(
    "a backup link is streamed over",
    CONNECTION,
    "if (!this.#out.isActive()) return this.#announce();",
    "if (!this.#out.isActive()) this.#announce();",
  ),
  tested("a duplicate does not prune", STATES, "if (!this.#prunes || ", "if (this.#prunes || ", TREE_TEST),
  tested(
    "what was under way by a lost link prunes the next",
    STATES,
    "this.#host.now() < this.#brokeAt + PRUNE_SETTLES_MS",
    "false",
    TREE_TEST,
  ),
  tested("presence prunes links that blocks use", STATES, "shapes && first", "first", TREE_TEST),
  tested("a prune changes one end only", STATES, "this.#host.sendPrune(peer, id);", "", TREE_TEST),
  tested("the same copy twice prunes the only link", STATES, "first !== from && ", "", TREE_TEST),
  tested(
    "a broadcast that is announced and does not come is not grafted for",
    TREE,
    "this.#host.links.graft(announcers[asked % announcers.length] as PeerKey, id);",
    "",
    TREE_TEST,
  ),
  tested(
    "who has lost its last active link waits for an announcement to be late",
    STATES,
    "if (next !== undefined) this.graft(next);",
    "",
    TREE_TEST,
  ),
  tested(
    "who has lost the link by which all came counts on those that it serves itself",
    STATES,
    "else if (peer !== this.#source) return;",
    "else return;",
    TREE_TEST,
  ),
  tested(
    "all who announced a block stream it at once",
    SYNC,
    "for (const [, connection] of overdue) connection.asked(now, connection === first?.[1]);",
    "for (const [peer, connection] of overdue) {\n      connection.asked(now, true);\n      this.#host.links.graft(peer);\n    }",
    SYNC_TEST,
  ),
];
