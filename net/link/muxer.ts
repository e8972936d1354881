/**
 * yamux with the bounds it lacks (@libp2p/yamux 8.0). Its decoder keeps a data frame until it is complete and only then
 * compares its length, up to 4 GiB, with the window; its answers to pings and resets go into a write buffer without an
 * end; and a peer may open and reset streams for ever. So the headers are read here first, and the connection is cut at
 * the first that no honest peer sends.
 */

import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";
import { yamux } from "@libp2p/yamux";
import { abortConnection } from "./abort.ts";
import { guardStreams } from "./negotiation.ts";
import { LANES, protocolOf } from "./types.ts";

const YAMUX_HEADER_BYTES = 12;
const DATA_FRAME = 0;
const FLAG_SYN = 1;

/** Streams one side may open over a connection's life. A dialer needs one a lane. */
const MAX_STREAMS_OPENED = 16;

/** What yamux lets a new stream send at once, and what it widens it to. Credit holds lanes back before that. */
const INITIAL_WINDOW_BYTES = 256 * 1024;
const MAX_WINDOW_BYTES = 16 * 1024 * 1024;

/** Lanes send chunks of 64 KiB: a longer data frame would be kept in memory until it is complete. */
const DATA_FRAME_BYTES = 256 * 1024;

/** Room for control frames on top of one chunk a lane. */
const CONTROL_BYTES = 1024 * 1024;

/** A libp2p `streamMuxers` entry. */
export function boundedYamux(): () => StreamMuxerFactory {
  const create = yamux({
    // Its ping measures the round trip by which it widens the window.
    enableKeepAlive: true,
    maxInboundStreams: 2 * LANES.length,
    maxOutboundStreams: 2 * LANES.length,
    streamOptions: {
      initialStreamWindowSize: INITIAL_WINDOW_BYTES,
      maxStreamWindowSize: MAX_WINDOW_BYTES,
      maxReadBufferLength: 2 * DATA_FRAME_BYTES,
      // The outbox hands over one chunk at a time and stops when told to: this is never reached.
      maxWriteBufferLength: 2 * DATA_FRAME_BYTES,
    },
  });
  return () => {
    const inner = create();
    return {
      protocol: inner.protocol,
      createStreamMuxer: (connection) => {
        connection.maxWriteBufferLength = LANES.length * DATA_FRAME_BYTES + CONTROL_BYTES;
        guard(connection, DATA_FRAME_BYTES);
        const muxer = inner.createStreamMuxer(connection);
        guardStreams(muxer, LANES.map(protocolOf));
        return muxer;
      },
    };
  };
}

/** Aborts `connection` at a data frame longer than `maxDataBytes` or at one stream too many. Added before yamux listens. */
function guard(connection: MessageStream, maxDataBytes: number): void {
  const scanner = new HeaderScanner(maxDataBytes);
  connection.addEventListener("message", ({ data }) => {
    if (data instanceof Uint8Array) scanner.push(data);
    else for (const piece of data) scanner.push(piece);
    if (scanner.fault !== undefined) abortConnection(connection, new Error(scanner.fault));
  });
}

/** Follows a yamux byte stream from header to header. */
export class HeaderScanner {
  readonly #maxDataBytes: number;
  readonly #header = new Uint8Array(YAMUX_HEADER_BYTES);
  #headerBytes = 0;
  #skip = 0;
  #streamsOpened = 0;
  fault: string | undefined;

  constructor(maxDataBytes: number) {
    this.#maxDataBytes = maxDataBytes;
  }

  push(input: Uint8Array): void {
    let at = 0;
    while (at < input.length && this.fault === undefined) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, input.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#headerBytes++] = input[at++]!;
      if (this.#headerBytes === YAMUX_HEADER_BYTES) this.#judge();
    }
  }

  #judge(): void {
    const header = this.#header;
    this.#headerBytes = 0;
    if ((header[3]! & FLAG_SYN) !== 0 && header[1] !== 2 && ++this.#streamsOpened > MAX_STREAMS_OPENED) {
      this.fault = "too many streams opened";
    }
    if (header[1] !== DATA_FRAME) return;
    const length = header[8]! * 0x1000000 + (header[9]! << 16) + (header[10]! << 8) + header[11]!;
    if (length > this.#maxDataBytes) this.fault = `data frame of ${length} bytes`;
    this.#skip = length;
  }
}
