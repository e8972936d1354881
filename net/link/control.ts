/** Frames that the link itself speaks, all on the urgent lane: where each type has its place, how long it may be, and
 * the payloads of pings and credit. Init and close are in `init.ts`. */

import type { Credit } from "./credit.ts";
import { FRAME } from "./frame.ts";
import { CLOSE_BYTES, INIT_BYTES } from "./init.ts";
import { LANES } from "./types.ts";
import type { Lane, LinkLimits } from "./types.ts";

const PING_BYTES = 4;
/** Lane (its place in LANES), bytes read (8 bytes, below 2^53), window. */
const CREDIT_BYTES = 1 + 8 + 4;

/** The lanes that send under credit. */
export const PACED_LANES = ["chain", "bulk"] as const satisfies readonly Lane[];
export type PacedLane = (typeof PACED_LANES)[number];

/** Longest payload of a frame of this type on this lane; undefined where the type has no place. */
export function maxPayloadBytes(lane: Lane, type: number, limits: LinkLimits): number | undefined {
  if (type === FRAME.data) return limits.frameBytes[lane];
  if (lane !== "urgent") return undefined;
  switch (type) {
    case FRAME.init:
      return INIT_BYTES;
    case FRAME.close:
      return CLOSE_BYTES;
    case FRAME.ping:
    case FRAME.pong:
      return PING_BYTES;
    case FRAME.ready:
      return 0;
    case FRAME.credit:
      return CREDIT_BYTES;
    default:
      return undefined;
  }
}

export function encodePing(id: number): Uint8Array {
  const payload = Buffer.alloc(PING_BYTES);
  payload.writeUInt32BE(id);
  return payload;
}

/** The id in a ping or pong; undefined for what is none. */
export function readPing(payload: Uint8Array): number | undefined {
  return payload.length === PING_BYTES ? viewOf(payload).getUint32(0) : undefined;
}

export function encodeCredit(lane: PacedLane, { readBytes, windowBytes }: Credit): Uint8Array {
  const payload = new Uint8Array(CREDIT_BYTES);
  const view = viewOf(payload);
  payload[0] = LANES.indexOf(lane);
  view.setBigUint64(1, BigInt(readBytes));
  view.setUint32(9, windowBytes);
  return payload;
}

/** Undefined for another length, a lane without credit, or a count that no link reaches. */
export function readCredit(payload: Uint8Array): { readonly lane: PacedLane; readonly credit: Credit } | undefined {
  if (payload.length !== CREDIT_BYTES) return undefined;
  const lane = PACED_LANES.find((each) => LANES.indexOf(each) === payload[0]);
  const view = viewOf(payload);
  const readBytes = Number(view.getBigUint64(1));
  if (lane === undefined || !Number.isSafeInteger(readBytes)) return undefined;
  return { lane, credit: { readBytes, windowBytes: view.getUint32(9) } };
}

function viewOf(payload: Uint8Array): DataView {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
}
