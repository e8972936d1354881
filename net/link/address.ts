/** Addresses and identities between our notation and libp2p's. */

import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { Multiaddr } from "@multiformats/multiaddr";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { LinkError } from "./error.ts";
import type { PeerKey } from "./types.ts";

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s[\]]+)):(\d{1,5})$/;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Where to connect to, and whom to expect there. `text` has no `/p2p/` part and names the address in maps and logs. */
export interface Address {
  readonly text: string;
  readonly peer: PeerKey | undefined;
}

/** The key behind a libp2p peer id; undefined for identities that are not Ed25519 keys. */
export function keyOfPeerId(peer: PeerId): PeerKey | undefined {
  return peer.type === "Ed25519" ? toHex(peer.publicKey.raw) : undefined;
}

/** Takes `host:port`, `[ipv6]:port` and multiaddrs with `/tcp/`. Throws `BAD_ADDRESS`. */
export function parseAddress(text: string): Address {
  try {
    const whole = multiaddr(text.startsWith("/") ? text : multiaddrTextOf(text));
    const parts = whole.getComponents();
    const [host, tcp, p2p] = parts;
    const known = ["ip4", "ip6", "dns", "dns4", "dns6"].includes(host?.name ?? "");
    if (!known || tcp?.name !== "tcp" || (p2p !== undefined && p2p.name !== "p2p") || parts.length > 3) {
      throw new Error("not /ip4|ip6|dns.../HOST/tcp/PORT with or without /p2p/ID");
    }
    const peer = p2p?.value === undefined ? undefined : keyOfPeerId(peerIdFromString(p2p.value));
    if (p2p !== undefined && peer === undefined) throw new Error("its peer id is not of an Ed25519 key");
    return { text: `/${host?.name}/${host?.value}/tcp/${tcp.value}`, peer };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LinkError("BAD_ADDRESS", `${JSON.stringify(text)} is not an address: ${why}`, { cause });
  }
}

/** Whether {@link parseAddress} takes it. */
export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false; // the caller says what an address is
  }
}

/** The multiaddr to dial: with the peer's identity where it is known, so that another one there is refused. */
export function dialable(text: string, peer: PeerKey | undefined): Multiaddr {
  const raw = peer === undefined ? undefined : fromHex(peer);
  if (raw === undefined) return multiaddr(text);
  if (raw.length !== 32) throw new LinkError("BAD_ADDRESS", `${peer} is not a peer key`);
  return multiaddr(`${text}/p2p/${peerIdFromPublicKey(publicKeyFromRaw(raw)).toString()}`);
}

function multiaddrTextOf(text: string): string {
  const match = HOST_AND_PORT.exec(text);
  const port = match?.[3];
  if (match === null || port === undefined || Number(port) > 65_535) throw new Error("not HOST:PORT");
  const [, ipv6, host] = match;
  if (ipv6 !== undefined) return `/ip6/${ipv6}/tcp/${port}`;
  return `/${IPV4.test(host ?? "") ? "ip4" : "dns"}/${host}/tcp/${port}`;
}
