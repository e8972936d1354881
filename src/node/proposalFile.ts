/**
 * A change of the producer set on its way from operator to operator: a JSON file that holds the proposal and the approvals
 * it has so far. Whoever approves adds a signature and passes the file on; whoever has enough of them submits it. Nothing
 * in it is secret.
 */
import { z } from "zod";
import { PRODUCERS_MAX } from "../../chain/constants.ts";
import {
  type Approval,
  approvalDigest,
  encodeProducerChange,
  type ProducerProposal,
  producerProposalMessage,
} from "../../chain/producerChange.ts";
import { equalBytes } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { NodeKey } from "./keys.ts";
import { isUsableKey, verifySignature } from "./signatures.ts";
import { issueOf } from "./zodIssue.ts";

export const PROPOSAL_FORMAT = "cairn-producer-proposal-1";

/** A proposal of 200 producers with all approvals is far below this. */
export const PROPOSAL_MAX_BYTES = 256 * 1024;

export interface ProposalFile {
  readonly chainId: string;
  readonly proposal: ProducerProposal;
  /** Signatures were checked; one a producer. */
  readonly approvals: readonly Approval[];
}

export interface Tally<P> {
  /** Approvals that count. */
  readonly have: number;
  /** Producers that have not approved. */
  readonly open: readonly P[];
  /** Keys that approved and are no producers. */
  readonly foreign: readonly string[];
}

/** What a proposal's approvals come to in a set. */
export function tally<P extends { readonly key: string }>(
  { approvals }: Pick<ProposalFile, "approvals">,
  set: readonly P[],
): Tally<P> {
  const given = new Set(approvals.map(({ producer }) => producer));
  const open = set.filter(({ key }) => !given.has(key));
  const members = new Set(set.map(({ key }) => key));
  return { have: set.length - open.length, open, foreign: [...given].filter((key) => !members.has(key)) };
}

const hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");
const plain = (maxBytes: number) =>
  z
    .string()
    .regex(/^\P{Cc}*$/u, "must have no control characters")
    .refine((text) => Buffer.byteLength(text) <= maxBytes, `must have at most ${maxBytes} bytes`);

const proposalSchema = z.strictObject({
  format: z.literal(PROPOSAL_FORMAT),
  chainId: hex,
  base: hex,
  changesBefore: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  producers: z
    .array(
      z.strictObject({
        key: hex.refine(isUsableKey, "is no usable Ed25519 public key"),
        name: plain(64),
        address: plain(256),
      }),
    )
    .min(1)
    .max(PRODUCERS_MAX),
  approvals: z
    .array(
      z.strictObject({ producer: hex, signature: z.string().regex(/^[\w-]{86}$/, "must be base64url of 64 bytes") }),
    )
    .max(PRODUCERS_MAX),
});

/** The file's text. */
export function proposalText({ chainId, proposal, approvals }: ProposalFile): string {
  const { base, changesBefore, producers } = proposal;
  const signed = approvals.map(({ producer, signature }) => ({
    producer,
    signature: Buffer.from(signature).toString("base64url"),
  }));
  const value = { format: PROPOSAL_FORMAT, chainId, base, changesBefore, producers, approvals: signed };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** From a file's text; the error is in words, without the file's name. */
export function parseProposal(text: string): Result<ProposalFile, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`is not JSON: ${(error as Error).message}`);
  }
  const parsed = proposalSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = issueOf(parsed.error, value);
    return err(path === "" ? message : `${path}: ${message}`);
  }
  const { chainId, base, changesBefore, producers, approvals } = parsed.data;
  const proposal = { base, changesBefore, producers };
  const digest = approvalDigest(chainId, proposal);
  const byProducer = new Map<string, Approval>();
  for (const { producer, signature: encoded } of approvals) {
    const signature = Uint8Array.from(Buffer.from(encoded, "base64url"));
    if (!verifySignature({ key: producer, digest, signature })) {
      return err(`the approval of ${producer} is not one of this proposal: it was signed for another, or is damaged`);
    }
    byProducer.set(producer, { producer, signature });
  }
  return ok({ chainId, proposal, approvals: [...byProducer.values()] });
}

/** With the approval of a key, once. */
export function approved(file: ProposalFile, key: NodeKey): ProposalFile {
  const signature = Uint8Array.from(key.sign(approvalDigest(file.chainId, file.proposal)));
  const others = file.approvals.filter(({ producer }) => producer !== key.publicKey);
  return { ...file, approvals: [...others, { producer: key.publicKey, signature }] };
}

/** Approvals of both; undefined when they are not of one proposal. */
export function merged(one: ProposalFile, other: ProposalFile): ProposalFile | undefined {
  if (one.chainId !== other.chainId || !isSameProposal(one.proposal, other.proposal)) return undefined;
  const known = new Set(one.approvals.map(({ producer }) => producer));
  return { ...one, approvals: [...one.approvals, ...other.approvals.filter(({ producer }) => !known.has(producer))] };
}

/** Payload of the transaction that makes the change. */
export function payloadOf({ proposal, approvals }: ProposalFile): Uint8Array {
  return encodeProducerChange({ proposal, approvals });
}

function isSameProposal(one: ProducerProposal, other: ProducerProposal): boolean {
  return equalBytes(producerProposalMessage.encode(one), producerProposalMessage.encode(other));
}
