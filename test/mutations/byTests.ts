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
    "a neighbour may speak in another's name",
    "net/transport/directTransport.ts",
    'if (source !== from) return "undecodable";',
    "",
    "test/net/directTransport.test.ts",
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
