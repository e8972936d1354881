/** Where others can reach this node, as far as it can know by itself. */
import { networkInterfaces } from "node:os";
import { parseAddress } from "../../net/link/address.ts";
import type { Config } from "./config.ts";

const ANY = /^\/(ip4\/0\.0\.0\.0|ip6\/::)\/tcp\/(\d+)$/;

/**
 * What the operator announces; else where it listens: on every interface, the address of each.
 *
 * @param listening as the link layer found out, for a port that the system chose
 * @returns multiaddrs without the node's identity
 */
export function ownAddresses({ announce, listen }: Config["p2p"], listening: readonly string[]): string[] {
  if (announce.length > 0) return announce.map((address) => parseAddress(address).text);
  const own = parseAddress(listen).text;
  const port = own.endsWith("/tcp/0") ? /\/tcp\/(\d+)/.exec(listening[0] ?? "")?.[1] : /\/tcp\/(\d+)$/.exec(own)?.[1];
  if (port === undefined) return [];
  const [, any] = ANY.exec(own) ?? [];
  if (any === undefined) return [own.replace(/\d+$/, port)];
  const family = any.startsWith("ip4") ? "IPv4" : "IPv6";
  return Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .filter((info) => info.family === family && !("scopeid" in info && info.scopeid !== 0))
    .map(({ address }) => `/${any.slice(0, 3)}/${address}/tcp/${port}`);
}
