/** What a light client takes from a genesis file: the chain's id, its engine, its producers. Without the node's schema, for web pages. */
import { makeConfiguration } from "../../../chain/configuration.ts";
import { PRODUCERS_MAX } from "../../../chain/constants.ts";
import { ENGINE_NAMES, type EngineName } from "../../../chain/genesis.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import { utf8 } from "../../base/bytes.ts";
import { canonicalJson } from "../../base/canonicalJson.ts";
import { sha256Hex } from "../../base/hash.ts";
import { isListOf, isObject } from "../shape.ts";
import { LightError } from "./errors.ts";

const ENGINES: readonly unknown[] = ENGINE_NAMES;

/**
 * @param value the JSON of genesis.json
 * @throws LightError GENESIS_INVALID
 */
export function trustedGenesis(value: unknown): TrustedGenesis {
  const canonical = canonicalJson(value);
  if (!canonical.ok) throw invalid(canonical.error.message);
  const { engine, producers } = isObject(value) ? value : {};
  if (!ENGINES.includes(engine)) throw invalid("its engine is none that is known here");
  if (!isListOf(producers, isProducer) || producers.length === 0 || producers.length > PRODUCERS_MAX)
    throw invalid("its producers are no list of names and keys");
  const keys = producers.map(({ key }) => key);
  if (new Set(keys).size !== keys.length) throw invalid("a producer is named twice");
  const chainId = sha256Hex(utf8(canonical.value));
  return { engine: engine as EngineName, chainId, configuration: makeConfiguration(keys) };
}

function isProducer(value: unknown): value is { readonly key: string } {
  return isObject(value) && typeof value["key"] === "string" && /^[0-9a-f]{64}$/.test(value["key"]);
}

function invalid(why: string): LightError {
  return new LightError("GENESIS_INVALID", `the genesis is not valid: ${why}`);
}
