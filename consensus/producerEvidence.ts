/**
 * Evidence against a producer as JSON that stands for itself (docs/proofs.md): whoever has the genesis can check it, with no
 * node. `evidence` is all of it; what stands beside is for people and for other programs, and has to agree with it.
 */
import { isProducer as isOfSet } from "../chain/configuration.ts";
import type { ProducerLookup } from "../chain/producerSets.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { headerMessage } from "../chain/header.ts";
import { toBase64Url } from "../src/base/base64url.ts";
import { toHex } from "../src/base/bytes.ts";
import { canonicalJson } from "../src/base/canonicalJson.ts";
import type { Result } from "../src/base/result.ts";
import { decodeEvidence, type Evidence, type EvidenceKind, evidenceMessage } from "./bft/evidence.ts";
import type { SignedVote } from "./bft/messages.ts";
import { Members, outcomeOf, type ProofError, type TrustedGenesis, Wrong } from "./proofMembers.ts";

export const PRODUCER_EVIDENCE_FORMAT = "cairn-producer-evidence-1";

/** One of the two things that the producer signed. Hashes are hex, bytes unpadded base64url. */
export interface SignedStatement {
  readonly what: "block" | "prepare" | "commit" | "viewChange";
  /** Of the block; of a view change: the view that is asked for. */
  readonly view: number;
  /** Of the block; of a view change: of the block that it reports. */
  readonly height: number;
  readonly id: string;
  /** Of a view change: the view of the block that it reports. */
  readonly reportedView?: number;
  /** The 32 bytes that the signature is over. */
  readonly digest: string;
  /** Ed25519, by the producer. */
  readonly signature: string;
}

export interface ProducerEvidence {
  readonly format: typeof PRODUCER_EVIDENCE_FORMAT;
  readonly chainId: string;
  readonly kind: EvidenceKind;
  /** The accused. */
  readonly producer: string;
  /** Of the block, of the lower vote, or of the commit. */
  readonly view: number;
  readonly height: number;
  readonly first: SignedStatement;
  readonly second: SignedStatement;
  /** Message `Evidence` of proto/bft.proto: the statements whole, and the headers between two votes. */
  readonly evidence: string;
}

/** @param evidence that was decoded */
export function producerEvidence(chainId: string, evidence: Evidence): ProducerEvidence {
  const { kind, producer, view, height, bytes, claims } = evidence;
  const [first, second] = statementsIn(bytes).map((statement, i) => ({
    ...statement,
    digest: toHex(claims[i]?.digest as Uint8Array),
    signature: toBase64Url(claims[i]?.signature as Uint8Array),
  })) as [SignedStatement, SignedStatement];
  const format = PRODUCER_EVIDENCE_FORMAT;
  return { format, chainId, kind, producer, view, height, first, second, evidence: toBase64Url(bytes) };
}

const MEMBERS = ["format", "chainId", "kind", "producer", "view", "height", "first", "second", "evidence"] as const;

/**
 * Checks a piece, as JSON gives it, up to the signatures of its `claims`.
 * @param isProducer of whom it may be; default: the producers of the genesis, and of the changes that are known of it
 */
export function checkProducerEvidence(
  value: unknown,
  genesis: TrustedGenesis,
  isProducer: ProducerLookup["isProducer"] = (key) => everProducer(genesis, key),
): Result<Evidence, ProofError> {
  return outcomeOf(() => {
    const members = new Members(value, "", MEMBERS);
    if (members.text("format") !== PRODUCER_EVIDENCE_FORMAT)
      throw new Wrong("format", `is not ${PRODUCER_EVIDENCE_FORMAT}`);
    if (members.text("chainId") !== genesis.chainId)
      throw new Wrong("chainId", "is another chain's than the genesis is of");
    if (genesis.engine !== "bft") throw new Wrong("format", `is no evidence under ${genesis.engine}`);
    const decoded = decodeEvidence(members.bytes("evidence"), genesis.chainId, { isProducer });
    if (!decoded.ok) throw new Wrong("evidence", decoded.error.detail);
    const told = producerEvidence(genesis.chainId, decoded.value);
    for (const name of MEMBERS) {
      const given = canonicalJson((value as Record<string, unknown>)[name]);
      const wanted = canonicalJson(told[name]);
      if (!given.ok || !wanted.ok || given.value !== wanted.value)
        throw new Wrong(name, "is not what the evidence says");
    }
    return decoded.value;
  });
}

type Statement = Omit<SignedStatement, "digest" | "signature">;

/** In the order of the claims. */
function statementsIn(bytes: Uint8Array): readonly Statement[] {
  const decoded = evidenceMessage.decode(bytes);
  if (!decoded.ok) throw new Error(`evidence that is none: ${decoded.error.detail}`);
  const { twoBlocks, twoVotes, lessReported } = decoded.value;
  if (twoBlocks !== undefined) return [twoBlocks.first, twoBlocks.second].map(({ header }) => blockIn(header));
  if (twoVotes !== undefined) return [twoVotes.first, twoVotes.second].map(voteIn);
  const { commit, viewChange } = lessReported as NonNullable<typeof lessReported>;
  const { view: reportedView, height, id } = viewChange.highQc;
  return [voteIn(commit), { what: "viewChange", view: viewChange.view, height, id, reportedView }];
}

function blockIn(headerBytes: Uint8Array): Statement {
  const header = headerMessage.decode(headerBytes);
  if (!header.ok) throw new Error(`evidence that is none: ${header.error.detail}`);
  const { view, height } = header.value;
  return { what: "block", view, height, id: sha256Hex(headerBytes) };
}

function voteIn({ commit, vote: { view, height, id } }: SignedVote): Statement {
  return { what: commit ? "commit" : "prepare", view, height, id };
}

function everProducer({ configuration, changes = [] }: TrustedGenesis, key: string): boolean {
  return [configuration, ...changes.map(({ next }) => next)].some((set) => isOfSet(set, key));
}
