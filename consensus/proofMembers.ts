/**
 * What the proofs of docs/proofs.md have in common: JSON that somebody else wrote is read strictly, a certificate proves a
 * header irreversible, and that header's historyRoot proves those below it. No clock, no I/O, no `node:` module.
 */
import { fromBase64Url } from "../src/base/base64url.ts";
import { fromHex, hexBytes } from "../src/base/bytes.ts";
import { HASH_BYTES } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import type { Genesis } from "../chain/genesis.ts";
import { type Header, headerMessage } from "../chain/header.ts";
import { leafHash, verifyInclusion } from "../chain/merkle.ts";
import type { Certificate } from "./certificate.ts";
import { certificateDecoder } from "./engines.ts";
import { newestSet, provenSets, type ProvenChange, type SetsNamed } from "./provenSets.ts";

/** Siblings of a history of 2^53 blocks. */
export const HISTORY_PATH_MAX = 53;

/** What a proof is checked against. */
export interface TrustedGenesis extends Pick<Genesis, "engine" | "chainId" | "configuration"> {
  /** Changes of the producer set that were proven, in their order. */
  readonly changes?: readonly ProvenChange[];
}

export type ProofError = {
  readonly code:
    | "PROOF_INVALID"
    /** Its certificate is by producers that are not known: the set has changed, or somebody made them up. */
    | "PRODUCERS_UNKNOWN";
  /** The member that is wrong. */
  readonly field: string;
  readonly detail: string;
};

/** @param check throws {@link Wrong} where the proof does not hold */
export function outcomeOf<T>(check: () => T): Result<T, ProofError> {
  try {
    return ok(check());
  } catch (error) {
    if (error instanceof Wrong) return err({ code: error.code, field: error.field, detail: error.message });
    throw error;
  }
}

/** What every proof has, as it is written in JSON: hashes and ids are hex, bytes unpadded base64url. */
export interface ProofFrame {
  readonly format: string;
  readonly chainId: string;
  /** From the block's id to the historyRoot of the certified header; empty when that is the block's own. */
  readonly historyPath: readonly string[];
  /** Encoded, of the chain's engine; its (first) header is the certified one. */
  readonly certificate: string;
}

const FRAME = ["format", "chainId", "historyPath", "certificate"] as const satisfies readonly (keyof ProofFrame)[];

/** @param names of its members beside the frame's */
export function membersOf(value: unknown, format: string, names: readonly string[], genesis: TrustedGenesis): Members {
  return membersOfChain(value, format, [...FRAME, ...names], genesis);
}

/** As {@link membersOf}, of what has a frame of its own: `format` and `chainId` are among the names. */
export function membersOfChain(
  value: unknown,
  format: string,
  names: readonly string[],
  { chainId }: TrustedGenesis,
): Members {
  const proof = new Members(value, "", names);
  if (proof.text("format") !== format) throw new Wrong("format", `is not ${format}`);
  if (proof.text("chainId") !== chainId) throw new Wrong("chainId", "is another chain's than the genesis is of");
  return proof;
}

export function headerOf(proof: Members, name: string): { readonly bytes: Uint8Array; readonly header: Header } {
  const bytes = proof.bytes(name);
  const decoded = headerMessage.decode(bytes);
  if (!decoded.ok) throw new Wrong(name, decoded.error.detail);
  return { bytes, header: decoded.value };
}

/** The certificate of an irreversible block, its signatures left to the caller. */
export function certificateOf(proof: Members, genesis: TrustedGenesis): Certificate {
  return certificateBy(proof, genesis, provenSets(genesis.configuration, genesis.changes ?? []));
}

/** As {@link certificateOf}, judged by other sets than those that are known. */
export function certificateBy(proof: Members, genesis: TrustedGenesis, setsNamed: SetsNamed): Certificate {
  const { configuration, changes = [] } = genesis;
  const lookup = { setsNamed, isProducer: () => false, inForce: () => [newestSet(configuration, changes)] };
  const certificate = certificateDecoder(genesis, lookup)(proof.bytes("certificate"));
  if (!certificate.ok) {
    const { code, detail } = certificate.error;
    throw new Wrong("certificate", detail, code === "PRODUCERS_UNKNOWN" ? code : "PROOF_INVALID");
  }
  if (!certificate.value.isFinal) throw new Wrong("certificate", "does not prove its block irreversible");
  return certificate.value;
}

/** `historyPath` shows that the certified block is this one, or that its historyRoot holds this one at its height. */
export function demandHistory(
  proof: Members,
  { height, id }: { readonly height: number; readonly id: string },
  certified: { readonly header: Header; readonly id: string },
): void {
  const path = proof.hashes("historyPath", HISTORY_PATH_MAX);
  if (certified.id === id && path.length === 0) return;
  const root = hexBytes(certified.header.historyRoot);
  if (!verifyInclusion(leafHash(hexBytes(id)), height, certified.header.height, path, root))
    throw new Wrong("historyPath", "does not lead from the block to the historyRoot of the certified header");
}

/** Ends a check; {@link outcomeOf} makes an error of it. */
export class Wrong extends Error {
  readonly field: string;
  readonly code: ProofError["code"];
  constructor(field: string, detail: string, code: ProofError["code"] = "PROOF_INVALID") {
    super(detail);
    this.field = field;
    this.code = code;
  }
}

/** The members of an object that somebody else wrote: exactly these, each of one form only. */
export class Members {
  readonly #object: Record<string, unknown>;
  readonly #prefix: string;

  constructor(value: unknown, prefix: string, names: readonly string[]) {
    this.#prefix = prefix;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#wrong("", "is no object");
    this.#object = value as Record<string, unknown>;
    for (const name of names) if (!Object.hasOwn(this.#object, name)) this.#wrong(name, "is missing");
    for (const name of Object.keys(this.#object)) if (!names.includes(name)) this.#wrong(name, "does not belong here");
  }

  text(name: string): string {
    const value = this.#object[name];
    return typeof value === "string" ? value : this.#wrong(name, "is no text");
  }

  count(name: string): number {
    const value = this.#object[name];
    return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : this.#wrong(name, "is no count");
  }

  bytes(name: string): Uint8Array {
    return fromBase64Url(this.text(name)) ?? this.#wrong(name, "is no unpadded base64url");
  }

  list(name: string, max: number): readonly unknown[] {
    const value = this.#object[name];
    return Array.isArray(value) && value.length <= max ? value : this.#wrong(name, `is no list of at most ${max}`);
  }

  hashes(name: string, max: number): Uint8Array[] {
    return this.list(name, max).map((each) => {
      const hash = typeof each === "string" && each === each.toLowerCase() ? fromHex(each) : undefined;
      return hash?.length === HASH_BYTES ? hash : this.#wrong(name, "holds what is no hash");
    });
  }

  #wrong(name: string, detail: string): never {
    throw new Wrong(`${this.#prefix}${name}`, detail);
  }
}
