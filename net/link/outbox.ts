/**
 * One lane's send queue, bounded in bytes. Frames are handed out as chunks: small frames that wait together leave in
 * one chunk (a write of libp2p costs tens of microseconds whatever its size), large payloads leave as views.
 */

import { HEADER_BYTES, writeHeader } from "./frame.ts";
import type { FrameType } from "./frame.ts";

/** One yamux frame (12 bytes of header) in one noise message (65,535 bytes with its 16-byte tag). */
export const CHUNK_BYTES = 65_535 - 16 - 12;

/** Frames up to this size are stored in one piece with their header. */
const SMALL_FRAME_BYTES = 4 * 1024;

/** By which a newer message supersedes an older one that still waits; undefined where it does not. */
export type KeyOf = (payload: Uint8Array) => string | undefined;

interface Entry {
  readonly piece: Uint8Array;
  /** Payload bytes of the frame that ends with this piece; undefined inside a frame and for control frames. */
  readonly endsPayload: number | undefined;
  readonly endsFrame: boolean;
}

export class Outbox {
  readonly #cap: number;
  readonly #keyOf: KeyOf;
  #entries: Entry[] = [];
  #head = 0;
  /** Bytes of the head entry that are gone already. */
  #offset = 0;
  /** Whether a frame's first bytes are gone and its last are not. */
  #midFrame = false;
  /** Framed bytes that wait. */
  queuedBytes = 0;
  /** Payload bytes of data frames handed out whole since it was last read by {@link takeDrained}. */
  #drained = 0;
  bytesOut = 0;
  framesOut = 0;
  /** Messages refused or superseded at the cap. */
  drops = 0;
  /** Frames added since queued messages were last compared with each other. */
  #uncompared = 0;

  constructor(capBytes: number, keyOf: KeyOf) {
    this.#cap = capBytes;
    this.#keyOf = keyOf;
  }

  /**
   * Queues a frame. At the cap only the newest queued message of each key stays; where that makes no room: false, and
   * nothing queued. The parts must not change any more.
   */
  add(type: FrameType, parts: readonly Uint8Array[], isData: boolean): boolean {
    let payloadBytes = 0;
    for (const part of parts) payloadBytes += part.length;
    const size = HEADER_BYTES + payloadBytes;
    if (this.queuedBytes + size > this.#cap) this.#keepNewest();
    if (this.queuedBytes + size > this.#cap) {
      if (isData) this.drops += 1;
      return false;
    }
    this.#uncompared += 1;
    this.queuedBytes += size;
    const endsPayload = isData ? payloadBytes : undefined;
    if (size <= SMALL_FRAME_BYTES) {
      this.#entries.push({ piece: inOnePiece(type, payloadBytes, parts), endsPayload, endsFrame: true });
      return true;
    }
    const header = new Uint8Array(HEADER_BYTES);
    writeHeader(header, type, payloadBytes);
    const pieces = [header, ...parts.filter((part) => part.length > 0)];
    pieces.forEach((piece, i) => {
      const last = i === pieces.length - 1;
      this.#entries.push({ piece, endsPayload: last ? endsPayload : undefined, endsFrame: last });
    });
    return true;
  }

  /** The next bytes to write, at most `most` and {@link CHUNK_BYTES}; undefined when nothing waits. */
  next(most: number): Uint8Array | undefined {
    const first = this.#entries[this.#head];
    if (first === undefined) return undefined;
    const firstLeft = first.piece.length - this.#offset;
    const size = Math.min(CHUNK_BYTES, most, this.queuedBytes);
    this.queuedBytes -= size;
    this.bytesOut += size;
    if (firstLeft >= size) return this.#take(size);
    const chunk = Buffer.allocUnsafe(size);
    for (let at = 0; at < size;) {
      const part = this.#take(size - at);
      chunk.set(part, at);
      at += part.length;
    }
    return chunk;
  }

  /** Whether a small frame fits. */
  get hasRoom(): boolean {
    return this.queuedBytes + SMALL_FRAME_BYTES <= this.#cap;
  }

  /** Payload bytes of data frames that left since the last call. */
  takeDrained(): number {
    const drained = this.#drained;
    this.#drained = 0;
    return drained;
  }

  /** Drops what waits, except the rest of a frame that is already on its way (the peer could not read on without it). */
  clear(): void {
    const rest: Entry[] = [];
    if (this.#midFrame) {
      for (let i = this.#head; i < this.#entries.length; i++) {
        const entry = this.#entries[i]!;
        rest.push(entry);
        if (entry.endsFrame) break;
      }
    } else {
      this.#offset = 0;
    }
    this.#entries = rest;
    this.#head = 0;
    this.queuedBytes = rest.reduce((sum, entry) => sum + entry.piece.length, 0) - this.#offset;
  }

  /** Drops every message that a newer one of its key follows. What has begun to leave stays. */
  #keepNewest(): void {
    // Most were compared before and nothing came of it: it must not be done again for each message that finds no room.
    if (this.#uncompared * 2 < this.#entries.length - this.#head) return;
    this.#uncompared = 0;
    const frames = this.#waitingFrames();
    const seen = new Set<string>();
    const kept: Entry[][] = [];
    for (const frame of frames.reverse()) {
      const key = keyOfFrame(frame, this.#keyOf);
      if (key === undefined || !seen.has(key)) kept.push(frame);
      else this.#forget(frame);
      if (key !== undefined) seen.add(key);
    }
    const begun = this.#entries.slice(
      this.#head,
      this.#entries.length - frames.reduce((sum, { length }) => sum + length, 0),
    );
    this.#entries = [...begun, ...kept.reverse().flat()];
    this.#head = 0;
  }

  /** The queue as frames, without the one that has begun to leave. */
  #waitingFrames(): Entry[][] {
    const frames: Entry[][] = [];
    let frame: Entry[] = [];
    for (let i = this.#head, begun = this.#midFrame; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (!begun) frame.push(entry);
      if (!entry.endsFrame) continue;
      if (!begun) frames.push(frame);
      begun = false;
      frame = [];
    }
    return frames;
  }

  #forget(frame: readonly Entry[]): void {
    this.drops += 1;
    for (const { piece, endsPayload } of frame) {
      this.queuedBytes -= piece.length;
      // For its sender's budget it is as good as gone.
      this.#drained += endsPayload ?? 0;
    }
  }

  /** Up to `most` bytes of the head entry. */
  #take(most: number): Uint8Array {
    const { piece, endsPayload, endsFrame } = this.#entries[this.#head]!;
    const part = piece.subarray(this.#offset, this.#offset + most);
    this.#offset += part.length;
    this.#midFrame = true;
    if (this.#offset < piece.length) return part;
    this.#offset = 0;
    this.#head += 1;
    if (endsFrame) {
      this.#midFrame = false;
      this.framesOut += 1;
      this.#drained += endsPayload ?? 0;
    }
    this.#compact();
    return part;
  }

  /** Shifting an array from its head is linear; cutting off a large dead half now and then is not. */
  #compact(): void {
    if (this.#head === this.#entries.length) {
      this.#entries = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** Undefined for frames of the link itself, and where newer messages do not supersede older ones. */
function keyOfFrame(frame: readonly Entry[], keyOf: KeyOf): string | undefined {
  if (frame.at(-1)?.endsPayload === undefined) return undefined;
  const pieces = frame.map(({ piece }) => piece);
  const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  return keyOf(whole.subarray(HEADER_BYTES));
}

function inOnePiece(type: FrameType, payloadBytes: number, parts: readonly Uint8Array[]): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payloadBytes);
  writeHeader(frame, type, payloadBytes);
  let at = HEADER_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}
