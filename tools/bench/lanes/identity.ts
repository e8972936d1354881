/** Who the processes of `cairn bench lanes` say they are. */
import type { Init } from "../../../net/link/index.ts";

export function seedOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(number);
}

export function initOf(name: string): Init {
  return {
    versionMajor: 1,
    versionMinor: 0,
    chainId: "bench",
    features: [],
    name,
    role: "follower",
    listenAddresses: [],
    firstHeight: 0,
    irreversibleHeight: 0,
    startNonce: process.pid.toString(16).padStart(16, "0"),
    startedAt: Date.now(),
  };
}
