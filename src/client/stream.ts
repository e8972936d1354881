/**
 * Irreversible blocks, in order, from one node after another: where a connection ends, the next node goes on behind the
 * last block that was given out. A block follows the one before it by height and by parent, or the stream ends with an
 * error: two nodes that disagree on what is irreversible must not be stitched together.
 */
import { type BlockAnswer, isBlock } from "./blocks.ts";
import type { Caller } from "./caller.ts";
import { ClientError } from "./errors.ts";
import { type Arrival, EventConnection } from "./eventSource.ts";
import type { NodeEntry } from "./nodes.ts";
import { backoffMs } from "./platform.ts";
import { readFailure } from "./refusals.ts";
import type { ServerSentEvent } from "./sse.ts";
import { isHeight, isObject, isText, parseJson } from "./shape.ts";

/** Without a byte for so long (nodes say something every 15 s) a connection is taken for dead. */
const SILENT_MS = 40_000;
/** Without a block for so long, another node is asked whether it has one. */
const NO_BLOCK_MS = 3_000;
const STATUS_MS = 3_000;
const STATUS_BYTES = 1024 * 1024;
const GIVE_UP_MS = 120_000;

export interface StreamOptions {
  /** First height; without it the first block that becomes irreversible from now on. */
  readonly from?: number;
  /** Only transactions on keys with this prefix (base64url), and only blocks that hold any. */
  readonly topic?: string;
  readonly signal?: AbortSignal | undefined;
  /** No node could be read from for so long, ms: the stream ends with UNREACHABLE. Default: 2 minutes. */
  readonly giveUpMs?: number;
}

/** A stream's place: what comes next, and what came last. */
interface Place {
  next: number;
  lastId: string | undefined;
  readonly topic: string | undefined;
}

/** Throws ClientError: UNREACHABLE, ABORTED, REFUSED, STREAM_PRUNED, STREAM_NOT_CONSECUTIVE, STREAM_FORKED. */
export async function* streamBlocks(
  from: number,
  { topic, signal, giveUpMs = GIVE_UP_MS }: StreamOptions,
  caller: Caller,
): AsyncGenerator<BlockAnswer, void, undefined> {
  const place: Place = { next: from, lastId: undefined, topic };
  const { nodes, platform } = caller;
  const failures = new Failures(nodes.all.length);
  let readAt = platform.now();
  let avoid: NodeEntry | undefined;
  for (;;) {
    const node = await nodes.acquire(readAt + giveUpMs, signal, avoid);
    if (node === undefined) throw failures.end(signal);
    const opened = await open(node, place, from, signal, caller);
    if (opened instanceof EventConnection) {
      nodes.succeeded(node);
      const before = place.next;
      try {
        yield* read(opened, node, place, signal, caller);
      } finally {
        opened.close();
      }
      readAt = platform.now();
      if (place.next > before) failures.clear();
    } else if (opened.kind === "answer" && opened.status === 410) {
      nodes.succeeded(node);
      failures.pruned(node, place.next, opened.text);
    } else {
      const failure = readFailure(node, opened, nodes);
      if (failure.kind === "refused") {
        const { httpStatus, refusal } = failure;
        throw new ClientError("REFUSED", failure.message, { url: node.url, httpStatus, nodeCode: refusal.code });
      }
      failures.note(failure.message);
    }
    if (signal?.aborted) throw failures.end(signal);
    nodes.passOver(node);
    avoid = node;
    await platform.sleep(backoffMs(failures.count, platform), signal);
    failures.count++;
  }
}

/** What went wrong since the last block. */
class Failures {
  readonly #nodes: number;
  readonly #messages: string[] = [];
  readonly #pruned = new Set<NodeEntry>();
  count = 0;

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  clear(): void {
    this.count = 0;
    this.#messages.length = 0;
    this.#pruned.clear();
  }

  note(message: string): void {
    this.#messages.push(message);
    if (this.#messages.length > 8) this.#messages.shift();
  }

  /** Throws when no node is left that may keep the block. */
  pruned(node: NodeEntry, height: number, text: string): void {
    this.#pruned.add(node);
    const body = parseJson(text);
    const error = isObject(body) && isObject(body["error"]) ? body["error"] : {};
    this.note(`${node.url}: ${isText(error["message"]) ? error["message"] : "the block is not kept there"}`);
    if (this.#pruned.size < this.#nodes) return;
    const details = { height, nodeDetails: error["details"], causes: [...this.#messages] };
    throw new ClientError("STREAM_PRUNED", `no node keeps block ${height} any more`, details);
  }

  end(signal: AbortSignal | undefined): ClientError {
    if (signal?.aborted) return new ClientError("ABORTED", "the stream was aborted");
    const causes = [...this.#messages];
    return new ClientError("UNREACHABLE", causes.at(-1) ?? "no node could be read from", { causes });
  }
}

function open(node: NodeEntry, { next, topic }: Place, from: number, signal: AbortSignal | undefined, caller: Caller) {
  const only = topic === undefined ? "" : `&topic=${topic}&encoding=base64url`;
  const lastEventId = next > from ? String(next - 1) : undefined;
  return EventConnection.open(node, `/v1/stream?from=${next}${only}`, lastEventId, signal, caller);
}

/** Until the connection ends, or another node is known to be further. */
async function* read(
  connection: EventConnection,
  node: NodeEntry,
  place: Place,
  signal: AbortSignal | undefined,
  caller: Caller,
): AsyncGenerator<BlockAnswer, void, undefined> {
  let heardAt = caller.platform.now();
  let lookedAt = heardAt;
  for (;;) {
    const arrival: Arrival = await connection.next(NO_BLOCK_MS);
    const now = caller.platform.now();
    if (arrival.kind === "end" || signal?.aborted) return;
    if (arrival.kind === "event") {
      const block = take(arrival.event, place, node);
      if (block !== undefined) yield block;
      // Since then: whoever consumes may have taken long.
      heardAt = lookedAt = caller.platform.now();
      continue;
    }
    if (arrival.hadBytes) heardAt = now;
    if (now - heardAt >= SILENT_MS) return caller.nodes.failed(node);
    if (now - lookedAt < NO_BLOCK_MS) continue;
    if (await isBehind(node, place.next, signal, caller)) return;
    lookedAt = caller.platform.now();
  }
}

/** Checks an event against what came before it. Undefined for one that only says how far the node is. */
function take({ id, data }: ServerSentEvent, place: Place, node: NodeEntry): BlockAnswer | undefined {
  const { url } = node;
  const height = id !== undefined && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
  if (data === undefined) {
    if (place.topic !== undefined && height !== undefined && height >= place.next) {
      place.next = height + 1;
      place.lastId = undefined; // the block before the next one was not told
    }
    return undefined;
  }
  const block = parseJson(data);
  if (height === undefined || !isBlock(block) || block.height !== height || block.transactions === undefined) {
    throw new ClientError("ANSWER_INVALID", `${url} streams what is no block`, { url, height: place.next });
  }
  const follows = place.topic === undefined ? height === place.next : height >= place.next;
  if (!follows) {
    const message = `${url} streams block ${height} where ${place.next} belongs`;
    throw new ClientError("STREAM_NOT_CONSECUTIVE", message, { url, height });
  }
  if (height === place.next && place.lastId !== undefined && block.header.parent !== place.lastId) {
    const message = `block ${height} of ${url} has the parent ${block.header.parent}, but the one before it was ${place.lastId}`;
    throw new ClientError("STREAM_FORKED", message, { url, height });
  }
  place.next = height + 1;
  place.lastId = block.id;
  return block;
}

/** Does another node have what this one does not tell? One of them is asked, another one each time. */
async function isBehind(
  node: NodeEntry,
  next: number,
  signal: AbortSignal | undefined,
  caller: Caller,
): Promise<boolean> {
  const { nodes } = caller;
  const other = nodes.all.length > 1 ? nodes.enter(node) : undefined;
  if (other === undefined) return false;
  if (other === node) {
    node.breaker.abandoned();
    return false;
  }
  const asking = { path: "/v1/status", timeoutMs: STATUS_MS, maxBytes: STATUS_BYTES, signal };
  const answer = await caller.exchange(other, asking);
  const body = answer.kind === "answer" && answer.status === 200 ? parseJson(answer.text) : undefined;
  const irreversible = isObject(body) ? body["irreversible"] : undefined;
  if (!isObject(irreversible) || !isHeight(irreversible["height"])) {
    readFailure(other, answer, nodes);
    return false;
  }
  nodes.succeeded(other);
  return irreversible["height"] >= next;
}
