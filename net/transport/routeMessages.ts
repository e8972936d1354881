/** What neighbours tell each other of routes: bytes to messages and back (`proto/transport.proto`). */
import { type Decoded, fixedBytes, hash, message, nested, optional, repeated, uint } from "../../src/base/codec.ts";
import type { PeerKey } from "../link/types.ts";
import { HOPS_MAX, INFINITE_METRIC } from "./constants.ts";

const SIGNATURE_BYTES = 64;
const SEQNO_BYTES = 8;
/** In one frame: as many as a producer set has. */
export const UPDATES_MAX = 200;

/** First byte of a payload; the layers above use others. */
const KIND = { updates: 48, routeRequest: 49, seqnoRequest: 50 } as const;

/** A route to a producer, or that there is none. */
export const routeUpdateMessage = message("RouteUpdate", {
  producer: hash(1),
  /** Big-endian. */
  seqno: fixedBytes(2, SEQNO_BYTES),
  metric: uint(3),
  /** Absent: there is no route. */
  signature: optional(fixedBytes(4, SIGNATURE_BYTES)),
});
export const routeUpdatesMessage = message("RouteUpdates", {
  updates: repeated(nested(1, routeUpdateMessage), UPDATES_MAX),
});
/** Asks for the neighbour's route to a producer; without one, to all. */
export const routeRequestMessage = message("RouteRequest", { producer: optional(hash(1)) });
/** Asks a producer for a seqno newer than this one, which it signed. */
export const seqnoRequestMessage = message("SeqnoRequest", {
  producer: hash(1),
  seqno: fixedBytes(2, SEQNO_BYTES),
  hops: uint(3),
  signature: fixedBytes(4, SIGNATURE_BYTES),
});

/** A seqno and its producer's signature over it. */
export interface SignedSeqno {
  readonly producer: PeerKey;
  readonly seqno: bigint;
  readonly signature: Uint8Array;
}
/** `route` is absent where there is none, or none any more. */
export interface RouteUpdate {
  readonly producer: PeerKey;
  readonly route: (SignedSeqno & { readonly metric: number }) | undefined;
}
export interface SeqnoRequest extends SignedSeqno {
  /** Links that it may still cross, this one included. */
  readonly hops: number;
}
export type RoutingMessage =
  | { readonly kind: "updates"; readonly updates: readonly RouteUpdate[] }
  | { readonly kind: "routeRequest"; readonly producer: PeerKey | undefined }
  | { readonly kind: "seqnoRequest"; readonly request: SeqnoRequest };

const NO_SEQNO = new Uint8Array(SEQNO_BYTES);

export function encodeSeqno(seqno: bigint): Uint8Array {
  const encoded = new Uint8Array(SEQNO_BYTES);
  new DataView(encoded.buffer).setBigUint64(0, seqno);
  return encoded;
}

function decodeSeqno(encoded: Uint8Array): bigint {
  return new DataView(encoded.buffer, encoded.byteOffset).getBigUint64(0);
}

/** At most so many that one frame holds them: {@link UPDATES_MAX}. */
export function encodeRouteUpdates(updates: readonly RouteUpdate[]): Uint8Array {
  const encoded = updates.map(({ producer, route }) =>
    route === undefined
      ? { producer, seqno: NO_SEQNO, metric: INFINITE_METRIC }
      : { producer, seqno: encodeSeqno(route.seqno), metric: route.metric, signature: route.signature },
  );
  return routeUpdatesMessage.encodeAs(KIND.updates, { updates: encoded });
}

export function encodeRouteRequest(producer: PeerKey | undefined): Uint8Array {
  return routeRequestMessage.encodeAs(KIND.routeRequest, producer === undefined ? {} : { producer });
}

export function encodeSeqnoRequest({ producer, seqno, hops, signature }: SeqnoRequest): Uint8Array {
  return seqnoRequestMessage.encodeAs(KIND.seqnoRequest, { producer, seqno: encodeSeqno(seqno), hops, signature });
}

/** Is this payload the transport's own business? */
export function isRouting(payload: Uint8Array): boolean {
  const kind = payload[0];
  return kind !== undefined && kind >= KIND.updates && kind <= KIND.seqnoRequest;
}

/** @returns undefined for what no correct node sends */
export function decodeRouting(payload: Uint8Array): RoutingMessage | undefined {
  const content = payload.subarray(1);
  switch (payload[0]) {
    case KIND.updates: {
      const decoded = routeUpdatesMessage.decode(content);
      return decoded.ok ? { kind: "updates", updates: decoded.value.updates.map(updateOf) } : undefined;
    }
    case KIND.routeRequest: {
      const decoded = routeRequestMessage.decode(content);
      return decoded.ok ? { kind: "routeRequest", producer: decoded.value.producer } : undefined;
    }
    case KIND.seqnoRequest: {
      const decoded = seqnoRequestMessage.decode(content);
      if (!decoded.ok) return undefined;
      const { producer, seqno, hops, signature } = decoded.value;
      const seqnoHere = decodeSeqno(seqno);
      const request = { producer, seqno: seqnoHere, hops: Math.min(hops, HOPS_MAX), signature: signature.slice() };
      return { kind: "seqnoRequest", request };
    }
    default:
      return undefined;
  }
}

/** A route has a finite metric and a signature. */
function updateOf({ producer, seqno, metric, signature }: Decoded<typeof routeUpdateMessage>): RouteUpdate {
  if (signature === undefined || metric >= INFINITE_METRIC) return { producer, route: undefined };
  // Copies: what is kept of a frame would keep all of it.
  return { producer, route: { producer, seqno: decodeSeqno(seqno), metric, signature: signature.slice() } };
}
