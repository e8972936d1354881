/**
 * Proof of the changes of a chain's producer set, one after the other, for somebody who knows the genesis and perhaps some
 * changes (docs/proofs.md): without it certificates of a later set mean nothing. Checked here up to the signatures.
 */
import { toBase64Url } from "../src/base/base64url.ts";
import { toHex } from "../src/base/bytes.ts";
import { sha256Hex } from "../src/base/hash.ts";
import type { Result } from "../src/base/result.ts";
import { type Configuration, makeConfiguration } from "../chain/configuration.ts";
import { PRODUCERS_MAX } from "../chain/constants.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import {
  certificateBy,
  demandHistory,
  headerOf,
  Members,
  membersOfChain,
  outcomeOf,
  type ProofError,
  type TrustedGenesis,
  Wrong,
} from "./proofMembers.ts";
import { newestSet, type ProvenChange, setsProving } from "./provenSets.ts";

export const PRODUCERS_PROOF_FORMAT = "cairn-producers-proof-1";

/** Changes in one proof: with certificates of the largest sets they are about a megabyte. */
export const CHANGES_MAX = 32;

/** As it is written in JSON: hashes, ids and keys are hex, bytes unpadded base64url. */
export interface ProducersProof {
  readonly format: typeof PRODUCERS_PROOF_FORMAT;
  readonly chainId: string;
  /** Height up to which changes are known; those above it follow, at most {@link CHANGES_MAX}, none left out. */
  readonly above: number;
  readonly changes: readonly ChangeProof[];
}

export interface ChangeProof {
  /** Encoded, of the block that began the change. */
  readonly header: string;
  /** Keys of the set to come, in its order: the header has its hash. */
  readonly producers: readonly string[];
  /** From the block's id to the historyRoot of the certified header; empty when that is its own. */
  readonly historyPath: readonly string[];
  /** Encoded, of the block or of one above it, by the set that is left, or by both. */
  readonly certificate: string;
}

/** What a proof shows once the signatures of all `claims` are found valid: all changes that are known now. */
export interface ProvenChanges {
  readonly changes: readonly ProvenChange[];
  readonly claims: readonly SignatureClaim[];
}

export interface ChangeMaterial {
  readonly headerBytes: Uint8Array;
  readonly next: Configuration;
  readonly historyPath: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

export function makeProducersProof(chainId: string, above: number, changes: readonly ChangeMaterial[]): ProducersProof {
  return {
    format: PRODUCERS_PROOF_FORMAT,
    chainId,
    above,
    changes: changes.map(({ headerBytes, next, historyPath, certificate }) => ({
      header: toBase64Url(headerBytes),
      producers: next.producers,
      historyPath: historyPath.map(toHex),
      certificate: toBase64Url(certificate),
    })),
  };
}

const MEMBERS = ["format", "chainId", "above", "changes"] as const;
const CHANGE_MEMBERS = ["header", "producers", "historyPath", "certificate"] as const;

/** Checks a proof, as JSON gives it, against what its genesis and the changes known before say. Every byte of it counts. */
export function checkProducersProof(value: unknown, genesis: TrustedGenesis): Result<ProvenChanges, ProofError> {
  return outcomeOf(() => {
    const proof = membersOfChain(value, PRODUCERS_PROOF_FORMAT, MEMBERS, genesis);
    const changes = [...(genesis.changes ?? [])];
    if (proof.count("above") !== (changes.at(-1)?.height ?? 0))
      throw new Wrong("above", "is not where changes end that are known");
    const claims: SignatureClaim[] = [];
    proof.list("changes", CHANGES_MAX).forEach((each, index) => {
      const change = new Members(each, `changes[${index}].`, CHANGE_MEMBERS);
      const proven = changeOf(change, genesis, changes, `changes[${index}].`);
      changes.push(proven.change);
      claims.push(...proven.claims);
    });
    return { changes, claims };
  });
}

function changeOf(
  proof: Members,
  genesis: TrustedGenesis,
  before: readonly ProvenChange[],
  prefix: string,
): { readonly change: ProvenChange; readonly claims: readonly SignatureClaim[] } {
  const { bytes, header } = headerOf(proof, "header");
  const { height } = header;
  const current = newestSet(genesis.configuration, before);
  const last = before.at(-1)?.height;
  if (header.configuration !== current.hash || (last !== undefined && height < last + 2))
    throw new Wrong(`${prefix}header`, "is of another producer set than is known: a change is missing, or made up");
  const next = setOf(proof);
  if (next?.hash !== header.nextConfiguration)
    throw new Wrong(`${prefix}producers`, "are not those that the header proposes");
  const change = { height, next: next as Configuration };
  const certificate = certificateBy(proof, genesis, setsProving(genesis.configuration, before, change));
  demandHistory(proof, { height, id: sha256Hex(bytes) }, certificate);
  return { change, claims: certificate.claims };
}

/** undefined: no set. */
function setOf(proof: Members): Configuration | undefined {
  const keys = proof.hashes("producers", PRODUCERS_MAX).map(toHex);
  const isSet = keys.length > 0 && new Set(keys).size === keys.length;
  return isSet ? makeConfiguration(keys) : undefined;
}
