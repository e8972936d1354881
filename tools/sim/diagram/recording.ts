/**
 * Records what the processes of a run say to each other, each event with the number it has at its process (`C_7` is the
 * seventh at C). What changes nothing is folded: heartbeats that say the same again, and messages that their receiver
 * knew already.
 */
import type { Lane } from "../../../net/link/types.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { sha256Hex } from "../../../src/base/hash.ts";
import type { Effect, Input } from "../../../src/replica/types.ts";
import type { Onlooker } from "../simulation.ts";
import type { SimulatedNode } from "../simulatedNode.ts";
import { readWire } from "../wire.ts";
import { isPulse, labelOf, noteOf } from "./labels.ts";

/** Fewer messages that change nothing are left out without a word. */
const FOLDS_SHOWN_FROM = 4;

/** An event at a process. */
export interface Point {
  readonly process: number;
  /** Counts the events shown at this process, from 1. */
  readonly number: number;
  /** Virtual time since the recording began, ms. */
  readonly atMs: number;
}

export type Row =
  /** `to` is undefined for a message that never arrived. */
  | {
      readonly kind: "message";
      readonly label: string;
      readonly from: Point;
      readonly to: Point | undefined;
      readonly target: number;
    }
  | { readonly kind: "note"; readonly label: string; readonly at: Point }
  /** So many messages in between that changed nothing. */
  | { readonly kind: "folded"; readonly count: number };

export interface Recording {
  readonly processes: readonly string[];
  /** In order of time; a message stands where it was sent. */
  readonly rows: readonly Row[];
}

interface Happening {
  readonly atUs: number;
  readonly process: number;
  readonly label: string;
  readonly message: Message | undefined;
}

interface Message {
  readonly label: string;
  readonly target: number;
  readonly isPulse: boolean;
  receivedUs: number | undefined;
  changedNothing: boolean;
}

export class Recorder implements Onlooker {
  readonly #keys: readonly string[];
  readonly #now: () => number;
  readonly #happenings: Happening[] = [];
  /** Messages under way, by sender, receiver and content. */
  readonly #underWay = new Map<string, Message[]>();
  /** What each process has last heard as a pulse of each other. */
  readonly #pulses = new Map<string, string>();
  #recording = false;
  #beganUs = 0;

  /** @param keys of the processes, @param now virtual time, microseconds */
  constructor(keys: readonly string[], now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  begin(): void {
    this.#recording = true;
    this.#beganUs = this.#now();
  }

  note(process: number, label: string): void {
    if (this.#recording) this.#happenings.push({ atUs: this.#now(), process, label, message: undefined });
  }

  sent(node: SimulatedNode, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    if (!this.#recording) return;
    const wire = readWire(lane, parts);
    // To its signer, when a link comes up: what it has promised (docs/protocol.md, section 4).
    const isGivenBack = "signer" in wire && wire.signer !== node.key;
    const label = isGivenBack ? `${labelOf(wire)}, given back` : labelOf(wire);
    const isSame = isPulse(wire) && this.#pulses.get(`${node.index} ${to}`) === label;
    if (isPulse(wire)) this.#pulses.set(`${node.index} ${to}`, label);
    const message = { label, target: to, isPulse: isSame, receivedUs: undefined, changedNothing: false };
    const key = keyOf(node.index, to, concatBytes(...parts));
    this.#underWay.set(key, [...(this.#underWay.get(key) ?? []), message]);
    this.#happenings.push({ atUs: this.#now(), process: node.index, label, message });
  }

  stepped(node: SimulatedNode, input: Input, effects: readonly Effect[]): void {
    if (!this.#recording) return;
    if (input.kind === "received") {
      const from = this.#keys.indexOf(input.from);
      const message = this.#underWay.get(keyOf(from, node.index, input.frame))?.shift();
      if (message !== undefined) {
        message.receivedUs = this.#now();
        message.changedNothing = effects.every((effect) => effect.kind === "setTimer");
      }
    } else if (input.kind === "submit") this.note(node.index, "a transaction is submitted");
    for (const effect of effects) {
      const note = noteOf(effect);
      if (note !== undefined) this.note(node.index, note);
    }
  }

  started(node: SimulatedNode): void {
    this.note(node.index, "starts");
  }
  crashed(node: SimulatedNode): void {
    this.note(node.index, "crashes");
  }

  end(): Recording {
    this.#recording = false;
    const rows: Row[] = [];
    const numbered = this.#numberAll();
    let folded = 0;
    for (const happening of this.#happenings) {
      const { message, label } = happening;
      const from = numbered.get(happening)?.from;
      if (from === undefined) {
        folded++;
        continue;
      }
      if (folded >= FOLDS_SHOWN_FROM) rows.push({ kind: "folded", count: folded });
      folded = 0;
      if (message === undefined) rows.push({ kind: "note", label, at: from });
      else rows.push({ kind: "message", label, from, to: numbered.get(happening)?.to, target: message.target });
    }
    if (folded >= FOLDS_SHOWN_FROM) rows.push({ kind: "folded", count: folded });
    return { processes: this.#keys.map((_, index) => nameOf(index)), rows };
  }

  /** Gives every shown event its number, in order of time at its process. */
  #numberAll(): Map<Happening, { from: Point; to: Point | undefined }> {
    const shown = this.#happenings.filter(
      ({ message }) => !(message?.isPulse ?? false) && !(message?.changedNothing ?? false),
    );
    const ends = shown.flatMap((happening, order) => {
      const { atUs, process, message } = happening;
      const sent = { happening, atUs, process, order, isReceipt: false };
      if (message?.receivedUs === undefined) return [sent];
      return [sent, { happening, atUs: message.receivedUs, process: message.target, order, isReceipt: true }];
    });
    // What was received is what the notes and answers of the same moment follow from.
    ends.sort((a, b) => a.atUs - b.atUs || Number(b.isReceipt) - Number(a.isReceipt) || a.order - b.order);
    const counts = new Map<number, number>();
    const points = new Map<Happening, { from: Point; to: Point | undefined }>();
    for (const { happening, atUs, process, isReceipt } of ends) {
      const number = (counts.get(process) ?? 0) + 1;
      counts.set(process, number);
      const point = { process, number, atMs: (atUs - this.#beganUs) / 1000 };
      const known = points.get(happening);
      if (isReceipt && known !== undefined) points.set(happening, { ...known, to: point });
      else points.set(happening, { from: point, to: undefined });
    }
    return points;
  }
}

function keyOf(from: number, to: number, frame: Uint8Array): string {
  return `${from} ${to} ${sha256Hex(frame)}`;
}

/** A, B, C, ... */
export function nameOf(process: number): string {
  return String.fromCodePoint(65 + process);
}
