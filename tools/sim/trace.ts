/**
 * The run's trace: every step of every node with the bytes it sent, as a running SHA-256 (two runs are the same when
 * these are) and, when asked for, as lines to read. Of each node the last notable events are kept for reports.
 */
import { createHash } from "node:crypto";
import type { Lane } from "../../net/link/types.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import { readWire } from "./wire.ts";

const BUFFER_BYTES = 64 * 1024;
/** Notable events of a node that are kept. */
const HISTORY_MAX = 12;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;
  readonly #histories: string[][];
  readonly #print: ((line: string) => void) | undefined;

  constructor(nodes: number, print: ((line: string) => void) | undefined) {
    this.#histories = Array.from({ length: nodes }, () => []);
    this.#print = print;
  }

  /** Ends the trace. */
  digest(): string {
    this.#flush();
    return this.#hash.digest("hex");
  }
  history(node: number): readonly string[] {
    return this.#histories[node] ?? [];
  }

  step(nowUs: number, node: number, input: Input, effects: readonly Effect[]): void {
    this.#number(nowUs);
    this.#number(node);
    this.#input(input);
    for (const effect of effects) this.#effect(effect);
    if (this.#print === undefined) return;
    this.#print(`${timeOf(nowUs)} n${node} <- ${describeInput(input)}`);
    for (const effect of effects) this.#print(`${" ".repeat(12)} n${node} -> ${describeEffect(effect)}`);
  }

  /** Something happened to a node that is no step of it: a crash, a partition. */
  event(nowUs: number, node: number | undefined, what: string): void {
    this.#text(`${nowUs} ${node ?? "-"} ${what}\n`);
    this.#print?.(`${timeOf(nowUs)} ${node === undefined ? "--" : `n${node}`} ## ${what}`);
    if (node !== undefined) this.notable(nowUs, node, what);
  }

  notable(nowUs: number, node: number, what: string): void {
    const history = this.#histories[node] as string[];
    history.push(`${timeOf(nowUs)} n${node} ${what}`);
    if (history.length > HISTORY_MAX) history.shift();
  }

  /** What was received is in the trace already, where it was sent: its length tells a changed frame apart. */
  #input(input: Input): void {
    this.#text(input.kind);
    switch (input.kind) {
      case "peerUp":
      case "peerDown":
        return this.#text(input.peer);
      case "received":
        this.#text(input.from);
        return this.#number(input.frame.length);
      case "persisted":
        return this.#number(input.token);
      case "signaturesChecked":
        this.#number(input.batch);
        for (const valid of input.valid) this.#number(valid ? 1 : 0);
        return;
      case "drained":
        return this.#number(input.bytes);
      default:
        return;
    }
  }

  #effect(effect: Effect): void {
    this.#text(effect.kind);
    switch (effect.kind) {
      case "send":
        this.#text(effect.to);
        this.#number(effect.after ?? 0);
        for (const part of effect.parts) this.#bytes(part);
        return;
      case "persist":
        this.#number(effect.token);
        for (const { id } of effect.blocks) this.#text(id);
        if (effect.record !== undefined) this.#bytes(effect.record);
        if (effect.irreversible !== undefined) this.#text(effect.irreversible.id);
        return;
      case "setTimer":
        return this.#number(effect.at);
      case "irreversible":
      case "head":
        return this.#text(effect.block.id);
      case "outcomes":
        for (const { status, id } of effect.outcomes) this.#text(status + id);
        return;
      case "submitted":
        for (const { status, id } of effect.answers) this.#text(status + id);
        return;
      case "flush":
        this.#text(effect.flush.id);
        return this.#number(effect.flush.changes.length);
      default:
        return;
    }
  }

  #number(value: number): void {
    if (this.#used + 8 > BUFFER_BYTES) this.#flush();
    this.#used = this.#buffer.writeDoubleLE(value, this.#used);
  }

  #text(text: string): void {
    if (this.#used + text.length > BUFFER_BYTES) this.#flush();
    if (text.length > BUFFER_BYTES) this.#hash.update(text, "latin1");
    else this.#used += this.#buffer.write(text, this.#used, "latin1");
  }

  #bytes(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER_BYTES) this.#flush();
    if (bytes.length > BUFFER_BYTES) {
      this.#hash.update(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

function timeOf(nowUs: number): string {
  return `${(nowUs / 1000).toFixed(3)} ms`.padStart(14);
}

function summaryOf(input: Input): string {
  switch (input.kind) {
    case "peerUp":
      return `up ${input.peer}`;
    case "peerDown":
      return `down ${input.peer} ${input.broken}`;
    case "received":
      return `received ${input.from} ${input.lane}`;
    case "persisted":
      return `persisted ${input.token}`;
    case "signaturesChecked":
      return `checked ${input.batch} ${input.valid.join()}`;
    default:
      return input.kind;
  }
}

function effectSummary(effect: Effect): string {
  switch (effect.kind) {
    case "persist":
      return `persist ${effect.token} ${effect.blocks.map((block) => block.id).join()} ${effect.irreversible?.id}\n`;
    case "send":
      return `send ${effect.to} ${effect.lane} ${effect.after}\n`;
    case "setTimer":
      return `timer ${effect.at}\n`;
    case "irreversible":
    case "head":
      return `${effect.kind} ${effect.block.id}\n`;
    case "outcomes":
      return `outcomes ${effect.outcomes.map((each) => `${each.status} ${each.id}`).join()}\n`;
    case "submitted":
      return `submitted ${effect.answers.map((each) => `${each.status} ${each.id}`).join()}\n`;
    case "flush":
      return `flush ${effect.flush.id} ${effect.flush.changes.length}\n`;
    default:
      return `${effect.kind}\n`;
  }
}

function describeInput(input: Input): string {
  if (input.kind !== "received") return summaryOf(input).replace(/[0-9a-f]{64}/g, short);
  const parts = input.lane === "chain" ? [input.frame.subarray(0, 1), input.frame.subarray(1)] : [input.frame];
  return `${short(input.from)} ${input.lane} ${describe(input.lane, parts)}`;
}

function describeEffect(effect: Effect): string {
  switch (effect.kind) {
    case "send":
      return `${short(effect.to)} ${effect.lane} ${describe(effect.lane, effect.parts)}${effect.after === undefined ? "" : ` after ${effect.after}`}`;
    case "log":
      return `log ${effect.level} ${effect.message} ${effect.fields ? JSON.stringify(effect.fields).replace(/[0-9a-f]{64}/g, short) : ""}`;
    case "submitted":
      return `submitted ${effect.answers.map((each) => `${short(each.id)} ${each.status}`).join(", ")}`;
    case "head":
      return `head ${effect.block.view}/${effect.block.height} ${short(effect.block.id)} undone ${effect.undone} applied ${effect.applied}`;
    case "irreversible":
      return `irreversible ${effect.block.view}/${effect.block.height} ${short(effect.block.id)}`;
    case "halt":
      return `halt ${effect.why}`;
    case "disconnect":
      return `disconnect ${short(effect.peer)} ${effect.reason} ${effect.detail}`;
    default:
      return effectSummary(effect)
        .trimEnd()
        .replace(/[0-9a-f]{64}/g, short);
  }
}

/** Not every frame can be read: see `garbler.ts`. */
function describe(lane: Lane, parts: readonly Uint8Array[]): string {
  let message: ReturnType<typeof readWire>;
  try {
    message = readWire(lane, parts);
  } catch {
    return `${parts.reduce((sum, part) => sum + part.length, 0)} bytes that do not read`;
  }
  const { kind, ...fields } = message;
  if ("path" in fields) return `certificate view ${fields.view} of ${fields.acks.length} acks`;
  return `${kind} ${JSON.stringify(fields).replace(/[0-9a-f]{64}/g, short)}`;
}

export function short(text: string): string {
  return text.slice(0, 8);
}
