/**
 * The libp2p node under the link layer: TCP, noise and yamux, and nothing that acts by itself (no identify, no
 * discovery, no redialing, no pruning, no peer store). Which connections exist is the link layer's business.
 */

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { NotFoundError } from "@libp2p/interface";
import type { Libp2p, PeerId } from "@libp2p/interface";
import { noise } from "@chainsafe/libp2p-noise";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import type { Libp2pOptions } from "libp2p";
import { LinkError } from "./error.ts";
import { boundedYamux } from "./muxer.ts";
import { guardedTransport } from "./negotiation.ts";
import { oneWrite } from "./one-write.ts";
import type { LinkLimits } from "./types.ts";

/** The encryption's name in the negotiation. */
const NOISE = "/noise";

export interface HostOptions {
  readonly privateKeySeed: Uint8Array;
  /** A multiaddr to listen on. */
  readonly listen: string;
  readonly maxPeers: number;
  readonly limits: LinkLimits;
}

/** Not started yet, so that handlers are there before the first connection. Throws `BAD_OPTIONS` for a bad seed. */
export async function createHost({ privateKeySeed, listen, maxPeers, limits }: HostOptions): Promise<Libp2p> {
  if (privateKeySeed.length !== 32) throw new LinkError("BAD_OPTIONS", "the private key seed is not 32 bytes");
  const privateKey = await generateKeyPairFromSeed("Ed25519", privateKeySeed);
  const connections = maxPeers + limits.maxHandshakes;
  const notEd25519 = (peer: PeerId): boolean => peer.type !== "Ed25519";
  return createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [listen] },
    // The kernel accepts and drops what is beyond this before any of our code runs.
    transports: [guardedTransport(tcp({ maxConnections: connections + limits.maxHandshakes }), [NOISE])],
    connectionEncrypters: [oneWrite(noise())],
    streamMuxers: [boundedYamux()],
    datastore: forgetful(),
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: notEd25519,
      denyOutboundEncryptedConnection: notEd25519,
    },
    connectionManager: {
      // The link layer counts before libp2p does; its pruner, which picks by its own rules, must never act.
      maxConnections: 2 * connections + 100,
      maxIncomingPendingConnections: limits.maxHandshakes,
      inboundConnectionThreshold: limits.inboundPerHostPerSecond,
      inboundUpgradeTimeout: limits.handshakeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.handshakeTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: limits.handshakeTimeoutMs,
      dialTimeout: limits.handshakeTimeoutMs,
      addressDialTimeout: limits.handshakeTimeoutMs,
      connectionCloseTimeout: limits.closeLingerMs,
      maxDialQueueLength: 2 * limits.maxTargets,
      reconnectRetries: 0,
    },
  });
}

/** What the system said: libp2p tells it in its text only, before a stack. */
const LISTEN_ERROR = /\blisten (E[A-Z]+)[^\n]*/;

/** Throws `LISTEN_FAILED`. */
export async function startHost(host: Libp2p, listen: string): Promise<void> {
  try {
    await host.start();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const [said = why, systemCode] = LISTEN_ERROR.exec(why) ?? [];
    const options = { cause, ...(systemCode !== undefined && { systemCode }) };
    throw new LinkError("LISTEN_FAILED", `cannot listen on ${listen}: ${said}`, options);
  }
}

/** A datastore that keeps nothing: libp2p's peer store would otherwise keep a record of every key that ever connected. */
function forgetful(): NonNullable<Libp2pOptions["datastore"]> {
  const missing = (): never => {
    throw new NotFoundError("nothing is stored");
  };
  return {
    has: () => false,
    get: missing,
    put: (key) => key,
    delete: () => undefined,
    // eslint-disable-next-line require-yield
    async *getMany() {},
    async *putMany(pairs) {
      for await (const { key } of pairs) yield key;
    },
    async *deleteMany(keys) {
      for await (const key of keys) yield key;
    },
    async *query() {},
    async *queryKeys() {},
    batch: () => ({ put: () => undefined, delete: () => undefined, commit: () => undefined }),
  };
}
