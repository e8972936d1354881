/** Deliberate faults in how nodes find each other, and in how a link's peer is given up and dialed again. */
import { mutation, type Mutation } from "./mutation.ts";

const BOOK = "net/transport/addressBook.ts";
const OUTBOUND = "net/transport/outboundLinks.ts";
const DISCOVERY = "src/replica/discovery.ts";
const DIALER = "net/link/dialer.ts";
const BOOK_TEST = "test/net/addressBook.test.ts";
const SCENARIO = "test/sim/scenarios/discovery.test.ts";
const DIALER_TEST = "test/net/link/dialer.test.ts";
const PINGER_TEST = "test/net/link/pinger.test.ts";

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("discovery", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

export const DISCOVERING: readonly Mutation[] = [
  tested(
    "signatures of addresses are not checked",
    "src/replica/intake.ts",
    'return { arrival: { kind: "addresses", records }, claims };',
    'return { arrival: { kind: "addresses", records }, claims: claims.slice(0, 0) };',
    SCENARIO,
  ),
  tested(
    "of two records of a node the last one that came counts",
    BOOK,
    "if (known !== undefined && known.record.sequence >= record.sequence) return false;",
    "",
    BOOK_TEST,
  ),
  tested(
    "the book has no bound",
    BOOK,
    "if (this.#entries.size < ADDRESS_BOOK_MAX) return true;",
    "if (this.#entries.size < Number.POSITIVE_INFINITY) return true;",
    BOOK_TEST,
  ),
  tested(
    "one neighbour may fill the book",
    BOOK,
    "own.length >= TOLD_BY_ONE_MAX",
    "own.length >= ADDRESS_BOOK_MAX",
    BOOK_TEST,
  ),
  tested(
    "producers and linked nodes make room for others",
    BOOK,
    "if (linkedAt !== undefined || this.#host.isProtected(node)) continue;",
    "if (linkedAt !== undefined) continue;",
    BOOK_TEST,
  ),
  tested(
    "nodes that a link was had with make room for others",
    BOOK,
    "if (linkedAt !== undefined || this.#host.isProtected(node)) continue;",
    "if (this.#host.isProtected(node)) continue;",
    BOOK_TEST,
  ),
  tested(
    "who is far away may tell of an address nearby",
    "net/transport/addressScope.ts",
    "return SCOPES.indexOf(address) >= SCOPES.indexOf(from);",
    "return SCOPES.includes(address) && SCOPES.includes(from);",
    BOOK_TEST,
  ),
  tested(
    "what a node said long ago is passed on",
    BOOK,
    "node !== but && record.sequence >= oldest &&",
    "node !== but && record.sequence < Number.POSITIVE_INFINITY && oldest > 0 &&",
    BOOK_TEST,
  ),
  tested("a neighbour's records are all looked at", DISCOVERY, "if (neighbour.left < 1) break;", "", SCENARIO),
  tested(
    "links that others dialed count as dialed",
    OUTBOUND,
    "for (const { outbound } of this.#linked.values()) if (outbound) count++;",
    "count = this.#linked.size;",
    BOOK_TEST,
  ),
  tested(
    "a node that is not there is dialed for ever",
    OUTBOUND,
    "      this.#letGo(node);\n      book.failed(node);\n",
    "",
    BOOK_TEST,
  ),
  tested(
    "a node that takes links and drops them is dialed for ever",
    OUTBOUND,
    "if (chosen !== undefined && lived >= DIAL_PATIENCE_MS) chosen.since = now;",
    "if (chosen !== undefined && lived >= 0) chosen.since = now;",
    BOOK_TEST,
  ),
  tested("nothing is kept over a restart", DISCOVERY, "    this.#host.keep(this.#book.kept());\n", "", SCENARIO),
  tested(
    "a told address takes the place of a configured one",
    DIALER,
    "return `${address}/p2p/${peer}`;",
    "return peer === address ? peer : address;",
    DIALER_TEST,
  ),
  tested("redials have no jitter", DIALER, "random() * ceilingMs", "ceilingMs", DIALER_TEST),
  tested(
    "a breaker never opens",
    DIALER,
    "target.failures >= limits.breakerFailures || HOPELESS.has(reason)",
    "HOPELESS.has(reason)",
    DIALER_TEST,
  ),
  tested(
    "a breaker that is half-open closes on a failure",
    DIALER,
    'if (mustOpen || target.breaker === "halfOpen") target.breaker = "open";',
    'if (target.breaker === "halfOpen") target.breaker = "closed";\n    else if (mustOpen) target.breaker = "open";',
    DIALER_TEST,
  ),
  tested(
    "a start that was slow is remembered",
    "net/link/pinger.ts",
    "this.rttMs = sampleMs < before ? sampleMs : ",
    "this.rttMs = ",
    PINGER_TEST,
  ),
  tested(
    "pings are resent once more",
    "net/link/pinger.ts",
    "} else if (resend < timeoutsMs.length) {",
    "} else if (resend <= timeoutsMs.length) {",
    PINGER_TEST,
  ),
  tested(
    "a silent peer is pinged on and on",
    "net/link/pinger.ts",
    "      onSilent();\n",
    "      this.#ping(0);\n",
    PINGER_TEST,
  ),
];
