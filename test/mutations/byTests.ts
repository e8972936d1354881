/**
 * Deliberate faults that a named test must find: the simulator replaces links, and some situations a sweep meets too
 * seldom.
 */
import { mutation, type Mutation } from "./mutation.ts";

const FRAMES = "test/net/link/frame.test.ts";
const LINKS = "test/net/link/link.test.ts";
const NEGOTIATION = "test/net/link/negotiation.test.ts";

function tested(tag: string, name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation(tag, name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

export const BY_TESTS: readonly Mutation[] = [
  tested("link", "the last piece of a frame is lost", "net/link/frame.ts", "    pieces.push(last);\n", "", FRAMES),
  tested(
    "link",
    "an empty frame is swallowed",
    "net/link/frame.ts",
    "if (this.#missing === 0) this.#finish(input.subarray(at, at));",
    "if (this.#missing === 0) this.#headerBytes = 0;",
    FRAMES,
  ),
  tested(
    "link",
    "a lane takes more than its cap",
    "net/link/outbox.ts",
    "if (this.queuedBytes + size > this.#cap) return false;",
    "",
    FRAMES,
  ),
  tested(
    "link",
    "what is dropped includes the rest of a frame on its way",
    "net/link/outbox.ts",
    "if (this.#midFrame) {",
    "if (this.#midFrame && this.#head < 0) {",
    FRAMES,
  ),
  tested(
    "link",
    "a silent peer is never given up",
    "net/link/pinger.ts",
    "} else if (resend < timeoutsMs.length) {",
    "} else if (resend >= 0) {",
    LINKS,
  ),
  tested(
    "link",
    "both sides of a mutual connect decide which connection stays",
    "net/link/layer.ts",
    "const decides = this.key < peer;",
    "const decides = this.key !== peer;",
    LINKS,
  ),
  tested(
    "link",
    "an address that keeps failing is dialed as often as ever",
    "net/link/dialer.ts",
    'if (mustOpen || target.breaker === "halfOpen") target.breaker = "open";',
    "",
    LINKS,
  ),
  tested(
    "link",
    "a negotiation may name protocols for ever",
    "net/link/negotiation.ts",
    "++this.#names > NAMES_MAX",
    "++this.#names > 1e9",
    NEGOTIATION,
  ),
  tested(
    "link",
    "a producer's message counts in another's envelope",
    "src/replica/intake.ts",
    "if (signer === source && isProducer(",
    "if (isProducer(",
    "test/replica/intake.test.ts",
  ),
  tested(
    "routing",
    "a seqno is believed without its producer's signature",
    "src/replica/intake.ts",
    'return { arrival: { kind: "routing", message }, claims };',
    'return { arrival: { kind: "routing", message }, claims: claims.slice(claims.length) };',
    "test/replica/intake.test.ts",
  ),
  tested(
    "routing",
    "what is for others goes on before its signature was checked",
    "src/replica/intake.ts",
    "    const entered = this.#gate.submit(",
    "    if (judged.onward) this.#host.transport.forward(judged.onward, lane);\n    const entered = this.#gate.submit(",
    "test/replica/intake.test.ts",
  ),
  tested(
    "routing",
    "every route is feasible",
    "net/transport/routeTable.ts",
    "return source === undefined || seqno",
    "return true || source === undefined || seqno",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "a route as good as what was told is feasible",
    "net/transport/routeTable.ts",
    "seqno === source.seqno && metric < source.metric",
    "seqno === source.seqno && metric <= source.metric",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "what was told is not taken down",
    "net/transport/routing.ts",
    "    this.#table.told(producer, { seqno, metric });\n",
    "",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "requests for a newer seqno are not sent",
    "net/transport/routing.ts",
    "if (from === undefined) return vias;",
    "if (from === undefined) return [];",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "requests for a newer seqno are not passed on",
    "net/transport/routing.ts",
    "else if (producer === this.#host.self || request.hops > 1) {",
    "else if (producer === this.#host.self) {",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "a request for a newer seqno that comes early is dropped",
    "net/transport/routing.ts",
    "if (this.#turnOf(producer) > this.#host.now()) continue;",
    "if (this.#turnOf(producer) > this.#host.now()) {\n        this.#waiting.delete(producer);\n        continue;\n      }",
    "test/net/routing.test.ts",
  ),
  tested(
    "routing",
    "a lost route is not retracted",
    "net/transport/routing.ts",
    "        this.#changed.add(producer);\n        if (producer !== broken)",
    "        if (producer !== broken)",
    "test/net/routing.test.ts",
  ),
  tested(
    "sync",
    "who sent a block for which there was no room is forgotten",
    "src/replica/heldBlocks.ts",
    "else this.#drop(block.id, from);",
    "",
    "test/replica/heldBlocks.test.ts",
  ),
  tested(
    "record",
    "a restored old backup is not noticed",
    "consensus/raft/raft.ts",
    "if (!this.#takesPart() || !isAbove(message, this.#record)) return;",
    "if (message.content.view >= 0) return;",
    "test/sim/scenarios/storage.test.ts",
  ),
  tested(
    "record",
    "that a record is old is forgotten with the next restart",
    "consensus/raft/raft.ts",
    "this.#hasRecord = record !== undefined && record.outdated !== true;",
    "this.#hasRecord = record !== undefined;",
    "test/consensus/raft.test.ts",
  ),
];
