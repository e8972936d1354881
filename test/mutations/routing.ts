/** Deliberate faults in routing that the simulator finds in networks where producers are no neighbours, as links come and go. */
import { mutation, type Edit, type Mutation } from "./mutation.ts";

const TABLE = "net/transport/routeTable.ts";
const ROUTING = "net/transport/routing.ts";

function edited(name: string, edits: readonly Edit[], sweep: Partial<Mutation> = {}): Mutation {
  return mutation("routing", name, edits, {
    faults: "flapping",
    producers: "3..5",
    followers: "2..3",
    topology: "ring",
    ...sweep,
  });
}

export const ROUTING_SWEPT: readonly Mutation[] = [
  edited("every route is feasible", [
    {
      file: TABLE,
      find: "return source === undefined || seqno",
      replace: "return true || source === undefined || seqno",
    },
  ]),
  edited("what was told is not taken down", [
    { file: ROUTING, find: "    this.#table.told(producer, { seqno, metric });\n", replace: "" },
  ]),
  edited("requests for a newer seqno are not sent", [
    { file: ROUTING, find: "if (from === undefined) return vias;", replace: "if (from === undefined) return [];" },
  ]),
];
