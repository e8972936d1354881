/**
 * Frames of a lane: payload length (4 bytes, big-endian), type (1 byte), payload.
 *
 * The reader judges a frame by its header, before a byte of payload is kept, and copies a payload at most once: not at
 * all where it lies in one piece of input.
 */

import type { CloseReason } from "./types.ts";

export const HEADER_BYTES = 5;

/** Codes on the wire. `ready` ends the handshake: its sender takes data from now on; `credit` is in `credit.ts`. */
export const FRAME = { init: 1, data: 2, ping: 3, pong: 4, close: 5, ready: 6, credit: 7 } as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

/** What is wrong with what the peer sent; closes its link. */
export interface Fault {
  readonly reason: CloseReason;
  readonly detail: string;
}

/** Input pieces smaller than this are gathered: a peer that sends single bytes must not cost an object a byte. */
const SMALL_PIECE_BYTES = 1024;
const GATHER_BYTES = 16 * 1024;

/** A payload this small is copied out of a read buffer that is much larger than itself, so as not to keep it alive. */
const SMALL_PAYLOAD_BYTES = 4 * 1024;

export function writeHeader(into: Uint8Array, type: FrameType, payloadBytes: number): void {
  into[0] = payloadBytes >>> 24;
  into[1] = payloadBytes >>> 16;
  into[2] = payloadBytes >>> 8;
  into[3] = payloadBytes;
  into[4] = type;
}

/** Cuts one lane's bytes into frames. */
export class FrameReader {
  readonly #check: (type: number, payloadBytes: number) => Fault | undefined;
  readonly #deliver: (type: FrameType, payload: Uint8Array) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #type: FrameType = FRAME.data;
  #missing = 0;
  #pieces: Uint8Array[] = [];
  #gather: Uint8Array | undefined;
  #gathered = 0;
  #stopped = false;

  /**
   * `check` judges a header (unknown types included) before anything of the payload is kept; `deliver` gets whole
   * frames in order and may call {@link stop}.
   */
  constructor(
    check: (type: number, payloadBytes: number) => Fault | undefined,
    deliver: (type: FrameType, payload: Uint8Array) => void,
  ) {
    this.#check = check;
    this.#deliver = deliver;
  }

  /** Takes the lane's next bytes. After a fault, or `stop`, everything further is ignored. */
  push(input: Uint8Array): Fault | undefined {
    let at = 0;
    while (!this.#stopped && at < input.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        this.#header[this.#headerBytes++] = input[at++]!;
        if (this.#headerBytes < HEADER_BYTES) continue;
        const fault = this.#begin();
        if (fault !== undefined) {
          this.stop();
          return fault;
        }
        if (this.#missing === 0) this.#finish(input.subarray(at, at));
        continue;
      }
      const piece = input.subarray(at, Math.min(input.length, at + this.#missing));
      at += piece.length;
      this.#missing -= piece.length;
      if (this.#missing > 0) this.#keep(piece);
      else this.#finish(piece);
    }
    return undefined;
  }

  /** Drops what is buffered and ignores all further input. */
  stop(): void {
    this.#stopped = true;
    this.#pieces = [];
    this.#gather = undefined;
  }

  #begin(): Fault | undefined {
    const header = this.#header;
    const length = header[0]! * 0x1000000 + (header[1]! << 16) + (header[2]! << 8) + header[3]!;
    const type = header[4]!;
    const fault = this.#check(type, length);
    if (fault !== undefined) return fault;
    this.#type = type as FrameType;
    this.#missing = length;
    return undefined;
  }

  #keep(piece: Uint8Array): void {
    if (piece.length >= SMALL_PIECE_BYTES) {
      this.#sealGathered();
      this.#pieces.push(piece);
      return;
    }
    if (this.#gather !== undefined && this.#gathered + piece.length > this.#gather.length) this.#sealGathered();
    this.#gather ??= new Uint8Array(GATHER_BYTES);
    this.#gather.set(piece, this.#gathered);
    this.#gathered += piece.length;
  }

  #sealGathered(): void {
    if (this.#gather === undefined) return;
    this.#pieces.push(this.#gather.subarray(0, this.#gathered));
    this.#gather = undefined;
    this.#gathered = 0;
  }

  #finish(last: Uint8Array): void {
    this.#headerBytes = 0;
    if (this.#pieces.length === 0 && this.#gather === undefined) {
      this.#deliver(this.#type, unpinned(last));
      return;
    }
    this.#sealGathered();
    const pieces = this.#pieces;
    pieces.push(last);
    this.#pieces = [];
    this.#deliver(this.#type, joined(pieces));
  }
}

function unpinned(payload: Uint8Array): Uint8Array {
  const pinsMuch = payload.buffer.byteLength > 2 * payload.length + 256;
  return pinsMuch && payload.length <= SMALL_PAYLOAD_BYTES ? payload.slice() : payload;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  // Not zeroed: every byte is overwritten below.
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
