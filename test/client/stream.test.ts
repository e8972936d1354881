/** Streams of blocks over nodes that die, lag, lie. */
import { describe, expect, test } from "vitest";
import { type CairnClient, ClientError, type StreamOptions } from "../../src/client/index.ts";
import { type Asked, failure, type Handler, json, VirtualNodes } from "./virtual.ts";

const idOf = (height: number, branch = "a"): string => height.toString(16).padStart(62, "0") + `${branch}0`;

function block(height: number, branch = "a", parentBranch = branch): Record<string, unknown> {
  return {
    height,
    id: idOf(height, branch),
    status: "irreversible",
    header: { height, parent: idOf(height - 1, parentBranch), view: 1, producer: "p", time: 1_000 + height },
    signature: "",
    certificate: null,
    transactionCount: 0,
    transactions: [],
    receipts: [],
  };
}

const event = (of: Record<string, unknown>): string => `id: ${String(of["height"])}\ndata: ${JSON.stringify(of)}\n\n`;
const events = (from: number, to: number, branch = "a"): string =>
  Array.from({ length: to - from + 1 }, (_, i) => event(block(from + i, branch))).join("");

/** What is said, then the end of the connection, or nothing more. */
function streamed(text: string, end: "ends" | "stays" | "breaks" = "ends"): Response {
  let isSaid = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!isSaid) controller.enqueue(new TextEncoder().encode(text));
      else if (end === "ends") controller.close();
      else if (end === "breaks") controller.error(new TypeError("terminated"));
      else return new Promise(() => undefined);
      isSaid = true;
      return undefined;
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** A node whose stream begins where it is asked to, up to a height. */
function holds(to: number, end: "ends" | "stays" | "breaks" = "stays", branch = "a"): Handler {
  return ({ query, path }) =>
    path === "/v1/status"
      ? status(to)
      : streamed(`retry: 1000\n\n${events(Number(query.get("from")), to, branch)}`, end);
}

function status(height: number): Response {
  const reference = { height, id: idOf(height), time: 1_000 + height };
  return json({
    chainId: idOf(0),
    name: "test",
    node: { id: "n", key: "n", name: "n", role: "producer", version: "0" },
    consensus: { engine: "raft", view: 1, leader: null, producers: [], status: "leader" },
    head: { ...reference, view: 1 },
    irreversible: reference,
    sync: { state: "synced", target: height, rate: 0 },
    peers: 0,
    mempool: { count: 0, bytes: 0 },
  });
}

async function heights(client: CairnClient, count: number, options: StreamOptions = { from: 1 }): Promise<number[]> {
  const seen: number[] = [];
  for await (const { height } of client.stream(options)) {
    seen.push(height);
    if (seen.length === count) break;
  }
  return seen;
}

async function failureOf(nodes: VirtualNodes, options: StreamOptions = { from: 1 }): Promise<ClientError> {
  const error = await nodes.run(
    heights(nodes.client(), 1_000, options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const streamRequests = (asked: readonly Asked[]) => asked.filter(({ path }) => path === "/v1/stream");

describe("a stream goes on at another node, gapless and without doubles", () => {
  test("where a connection ends between two events, and by Last-Event-ID", async () => {
    const nodes = new VirtualNodes({ a: holds(3, "ends"), b: holds(6) });
    expect(await nodes.run(heights(nodes.client(), 6))).toEqual(range(1, 6));
    const [one, two] = streamRequests(nodes.asked);
    expect([one?.query.get("from"), one?.headers.get("last-event-id")]).toEqual(["1", null]);
    expect([two?.query.get("from"), two?.headers.get("last-event-id"), two?.node]).toEqual(["4", "3", "b"]);
  });

  test("where it breaks in the middle of an event: the half is thrown away", async () => {
    const cut = event(block(3)).slice(0, -30);
    const nodes = new VirtualNodes({ a: () => streamed(events(1, 2) + cut, "breaks"), b: holds(5) });
    expect(await nodes.run(heights(nodes.client(), 5))).toEqual(range(1, 5));
  });

  test("where even the data is whole but the empty line behind it is missing", async () => {
    const cut = event(block(3)).slice(0, -1);
    const nodes = new VirtualNodes({ a: () => streamed(events(1, 2) + cut), b: holds(4) });
    expect(await nodes.run(heights(nodes.client(), 4))).toEqual(range(1, 4));
  });

  test("where nodes are down, stop, or are busy", async () => {
    const nodes = new VirtualNodes({
      a: () => "lost",
      b: () => failure(503, "STOPPING"),
      c: () => failure(503, "TOO_MANY_STREAMS", undefined, { "retry-after": "1" }),
      d: holds(2),
    });
    expect(await nodes.run(heights(nodes.client(), 2))).toEqual([1, 2]);
  });

  test("where a node goes silent", async () => {
    const nodes = new VirtualNodes({
      a: holds(2),
      b: ({ path, ...rest }) => (path === "/v1/status" ? "hang" : holds(4)({ path, ...rest })),
    });
    expect(await nodes.run(heights(nodes.client(), 4))).toEqual([1, 2, 3, 4]);
  });

  test("where a node falls behind: another one has the next block", async () => {
    const nodes = new VirtualNodes({ a: holds(2), b: holds(4) });
    const began = nodes.time.now;
    expect(await nodes.run(heights(nodes.client(), 4))).toEqual([1, 2, 3, 4]);
    expect(nodes.time.now - began).toBeLessThan(10_000);
  });

  test("but not where nobody has a further block: it waits there", async () => {
    const nodes = new VirtualNodes({ a: holds(2), b: holds(2) });
    const stop = new AbortController();
    void nodes.time.sleep(20_000).then(() => stop.abort());
    const error = await failureOf(nodes, { from: 1, signal: stop.signal });
    expect(error.code).toBe("ABORTED");
    expect(streamRequests(nodes.asked)).toHaveLength(1);
  });

  test("without from it begins behind the irreversible block", async () => {
    const nodes = new VirtualNodes({ a: first(holds(5), holds(7)) });
    expect(await nodes.run(heights(nodes.client(), 2, {}))).toEqual([6, 7]);
  });

  function first(...handlers: Handler[]): Handler {
    let at = 0;
    return (asked) => (handlers[Math.min(at++, handlers.length - 1)] as Handler)(asked);
  }
});

describe("what does not fit together is an error", () => {
  test("a gap", async () => {
    const nodes = new VirtualNodes({ a: () => streamed(events(1, 2) + events(4, 5)) });
    expect(await failureOf(nodes)).toMatchObject({ code: "STREAM_NOT_CONSECUTIVE", details: { height: 4 } });
  });

  test("a double", async () => {
    const nodes = new VirtualNodes({ a: () => streamed(events(1, 2) + events(2, 3)) });
    expect(await failureOf(nodes)).toMatchObject({ code: "STREAM_NOT_CONSECUTIVE", details: { height: 2 } });
  });

  test("another parent, also across nodes", async () => {
    const nodes = new VirtualNodes({ a: holds(3, "ends"), b: holds(6, "stays", "b") });
    expect(await failureOf(nodes)).toMatchObject({ code: "STREAM_FORKED", details: { url: "http://b", height: 4 } });
  });

  test("an event whose id is not its block's height, or that is no block", async () => {
    const nodes = new VirtualNodes({ a: () => streamed(event(block(1)).replace("id: 1", "id: 2")) });
    expect((await failureOf(nodes)).code).toBe("ANSWER_INVALID");
    const other = new VirtualNodes({ a: () => streamed("id: 1\ndata: {}\n\n") });
    expect((await failureOf(other)).code).toBe("ANSWER_INVALID");
  });

  test("blocks that no node keeps; one that keeps them is enough", async () => {
    const gone = () => failure(410, "BLOCKS_GONE", { first: 100 });
    const nodes = new VirtualNodes({ a: gone, b: gone });
    expect(await failureOf(nodes)).toMatchObject({ code: "STREAM_PRUNED", details: { nodeDetails: { first: 100 } } });
    const kept = new VirtualNodes({ a: gone, b: holds(2) });
    expect(await kept.run(heights(kept.client(), 2))).toEqual([1, 2]);
  });

  test("nobody there for as long as it was to wait", async () => {
    const nodes = new VirtualNodes({ a: () => "lost", b: () => "hang" });
    const began = nodes.time.now;
    expect((await failureOf(nodes, { from: 1, giveUpMs: 30_000 })).code).toBe("UNREACHABLE");
    expect(nodes.time.now - began).toBeLessThan(60_000);
  });

  test("a request that is refused", async () => {
    const nodes = new VirtualNodes({ a: () => failure(400, "INVALID_REQUEST") });
    expect(await failureOf(nodes)).toMatchObject({ code: "REFUSED", details: { nodeCode: "INVALID_REQUEST" } });
  });
});

test("it reads no faster than it is consumed, and cancels when it is left", async () => {
  let next = 1;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => controller.enqueue(new TextEncoder().encode(event(block(next++)))),
      cancel: () => void (cancelled = true),
    },
    { highWaterMark: 0 },
  );
  const nodes = new VirtualNodes({ a: () => new Response(body, { headers: { "content-type": "text/event-stream" } }) });
  const stream = nodes.client().stream({ from: 1 });
  for (let height = 1; height <= 5; height++) {
    expect((await nodes.run(stream.next())).value?.height).toBe(height);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(next - 1).toBeLessThanOrEqual(height + 1);
  }
  await nodes.run(stream.return());
  await new Promise((resolve) => setImmediate(resolve));
  expect([cancelled, nodes.asked[0]?.signal.aborted]).toEqual([true, true]);
});

describe("watch tells what was done to keys", () => {
  const withOperations = (height: number, ...transactions: { operations: unknown[]; ok?: boolean }[]) => ({
    ...block(height),
    transactionCount: transactions.length,
    transactions: transactions.map(({ operations }, index) => ({
      id: idOf(index, "c"),
      index,
      bytes: "AA",
      operations,
    })),
    receipts: transactions.map(({ ok = true }) => ({ ok, version: height })),
  });

  async function changes(nodes: VirtualNodes, prefix: string, count: number): Promise<unknown[]> {
    const seen: unknown[] = [];
    for await (const change of nodes.client().watch(prefix, { from: 1 })) {
      seen.push(change);
      if (seen.length === count) break;
    }
    return seen;
  }

  test("to keys with the prefix, in order, without what failed", async () => {
    const put = (key: string) => ({ put: { key, value: `${key}!` } });
    const set = { compareAndSet: { key: "a/3", expectedVersion: 0, value: "x" } };
    const text =
      event(withOperations(1, { operations: [put("a/1"), put("b/1")] }, { operations: [set], ok: false })) +
      "id: 4\n\n" + // nothing of the topic up to here
      event(withOperations(5, { operations: [{ delete: { key: "a/1" } }, set] }));
    const nodes = new VirtualNodes({ a: () => streamed(text, "stays") });
    expect(await nodes.run(changes(nodes, "a/", 3))).toMatchObject([
      { kind: "put", key: "a/1", value: "a/1!", height: 1, index: 0 },
      { kind: "delete", key: "a/1", height: 5 },
      { kind: "put", key: "a/3", value: "x", height: 5 },
    ]);
    expect(nodes.asked[0]?.query.get("topic")).toBe("YS8");
  });

  test("an id without data moves the place where it resumes", async () => {
    const nodes = new VirtualNodes({
      a: () => streamed("id: 9\n\n"),
      b: () => streamed(event(withOperations(12, { operations: [{ delete: { key: "a" } }] })), "stays"),
    });
    await nodes.run(changes(nodes, "a", 1));
    expect(streamRequests(nodes.asked)[1]?.headers.get("last-event-id")).toBe("9");
  });

  test("a conditional operation without its receipt is an error, not a guess", async () => {
    const operations = [{ compareAndSet: { key: "a", expectedVersion: 0, value: "x" } }];
    const bare = { ...withOperations(1, { operations }), receipts: null };
    const nodes = new VirtualNodes({ a: () => streamed(event(bare)) });
    await expect(nodes.run(changes(nodes, "a", 1))).rejects.toMatchObject({ code: "RECEIPTS_MISSING" });
  });
});
