/**
 * Changes of the producer set as transactions: a reserved payload that every node understands, whatever its application
 * is. It carries the set to come and approvals by producers of the set that it replaces.
 *
 * An approval is a signature over (kind, chain id, proposal), and the proposal names the set that it replaces and how
 * many changes there were before. So it counts on this chain, for this set, once: when the chain comes back to the same
 * set later, an old approval is worth nothing. Signatures are checked where transactions come in, like those of
 * authors; what is judged here, by execution, is whose they are.
 */
import { concatBytes, utf8 } from "../src/base/bytes.ts";
import { bool, type Decoded, fixedBytes, hash, message, nested, repeated, text, uint } from "../src/base/codec.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import type { ExecutionContext, StateAccess, StateView } from "./application.ts";
import { type Configuration, isProducer, majorityOf, makeConfiguration } from "./configuration.ts";
import { PRODUCERS_MAX, SIGNATURE_BYTES } from "./constants.ts";
import type { EngineName, ProducerApproval } from "./genesis.ts";
import { type SignatureClaim, signingDigest } from "./signing.ts";

/** How a payload of the node itself begins. Protobuf has no field 0: no application that speaks it writes this. */
const PREFIX = utf8("\0cairn/producers/1\0");

/** Of a name or an address, bytes of UTF-8. */
const NAME_MAX_BYTES = 64;
const ADDRESS_MAX_BYTES = 256;

/** A producer as people and dialers know it; only the key is part of the configuration. */
export const producerEntryMessage = message("ProducerEntry", {
  key: hash(1),
  name: text(2, NAME_MAX_BYTES),
  address: text(3, ADDRESS_MAX_BYTES),
});
export type ProducerEntry = Decoded<typeof producerEntryMessage>;

/** What is approved. */
export const producerProposalMessage = message("ProducerProposal", {
  /** Hash of the configuration that is replaced. */
  base: hash(1),
  /** Changes that the chain has seen before this one. */
  changesBefore: uint(2),
  /** The set to come, in the order of its configuration. */
  producers: repeated(nested(3, producerEntryMessage), PRODUCERS_MAX),
});
export type ProducerProposal = Decoded<typeof producerProposalMessage>;

const approvalMessage = message("ProducerApproval", {
  producer: hash(1),
  signature: fixedBytes(2, SIGNATURE_BYTES),
});
export type Approval = Decoded<typeof approvalMessage>;

export const producerChangeMessage = message("ProducerChange", {
  proposal: nested(1, producerProposalMessage),
  approvals: repeated(nested(2, approvalMessage), PRODUCERS_MAX),
});
export type ProducerChange = Decoded<typeof producerChangeMessage>;

/** Why a change is not made, by code and in words. */
export const CHANGE_REFUSALS = {
  CHANGE_UNDECODABLE: "the payload does not decode",
  BASE_REPLACED: "another set is in force than the one that is to be replaced, or there was a change in between",
  CHANGE_UNDER_WAY: "an earlier change is not done yet",
  NO_PRODUCER_SET: "no producer, one twice, or a name or address with control characters",
  NO_CHANGE: "it is the set in force",
  TOO_FEW_APPROVALS: "too few producers of the set in force approve",
} as const;
export type ChangeRefusal = keyof typeof CHANGE_REFUSALS;

/** `code` says why a change was not made; empty when it was. */
export const producerChangeReceiptMessage = message("ProducerChangeReceipt", { ok: bool(1), code: text(2, 32) });

export type ProducerChangeReceipt = { readonly ok: true } | { readonly ok: false; readonly code: string };

/**
 * What the chain keeps of its changes in the state, below {@link PRODUCER_SET_KEY}; absent before the first. Being state it
 * follows fork switches, is proven by `stateHash` and comes with a snapshot.
 */
export const producerSetRecordMessage = message("ProducerSetRecord", {
  /** Changes that were begun, this one included. */
  changes: uint(1),
  /** The set that the last one brings. */
  producers: repeated(nested(2, producerEntryMessage), PRODUCERS_MAX),
  /** Who is not in it any more: they have their names until it is in force. */
  left: repeated(nested(3, producerEntryMessage), PRODUCERS_MAX),
});
export type ProducerSetRecord = Decoded<typeof producerSetRecordMessage>;

/** The one key of the state that is not the application's. */
export const PRODUCER_SET_KEY = "";
/** The lowest key that an application has. */
export const FIRST_APPLICATION_KEY = "\0";

/** What the genesis says of changes. */
export interface ChangeRules {
  readonly engine: EngineName;
  readonly approval: ProducerApproval;
}

/** What a change is judged against. */
export interface ChangeBase extends ChangeRules {
  /** The set in force. */
  readonly configuration: Configuration;
  readonly isUnderWay: boolean;
  /** Changes that the chain has seen. */
  readonly changes: number;
}

/** Is this payload the node's own business and none of the application's? */
export function isProducerChange(payload: Uint8Array): boolean {
  return startsProducerChange(payload, 0, payload.length);
}

/** As {@link isProducerChange}, of a payload that begins at `start`. */
export function startsProducerChange(buffer: Uint8Array, start: number, end: number): boolean {
  if (start + PREFIX.length > end) return false;
  for (let i = 0; i < PREFIX.length; i++) if (buffer[start + i] !== PREFIX[i]) return false;
  return true;
}

export function encodeProducerChange(change: ProducerChange): Uint8Array {
  return concatBytes(PREFIX, producerChangeMessage.encode(change));
}

/** The change of a payload that {@link isProducerChange}, strictly. */
export function decodeProducerChange(payload: Uint8Array): ProducerChange | undefined {
  if (!isProducerChange(payload)) return undefined;
  const decoded = producerChangeMessage.decode(payload.subarray(PREFIX.length));
  return decoded.ok ? decoded.value : undefined;
}

/** The 32 bytes that a producer signs who approves. */
export function approvalDigest(chainId: string, proposal: ProducerProposal): Uint8Array {
  return signingDigest("producerChange", chainId, producerProposalMessage.encode(proposal));
}

/** The claims that its approvals are genuine; none for a payload that is no change or does not decode. */
export function approvalClaims(chainId: string, payload: Uint8Array): SignatureClaim[] {
  const change = decodeProducerChange(payload);
  if (change === undefined || change.approvals.length === 0) return [];
  const digest = approvalDigest(chainId, change.proposal);
  return change.approvals.map(({ producer, signature }) => ({ key: producer, digest, signature }));
}

/** Producers of a set that must approve what replaces it: as many as decide a block, or one. */
export function approvalsNeeded(base: Pick<ChangeBase, "engine" | "approval" | "configuration">): number {
  if (base.approval === "anyProducer") return 1;
  const { configuration, engine } = base;
  return engine === "bft" ? Math.floor((2 * configuration.producers.length) / 3) + 1 : majorityOf(configuration);
}

/** How many producers of the set in force have approved; a producer counts once, however often it signs. */
export function approvalsOf({ approvals }: ProducerChange, configuration: Configuration): number {
  const members = approvals.filter(({ producer }) => isProducer(configuration, producer));
  return new Set(members.map(({ producer }) => producer)).size;
}

/** The set that a change brings, or why it is not made. Approvals' signatures were checked before. */
export function judgeProducerChange(
  payload: Uint8Array,
  base: ChangeBase,
): Result<{ readonly change: ProducerChange; readonly next: Configuration }, ChangeRefusal> {
  const change = decodeProducerChange(payload);
  if (change === undefined) return err("CHANGE_UNDECODABLE");
  const { proposal } = change;
  const next = configurationOf(proposal.producers);
  if (next === undefined) return err("NO_PRODUCER_SET");
  if (proposal.base !== base.configuration.hash || proposal.changesBefore !== base.changes) return err("BASE_REPLACED");
  if (base.isUnderWay) return err("CHANGE_UNDER_WAY");
  if (next.hash === base.configuration.hash) return err("NO_CHANGE");
  if (approvalsOf(change, base.configuration) < approvalsNeeded(base)) return err("TOO_FEW_APPROVALS");
  return ok({ change, next });
}

/** Begins as the payload does, so that no application's receipt is taken for one. */
export function encodeChangeReceipt(receipt: ProducerChangeReceipt): Uint8Array {
  return concatBytes(PREFIX, producerChangeReceiptMessage.encode({ code: "", ...receipt }));
}

/** Of a change's receipt; undefined for bytes that are none. */
export function decodeChangeReceipt(receipt: Uint8Array): ProducerChangeReceipt | undefined {
  if (!isProducerChange(receipt)) return undefined;
  const decoded = producerChangeReceiptMessage.decode(receipt.subarray(PREFIX.length));
  if (!decoded.ok) return undefined;
  const { ok: made, code } = decoded.value;
  if (made) return code === "" ? { ok: true } : undefined;
  return { ok: false, code };
}

/**
 * What the chain knows of its changes, from the value below {@link PRODUCER_SET_KEY}.
 * @throws Error for bytes that the chain did not write: the state is damaged
 */
export function readProducerSetRecord(value: Uint8Array | undefined): ProducerSetRecord {
  if (value === undefined) return { changes: 0, producers: [], left: [] };
  const decoded = producerSetRecordMessage.decode(value);
  if (!decoded.ok) throw new Error(`the record of the producer set is damaged: ${decoded.error.detail}`);
  return decoded.value;
}

/** Executes a payload that {@link isProducerChange}; never throws for what is in it. @returns its receipt */
export function executeProducerChange(
  payload: Uint8Array,
  state: StateView,
  { producers: configuration, proposeProducers }: Pick<ExecutionContext, "producers" | "proposeProducers">,
  rules: ChangeRules,
): Uint8Array {
  const { changes } = readProducerSetRecord(state.get(PRODUCER_SET_KEY));
  const judged = judgeProducerChange(payload, { ...rules, configuration, isUnderWay: false, changes });
  if (!judged.ok) return encodeChangeReceipt({ ok: false, code: judged.error });
  const proposed = proposeProducers(judged.value.next.producers);
  return encodeChangeReceipt(proposed.ok ? { ok: true } : { ok: false, code: proposed.error.code });
}

/** A change was begun, by a payload of its own, or by an application's, which knows keys only. */
export function recordChange(state: StateAccess, payload: Uint8Array, next: Configuration): void {
  const before = readProducerSetRecord(state.get(PRODUCER_SET_KEY));
  const entryOf = (key: string): ProducerEntry =>
    before.producers.find((each) => each.key === key) ?? { key, name: "", address: "" };
  const producers = decodeProducerChange(payload)?.proposal.producers ?? next.producers.map(entryOf);
  const left = before.producers.filter(({ key }) => !isProducer(next, key));
  const record = { changes: before.changes + 1, producers, left };
  state.put(PRODUCER_SET_KEY, producerSetRecordMessage.encode(record));
}

/** undefined: not a legal set. */
function configurationOf(producers: readonly ProducerEntry[]): Configuration | undefined {
  const keys = producers.map(({ key }) => key);
  if (keys.length === 0 || new Set(keys).size !== keys.length) return undefined;
  return producers.every(({ name, address }) => isPlain(name) && isPlain(address))
    ? makeConfiguration(keys)
    : undefined;
}

/** No control characters: names end up in logs and on terminals. */
function isPlain(words: string): boolean {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return !/[\u0000-\u001f\u007f-\u009f]/.test(words);
}
