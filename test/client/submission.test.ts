/** What the client tells of a transaction, whatever nodes and connections do. */
import { describe, expect, test } from "vitest";
import { scanVarint } from "../../chain/scan.ts";
import { transactionId } from "../../chain/transaction.ts";
import { toHex } from "../../src/base/bytes.ts";
import { ClientError, type Outcome } from "../../src/client/index.ts";
import { type Asked, failure, type Handler, json, START, VirtualNodes } from "./virtual.ts";

const PUT = { put: { key: "a", value: "b" } };
const RECEIPT = { ok: true, version: 7 };
const PLACE = { height: 7, index: 3 };

/** Ids of a batch, in order. */
function idsOf({ body }: Asked): string[] {
  const ids: string[] = [];
  for (let at = 0; at < body.length;) {
    const { value, end } = scanVarint(body, at) as { value: number; end: number };
    ids.push(toHex(transactionId(body.subarray(end, end + value))));
    at = end + value;
  }
  return ids;
}

type Line = Record<string, unknown>;

/** Answers every transaction of a batch by this line; other requests by `other`. */
function says(
  line: Line | ((id: string) => Line),
  other: Handler = () => failure(404, "TRANSACTION_NOT_FOUND"),
): Handler {
  return (asked) => {
    if (asked.method !== "POST") return other(asked);
    const lines = idsOf(asked).map((id) => JSON.stringify({ id, ...(typeof line === "function" ? line(id) : line) }));
    return new Response(`${lines.join("\n")}\n`);
  };
}

/** One handler after another, the last one for ever. */
function first(...handlers: Handler[]): Handler {
  let at = 0;
  return (asked) => (handlers[Math.min(at++, handlers.length - 1)] as Handler)(asked);
}

const lost: Handler = () => "lost";
const irreversible = says({ status: "irreversible", ...PLACE, receipt: RECEIPT });
const refuses = (code: string, other?: Handler) => says({ status: "invalid", error: { code, message: "no" } }, other);
const found: Handler = ({ path }) =>
  json({
    id: path.slice(-64),
    status: "irreversible",
    ...PLACE,
    blockId: "0".repeat(64),
    receipt: RECEIPT,
    transaction: { bytes: "AA" },
  });
const absentAt =
  (time: number): Handler =>
  () =>
    failure(404, "TRANSACTION_NOT_FOUND", { absentThrough: { height: 9, time } });

async function codeOf(work: Promise<unknown>): Promise<ClientError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

describe("an outcome is told as the node proved it", () => {
  test("irreversible, with its place and receipt; one request", async () => {
    const nodes = new VirtualNodes({ a: irreversible });
    const client = nodes.client();
    const prepared = client.prepare(PUT);
    const outcome = await nodes.run(client.submit(prepared));
    expect(outcome).toEqual({ status: "irreversible", id: prepared.id, ...PLACE, receipt: RECEIPT });
    expect(nodes.asked).toHaveLength(1);
  });

  test.each([
    ["accepted", "accepted"],
    ["included", "included"],
  ] as const)("wait for %s ends with it", async (wait, status) => {
    const nodes = new VirtualNodes({ a: says({ status, ...PLACE, receipt: RECEIPT }) });
    expect((await nodes.run(nodes.client().submit(PUT, { wait }))).status).toBe(status);
    expect(nodes.asked[0]?.query.get("wait")).toBe(wait);
  });

  test("less than what is waited for is not told: the client asks on", async () => {
    const nodes = new VirtualNodes({
      a: first(says({ status: "included", ...PLACE }), says({ status: "pending" }), irreversible),
    });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
    expect(nodes.asked).toHaveLength(3);
  });

  test("expired by the node's word, rejected by execution", async () => {
    const nodes = new VirtualNodes({
      a: says({ status: "expired", error: { code: "TRANSACTION_EXPIRED", message: "" } }),
    });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("expired");
    const other = new VirtualNodes({ a: says({ status: "rejected", error: { code: "NO_FUNDS", message: "poor" } }) });
    expect(await nodes.run(other.client().submit(PUT))).toMatchObject({ status: "rejected", code: "NO_FUNDS" });
  });
});

describe("after a lost answer the same bytes go to the next node", () => {
  test("the chain has it (ALREADY_IN_CHAIN): success with its place, its receipt fetched", async () => {
    const nodes = new VirtualNodes({
      a: lost,
      b: says({ status: "inChain", ...PLACE, error: { code: "ALREADY_IN_CHAIN", message: "" } }, found),
    });
    const outcome = await nodes.run(nodes.client().submit(PUT));
    expect(outcome).toMatchObject({ status: "irreversible", ...PLACE, receipt: RECEIPT });
    const [one, two] = nodes.asked;
    expect(one?.body).toEqual(two?.body);
  });

  test("without a receipt anywhere the place is told alone", async () => {
    const nodes = new VirtualNodes({ a: lost, b: says({ status: "inChain", ...PLACE }) });
    const outcome = await nodes.run(nodes.client().submit(PUT));
    expect(outcome).toEqual({ status: "irreversible", id: outcome.id, ...PLACE });
  });

  test("a node that never answers is left after its time", async () => {
    const nodes = new VirtualNodes({ a: () => "hang", b: irreversible });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
    expect((nodes.asked[1]?.at ?? 0) - START).toBeLessThan(12_000);
  });

  test.each([
    ["503 STOPPING", () => failure(503, "STOPPING")],
    ["503 NO_LEADER", () => failure(503, "NO_LEADER")],
    ["504", () => failure(504, "WAIT_TIMEOUT")],
    ["500", () => failure(500, "INTERNAL")],
    ["noLeader", says({ status: "noLeader" })],
  ] as const)("%s is such a lost answer", async (_, handler: Handler) => {
    // What b refuses by its clock a may have brought into the chain: only c knows.
    const nodes = new VirtualNodes({ a: first(handler, lost), b: refuses("TRANSACTION_EXPIRED"), c: irreversible });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
  });

  test.each([
    ["503 BUSY", () => failure(503, "BUSY")],
    ["429", () => failure(429, "MEMPOOL_FULL")],
    ["full", says({ status: "full", error: { code: "MEMPOOL_FULL", message: "" } })],
  ] as const)("%s is none: nothing was taken, so a refusal behind it is the last word", async (_, handler: Handler) => {
    const nodes = new VirtualNodes({ a: handler, b: refuses("NO_FUNDS") });
    expect(await nodes.run(nodes.client().submit(PUT))).toMatchObject({ status: "invalid", code: "NO_FUNDS" });
  });
});

describe("a refusal is believed only as far as the node can know", () => {
  test("from the first node that is given a new transaction it is the last word", async () => {
    const nodes = new VirtualNodes({ a: refuses("TRANSACTION_EXPIRED"), b: irreversible });
    expect(await nodes.run(nodes.client().submit(PUT))).toMatchObject({
      status: "invalid",
      code: "TRANSACTION_EXPIRED",
    });
    expect(nodes.asked).toHaveLength(1);
  });

  test("a node that is behind does not make it expired", async () => {
    const nodes = new VirtualNodes({
      a: first(lost, irreversible),
      b: refuses("TRANSACTION_EXPIRED", absentAt(START + 30_000)),
    });
    // b's chain ends exactly at the expiry: a block of that very time could still hold it.
    const outcome = await nodes.run(nodes.client().submit(PUT, { expiresInMs: 30_000 }));
    expect(outcome.status).toBe("irreversible");
  });

  test("a node that did not search its whole chain does not either", async () => {
    const nodes = new VirtualNodes({ a: first(lost, irreversible), b: refuses("TRANSACTION_EXPIRED") });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
  });

  test("an irreversible block after its time, and a whole search without it, make it expired", async () => {
    const nodes = new VirtualNodes({ a: lost, b: refuses("TRANSACTION_EXPIRED", absentAt(START + 30_001)) });
    const outcome = await nodes.run(nodes.client().submit(PUT, { expiresInMs: 30_000 }));
    expect(outcome).toMatchObject({ status: "expired", refusal: { code: "TRANSACTION_EXPIRED" } });
  });

  test("found by the question for it: success", async () => {
    const nodes = new VirtualNodes({ a: lost, b: refuses("TRANSACTION_EXPIRED", found) });
    expect(await nodes.run(nodes.client().submit(PUT))).toMatchObject({ status: "irreversible", ...PLACE });
  });

  test("rejected by execution, when another node may have it still: only the chain decides", async () => {
    const rejects = says({ status: "rejected", error: { code: "NO_FUNDS", message: "" } }, absentAt(START));
    const nodes = new VirtualNodes({ a: first(says({ status: "pending" }), irreversible), b: rejects });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
  });

  test("submitted again by the caller, the second refusal is not believed", async () => {
    const nodes = new VirtualNodes({ a: first(says({ status: "accepted" }), refuses("NO_FUNDS"), irreversible) });
    const client = nodes.client();
    const prepared = client.prepare(PUT);
    expect((await nodes.run(client.submit(prepared, { wait: "accepted" }))).status).toBe("accepted");
    expect((await nodes.run(client.submit(prepared))).status).toBe("irreversible");
  });

  test("of given bytes nobody knows who had them before", async () => {
    const nodes = new VirtualNodes({ a: first(refuses("TRANSACTION_EXPIRED"), lost, irreversible) });
    const client = nodes.client();
    const { bytes } = client.prepare(PUT);
    expect((await nodes.run(client.submit(bytes))).status).toBe("irreversible");
  });

  test("what no node ever takes is told at once all the same", async () => {
    const nodes = new VirtualNodes({ a: lost, b: refuses("KV_INVALID") });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("invalid");
  });
});

describe("what is not known is told as unknown, with the id", () => {
  test("at the deadline", async () => {
    const nodes = new VirtualNodes({ a: lost, b: refuses("TRANSACTION_EXPIRED") });
    const client = nodes.client();
    const prepared = client.prepare(PUT);
    const error = await nodes.run(codeOf(client.submit(prepared, { timeoutMs: 5_000 })));
    expect(error).toMatchObject({ code: "OUTCOME_UNKNOWN", details: { id: prepared.id, pending: false } });
    expect(nodes.time.now - START).toBeLessThanOrEqual(11_000);
  });

  test("a transaction that a node keeps is pending", async () => {
    const nodes = new VirtualNodes({ a: says({ status: "pending" }) });
    const error = await nodes.run(codeOf(nodes.client().submit(PUT, { timeoutMs: 5_000 })));
    expect(error).toMatchObject({ code: "OUTCOME_UNKNOWN", details: { pending: true } });
  });

  test("when the signal aborts", async () => {
    const stop = new AbortController();
    const nodes = new VirtualNodes({
      a: () => {
        queueMicrotask(() => stop.abort());
        return "hang";
      },
    });
    const client = nodes.client();
    const prepared = client.prepare(PUT);
    const error = await nodes.run(codeOf(client.submit(prepared, { signal: stop.signal })));
    expect(error).toMatchObject({ code: "ABORTED", details: { id: prepared.id } });
  });
});

describe("requests that are refused as a whole", () => {
  test("without a token: an error at once, not an outcome", async () => {
    const nodes = new VirtualNodes({ a: () => failure(401, "UNAUTHORIZED"), b: irreversible });
    const error = await nodes.run(codeOf(nodes.client().submit(PUT)));
    expect(error).toMatchObject({ code: "REFUSED", details: { httpStatus: 401, nodeCode: "UNAUTHORIZED" } });
    expect(nodes.asked).toHaveLength(1);
  });

  test("after a lost answer they say nothing of the transaction", async () => {
    const nodes = new VirtualNodes({ a: first(lost, irreversible), b: () => failure(401, "UNAUTHORIZED") });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
  });

  test("the token goes to the node, and what is no transaction goes nowhere", async () => {
    const nodes = new VirtualNodes({ a: irreversible });
    await nodes.run(nodes.client({ token: "s3cret" }).submit(PUT));
    expect(nodes.asked[0]?.headers.get("authorization")).toBe("Bearer s3cret");
    expect(() => nodes.client().prepare({ put: { key: "", value: "" } })).toThrow(/1 to 1024/);
    expect(() => nodes.client().prepare(new Uint8Array([1, 2, 3]))).toThrow(ClientError);
    expect(nodes.asked).toHaveLength(1);
  });
});

describe("hostile and broken answers are no answers", () => {
  const idOf = (asked: Asked) => idsOf(asked)[0];
  test.each<[string, Handler]>([
    ["no JSON", () => new Response("<html>")],
    ["another id", () => new Response(JSON.stringify({ id: "0".repeat(64), status: "expired" }))],
    ["a line too much", (asked) => new Response(`${JSON.stringify({ id: idOf(asked), status: "expired" })}\n{}\n`)],
    ["none", () => new Response("")],
    ["a place that is none", says({ status: "irreversible", height: -1, index: 0.5 })],
    ["a receipt that is none", says({ status: "irreversible", ...PLACE, receipt: 7 })],
    ["a status that nobody knows", says({ status: "fine" })],
    ["an error without code", () => json({ error: "bad" }, 400)],
    ["a redirect's body", () => json({}, 302)],
  ])("%s", async (_, handler) => {
    const nodes = new VirtualNodes({ a: handler, b: irreversible });
    const outcome = await nodes.run(nodes.client().submit(PUT));
    expect(outcome).toMatchObject({ status: "irreversible", ...PLACE });
    expect(nodes.asked.length).toBeGreaterThan(1);
  });

  test("an answer without end is not read to its end", async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(16 * 1024).fill(0x20));
      },
    });
    const nodes = new VirtualNodes({ a: () => new Response(endless), b: irreversible });
    expect((await nodes.run(nodes.client().submit(PUT))).status).toBe("irreversible");
    expect(pulled).toBeLessThan(10);
  });
});

describe("many at once", () => {
  const puts = (count: number) => Array.from({ length: count }, (_, i) => ({ put: { key: `k${i}`, value: "v" } }));

  test("are split over the bounds of a batch; outcomes come in order", async () => {
    let place = 0;
    const nodes = new VirtualNodes({
      a: says(() => ({ status: "irreversible", height: 1, index: place++, receipt: RECEIPT })),
    });
    const client = nodes.client();
    const prepared = puts(2_500).map((put) => client.prepare(put));
    const outcomes = await nodes.run(client.submitMany(prepared));
    expect(outcomes.map(({ id }) => id)).toEqual(prepared.map(({ id }) => id));
    expect(nodes.asked.map((asked) => idsOf(asked).length)).toEqual([1_000, 1_000, 500]);
  });

  test("a node that takes less gets halves", async () => {
    const small: Handler = (asked) => (idsOf(asked).length > 3 ? failure(413, "BODY_TOO_LARGE") : irreversible(asked));
    const nodes = new VirtualNodes({ a: small });
    const outcomes = await nodes.run(nodes.client().submitMany(puts(10)));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(10).fill("irreversible"));
  });

  test("each has its own outcome, and only the open ones are sent again", async () => {
    let calls = 0;
    const nodes = new VirtualNodes({
      a: (asked) => {
        calls++;
        const lines = idsOf(asked).map((id, i) =>
          i % 2 === 1 && calls === 1
            ? { id, status: "pending" }
            : { id, status: "irreversible", ...PLACE, receipt: RECEIPT },
        );
        return new Response(lines.map((line) => JSON.stringify(line)).join("\n"));
      },
    });
    const outcomes = (await nodes.run(nodes.client().submitMany(puts(6)))) as Outcome[];
    expect(outcomes.every(({ status }) => status === "irreversible")).toBe(true);
    expect(nodes.asked.map((asked) => idsOf(asked).length)).toEqual([6, 3]);
  });

  test("what is unknown at the deadline is told in its place, and nothing throws", async () => {
    const nodes = new VirtualNodes({ a: lost });
    const outcomes = await nodes.run(nodes.client().submitMany(puts(3), { timeoutMs: 1_000 }));
    expect(outcomes.map(({ status }) => status)).toEqual(["unknown", "unknown", "unknown"]);
  });
});

describe("nodes are spared", () => {
  test("Retry-After: the node is not asked before", async () => {
    const nodes = new VirtualNodes({
      a: first(() => failure(503, "BUSY", undefined, { "retry-after": "7" }), irreversible),
    });
    await nodes.run(nodes.client().submit(PUT));
    expect((nodes.asked[1]?.at ?? 0) - START).toBeGreaterThanOrEqual(7_000);
  });

  test("an absurd Retry-After is not believed", async () => {
    const nodes = new VirtualNodes({
      a: first(() => failure(503, "BUSY", undefined, { "retry-after": "999999999" }), irreversible),
    });
    await nodes.run(nodes.client().submit(PUT));
    expect((nodes.asked[1]?.at ?? 0) - START).toBeLessThanOrEqual(31_000);
  });

  test("a dead node is tried less and less, and taken back when it lives", async () => {
    let isDead = true;
    const nodes = new VirtualNodes({ a: (asked) => (isDead ? "lost" : irreversible(asked)) });
    const client = nodes.client();
    await nodes.run(client.submitMany([PUT], { timeoutMs: 50_000 }));
    const times = nodes.asked.map(({ at }) => at - START);
    expect(times.length).toBeLessThan(25);
    expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBeGreaterThan(4_000);
    isDead = false;
    expect((await nodes.run(client.submit(PUT))).status).toBe("irreversible");
  });
});

describe("what is no transaction is refused as everything is: by a promise, with a ClientError", () => {
  test.each([[null], ["x"], [5], [undefined], [[]], [{}], [{ put: { key: "", value: "b" } }]])("%j", async (input) => {
    const nodes = new VirtualNodes({ a: irreversible });
    const client = nodes.client();
    let work: Promise<unknown> = Promise.resolve();
    expect(() => (work = client.submit(input as never))).not.toThrow();
    expect((await codeOf(work)).code).toBe("INVALID_ARGUMENT");
    expect((await codeOf(client.submitMany([PUT, input as never]))).code).toBe("INVALID_ARGUMENT");
    expect(nodes.asked).toEqual([]);
  });

  test("an id that is none, too", async () => {
    const client = new VirtualNodes({ a: irreversible }).client();
    let work: Promise<unknown> = Promise.resolve();
    expect(() => (work = client.transaction("abc"))).not.toThrow();
    expect((await codeOf(work)).code).toBe("INVALID_ARGUMENT");
  });
});
