/**
 * Protocol names with a bound on their lengths. multistream-select reads a length byte by byte and decodes all bytes
 * anew with each (@libp2p/utils 7): a stranger who sends 0xff only, a length without an end, keeps a core busy for
 * seconds with some kilobytes. So its messages are followed here first, up to the one that ends the negotiation, and
 * the connection is cut at the first length that no honest peer sends.
 */

import type { MessageStream, Stream, StreamMuxer, Transport, Upgrader } from "@libp2p/interface";

/** A varint of two bytes holds the longest name that multistream-select takes. */
const LENGTH_BYTES_MAX = 2;
const NAME_BYTES_MAX = 1024;
/** Names refused before the one that is taken: a dialer of ours names one. */
const NAMES_MAX = 8;

/** A libp2p `transports` entry that guards the negotiation of `protocols`, the encryption of a new connection. */
export function guardedTransport<Components extends object>(
  create: (components: Components) => Transport,
  protocols: readonly string[],
): (components: Components) => Transport {
  return (components) => {
    const { upgrader } = components as { upgrader?: Upgrader };
    if (upgrader === undefined) throw new Error("libp2p hands its upgrader to transports no more");
    for (const method of ["upgradeInbound", "upgradeOutbound"] as const) {
      const upgrade = upgrader[method].bind(upgrader) as (connection: MessageStream, options: unknown) => never;
      upgrader[method] = ((connection: MessageStream, options: unknown) => {
        guardNegotiation(connection, protocols);
        return upgrade(connection, options);
      }) as never;
    }
    return create(components);
  };
}

/** Guards the negotiation of `protocols` on every stream of a muxer, from its first byte. */
export function guardStreams(muxer: StreamMuxer, protocols: readonly string[]): void {
  // A listener for streams, added before libp2p's own, would take the early ones away from it.
  const inner = muxer as StreamMuxer & { onRemoteStream?: (stream: Stream) => void };
  const announce = inner.onRemoteStream?.bind(muxer);
  if (announce === undefined) throw new Error("the muxer announces streams in another way than it did");
  inner.onRemoteStream = (stream) => {
    guardNegotiation(stream, protocols);
    announce(stream);
  };
  const open = muxer.createStream.bind(muxer);
  muxer.createStream = async (options) => {
    const stream = await open(options);
    guardNegotiation(stream, protocols);
    return stream;
  };
}

/**
 * Aborts `stream` at a fault; what holds it is not read. A stream keeps its data until somebody listens, so the guard
 * begins in the moment in which multistream-select does, just before it.
 */
function guardNegotiation(stream: MessageStream, protocols: readonly string[]): void {
  const scanner = new NameScanner(protocols);
  const listen = (event: MessageStreamEvent): void => {
    const { data } = event;
    for (const piece of data instanceof Uint8Array ? [data] : data) scanner.push(piece);
    if (scanner.fault !== undefined) {
      event.stopImmediatePropagation();
      stream.abort(new Error(scanner.fault));
    }
    if (scanner.isOver) stream.removeEventListener("message", listen);
  };
  const add = stream.addEventListener.bind(stream) as (...args: readonly unknown[]) => void;
  stream.addEventListener = ((...args: readonly unknown[]) => {
    if (args[0] === "message") {
      stream.addEventListener = add as never;
      add("message", listen);
    }
    add(...args);
  }) as never;
}
type MessageStreamEvent = Event & { readonly data: Uint8Array | Iterable<Uint8Array> };

/** Follows multistream-select's messages to the one that names the protocol. */
export class NameScanner {
  readonly #ends: ReadonlySet<string>;
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the name still to come; undefined: a length is being read. */
  #missing: number | undefined;
  #name = "";
  #names = 0;
  #isNamed = false;
  fault: string | undefined;

  /** @param protocols that end the negotiation */
  constructor(protocols: readonly string[]) {
    this.#ends = new Set(protocols.map((protocol) => `${protocol}\n`));
  }

  /** The protocol is named, or something is wrong: what follows is none of our business. */
  get isOver(): boolean {
    return this.#isNamed || this.fault !== undefined;
  }

  push(input: Uint8Array): void {
    for (let at = 0; at < input.length && !this.isOver; at++) {
      const byte = input[at] as number;
      if (this.#missing === undefined) this.#readLength(byte);
      else {
        this.#name += String.fromCharCode(byte);
        this.#missing--;
      }
      if (this.#missing === 0) this.#endName();
    }
  }

  #readLength(byte: number): void {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    if (byte >= 0x80) {
      if (this.#lengthBytes === LENGTH_BYTES_MAX) this.fault = "a length without an end in the negotiation";
    } else if (this.#length > NAME_BYTES_MAX) this.fault = `a name of ${this.#length} bytes in the negotiation`;
    else this.#missing = this.#length;
  }

  #endName(): void {
    this.#isNamed = this.#ends.has(this.#name);
    if (!this.#isNamed && ++this.#names > NAMES_MAX) this.fault = "too many names in the negotiation";
    this.#length = this.#lengthBytes = 0;
    this.#missing = undefined;
    this.#name = "";
  }
}
