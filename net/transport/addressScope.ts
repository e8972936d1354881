/**
 * From where an address can be reached, by its text alone. What a peer tells is taken, and passed on, only where it can be
 * true: nobody far away makes this node dial its own machine or its own network.
 */

/** Widest last: whoever is in one can use the addresses of those after it. */
export const SCOPES = ["loopback", "private", "public"] as const;
export type AddressScope = (typeof SCOPES)[number];

const ADDRESS = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})$/;
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/i;
/** Names that the public name system does not know. */
const LOCAL_NAME = /^[^.]+$|\.(?:local|internal|lan|home\.arpa)$/i;

/** @returns undefined for what is no address of one node: no multiaddr of these kinds, port 0, "any", multicast */
export function scopeOf(address: string): AddressScope | undefined {
  const [, kind, host = "", port] = ADDRESS.exec(address) ?? [];
  if (kind === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  if (kind === "ip4") return scopeOfIp4(host);
  if (kind === "ip6") return scopeOfIp6(host);
  return scopeOfName(host);
}

/** May who is reached in scope `from` tell of, or be told of, an address? What is nearer than the link may not. */
export function isWithin(address: AddressScope, from: AddressScope): boolean {
  return SCOPES.indexOf(address) >= SCOPES.indexOf(from);
}

function scopeOfIp4(text: string): AddressScope | undefined {
  const bytes = ip4Bytes(text);
  if (bytes === undefined) return undefined;
  const [a, b] = bytes as [number, number, number, number];
  if (a === 0 || a >= 224) return undefined;
  if (a === 127) return "loopback";
  const isPrivate =
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && b >= 64 && b < 128);
  return isPrivate ? "private" : "public";
}

function ip4Bytes(text: string): number[] | undefined {
  const parts = text.split(".");
  const isDecimal = parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return parts.length === 4 && isDecimal ? parts.map(Number) : undefined;
}

function scopeOfIp6(text: string): AddressScope | undefined {
  const groups = ip6Groups(text);
  if (groups === undefined) return undefined;
  const [first] = groups as [number];
  const upToLast = groups.slice(0, 7);
  if (upToLast.every((group) => group === 0)) return groups[7] === 1 ? "loopback" : undefined;
  // IPv4 in IPv6's clothes would be judged by the wrong rules.
  if (upToLast.slice(0, 5).every((group) => group === 0)) return undefined;
  if (first >= 0xff00) return undefined;
  const isPrivate = (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80;
  return isPrivate ? "private" : "public";
}

/** Its eight groups; addresses that end in the notation of IPv4 are not taken. */
function ip6Groups(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":"))) as [string[], string[] | undefined];
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<string>(tail === undefined ? 0 : missing).fill("0"), ...(tail ?? [])];
  return all.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? all.map((group) => parseInt(group, 16)) : undefined;
}

/** A name says nothing of where it leads; those that only a local resolver knows are kept near. */
function scopeOfName(name: string): AddressScope | undefined {
  if (!NAME.test(name)) return undefined;
  if (/(?:^|\.)localhost$/i.test(name)) return "loopback";
  return LOCAL_NAME.test(name) ? "private" : "public";
}
