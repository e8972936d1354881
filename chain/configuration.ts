/** Producer sets: who may produce, and how many of them decide. */
import { type Decoded, hash, message, repeated } from "../src/base/codec.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { PRODUCERS_MAX } from "./constants.ts";

/** A set of producers in its order; the order gives `producers[view mod n]` to the engines that rotate. */
export interface Configuration {
  /** Ed25519 public keys, hex. */
  readonly producers: readonly string[];
  /** Hash of the encoded set: what headers name. */
  readonly hash: string;
}

export const configurationMessage = message("Configuration", { producers: repeated(hash(1), PRODUCERS_MAX) });
export type ConfigurationContent = Decoded<typeof configurationMessage>;

/** Throws a RangeError on an empty set or one that names a producer twice. */
export function makeConfiguration(producers: readonly string[]): Configuration {
  if (producers.length === 0 || producers.length > PRODUCERS_MAX) throw new RangeError("1 to 200 producers");
  if (new Set(producers).size !== producers.length) throw new RangeError("a producer is named twice");
  return { producers, hash: sha256Hex(configurationMessage.encode({ producers })) };
}

/** A majority: any two majorities share a producer. For crash faults, n = 2f + 1. */
export function majorityOf(configuration: Configuration): number {
  return Math.floor(configuration.producers.length / 2) + 1;
}

/** A set as it stands in a block; undefined: it is none. */
export function decodeConfiguration(encoded: Uint8Array): Configuration | undefined {
  const decoded = configurationMessage.decode(encoded);
  if (!decoded.ok) return undefined;
  const { producers } = decoded.value;
  if (producers.length === 0 || new Set(producers).size !== producers.length) return undefined;
  return { producers, hash: sha256Hex(encoded) };
}

export function encodeConfiguration({ producers }: Configuration): Uint8Array {
  return configurationMessage.encode({ producers });
}

export function isProducer(configuration: Configuration, key: string): boolean {
  return configuration.producers.includes(key);
}
