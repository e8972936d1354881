/**
 * Who pays for an attack. Work is counted, not timed: bytes, signature checks, writes. To connect costs both sides a
 * handshake with three key agreements; made-up bytes and false signatures cost their maker nothing but the sending.
 */
import { LANES } from "../../../net/link/types.ts";
import { CHECKS_AT_FIRST } from "../../../src/replica/constants.ts";
import { RuleBroken } from "../violation.ts";

/** What an attack made the nodes do, and what it took. */
export interface Bill {
  readonly connections: number;
  readonly bytesIn: number;
  /** Sent to the attacker. */
  readonly bytesOut: number;
  /** Of signatures that came from the attacker. */
  readonly signatureChecks: number;
  /** Written to disk because of what it said. */
  readonly bytesPersisted: number;
}

/** What a new connection may get for nothing: the greeting, the newest certificate, and the first answers to hellos. */
export const GREETING_BYTES = 16 * 1024;

/** @param signatures true ones that the attacker made, or had made */
export function assertAttackerPays(bill: Bill, { signatures } = { signatures: 0 }): void {
  const { connections, bytesIn, bytesOut, signatureChecks, bytesPersisted } = bill;
  const checks = signatures + connections * LANES.length * CHECKS_AT_FIRST;
  const bytes = bytesIn + connections * GREETING_BYTES;
  if (bytesOut > bytes) fail(`${bytesOut} bytes sent for ${bytesIn} and ${connections} connections`);
  if (signatureChecks > checks)
    fail(`${signatureChecks} signatures checked for ${signatures} true ones and ${connections} connections`);
  if (bytesPersisted > bytesIn) fail(`${bytesPersisted} bytes written for ${bytesIn}`);
}

function fail(detail: string): never {
  throw new RuleBroken("bounds", "an attack costs its maker more than the node", detail);
}
