/**
 * What an engine is to the replica, and the replica to an engine. An engine decides who produces and what is
 * irreversible; it never touches a socket, a clock or the disk.
 */
import type { Block } from "../chain/block.ts";
import type { BlockNode } from "../chain/forkDatabase.ts";
import type { BlockRef, Header } from "../chain/header.ts";
import type { Ledger } from "../chain/ledger.ts";
import type { SignedVote, Votes } from "./bft/messages.ts";
import type { Certificate } from "./certificate.ts";
import type { ConsensusSettings } from "./constants.ts";
import type { EarlyVoteCounts } from "./earlyVotes.ts";
import type { ConsensusMessage, SignedContent } from "./messages.ts";

export type EngineStatus = "leader" | "follower" | "candidate" | "recovering" | "observer" | "halted";

/** Something an engine counts only once the disk has it [S5]. */
export type DurableAction =
  | { readonly kind: "ownVote"; readonly view: number }
  /** BFT: these votes, this view change, the record that lets this producer lead a view. */
  | { readonly kind: "ownVotes"; readonly view: number; readonly votes: readonly SignedVote[] }
  | { readonly kind: "ownViewChange" | "entered"; readonly view: number }
  | { readonly kind: "ownAck"; readonly view: number; readonly height: number; readonly id: string };

/** What the replica does for its engine. */
export interface EngineHost {
  readonly self: string;
  readonly settings: ConsensusSettings;
  readonly ledger: Ledger;
  /** Now, in milliseconds, constant within a step. */
  now(): number;
  /** A number in [0, 1) from the seeded generator. */
  random(): number;
  /** Signs and sends to one producer. `durable`: leaves only after everything persisted so far is on disk. */
  unicast(to: string, content: SignedContent, options: SignedOptions): void;
  /** Signs and sends to all others who decide about the head or what follows it. */
  multicast(content: SignedContent, options: SignedOptions): void;
  /** Gives a message back to its signer. */
  giveBack(message: ConsensusMessage): void;
  sign(content: SignedContent): Uint8Array;
  /** The newest certificate of an irreversible block that is here, if there is one. */
  finalityProof(): { readonly height: number; readonly id: string; readonly bytes: Uint8Array } | undefined;
  /** Is there a way to this producer now? */
  reaches(producer: string): boolean;
  /** Answers {@link Engine.read}: the reads may see the state as of `height` or later; undefined: no leader here. */
  readAnswered(reads: readonly number[], height: number | undefined): void;
  /** The engine's record changed: it goes to disk with this step. */
  persistRecord(): void;
  /** `engine.durable(action)` is called when everything persisted up to this step is on disk. */
  whenDurable(action: DurableAction): void;
  /** A block was proven irreversible here, by this certificate. `tell`: everybody is told of it. */
  certified(node: BlockNode, certificate: Uint8Array, tell: boolean): void;
  log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
}

export interface SignedOptions {
  readonly durable: boolean;
  /** Travels beside the content, not signed. */
  readonly attachment?: Uint8Array;
}

/** What a leader's next block has to be. */
export interface ProductionPermit {
  readonly view: number;
  /** It is due although nothing is pending: it opens or closes a view. */
  readonly opening: boolean;
  readonly closing?: boolean;
  readonly entry?: Uint8Array;
  /** What it says to be irreversible, with the proof; absent: what this node's disk knows. */
  readonly irreversible?: { readonly height: number; readonly proof: Uint8Array | undefined };
}

export interface EngineView {
  readonly view: number;
  readonly leader: string | undefined;
  readonly status: EngineStatus;
}

/** The part of an engine that counts while this node leads, and asks nothing of one that does not. */
export interface EngineLead {
  /** Votes that overtook their block; undefined: nobody's votes count here now. */
  readonly earlyVotes: EarlyVoteCounts | undefined;
  /** A linearizable read arrived, with a number of its own; the host is told, now or later. Not kept over a loss of the lead. */
  read(read: number): void;
  /** This node is about to stop: a leader stops producing and has another producer elected, for a bounded time. */
  handOver(): void;
  /** Its successor has not decided a block yet, and may need this node for it. */
  readonly isHandingOver: boolean;
  /** May a block be produced now, and must one be although nothing is pending? */
  production(): ProductionPermit | undefined;
  /** A block of one's own was added and is on its way to disk. */
  produced(node: BlockNode): void;
}

export interface Engine {
  readonly lead: EngineLead;
  readonly state: EngineView;
  /** Time of the next `tick` it needs, ms; Infinity: none. */
  readonly deadline: number;
  /** The whole durable record as it is now. */
  encodeRecord(): Uint8Array;
  /** Height and view of what must be held before taking part again; undefined when nothing is. */
  start(): void;
  tick(): void;
  receive(message: ConsensusMessage): void;
  /** BFT: votes of one producer, their signatures checked. */
  receiveVotes?(votes: Votes): void;
  /** BFT: is this vote worth checking? */
  isVoteNews?(signer: string, vote: SignedVote): boolean;
  /** BFT: a certificate that is not of an irreversible block, its signatures checked. @returns whether it was news */
  certificateSeen?(certificate: Certificate): boolean;
  /** The greatest certificate that is not of an irreversible block, of a block that is here: the root told in hellos. */
  readonly certifiedRoot?: { readonly ref: BlockRef; readonly bytes: Uint8Array } | undefined;
  /** A block was sent to a peer that lacked it: own votes on it may have come there too early, and are sent again. */
  blockSent?(peer: string, id: string): void;
  /** Would a certificate of this block be news? */
  isCertificateNews?(block: BlockRef): boolean;
  /** BFT: are there enough blocks of this one's place already? Asked of what nobody asked for. */
  isSurplus?(block: Block): boolean;
  /** A block was found not valid. */
  invalidated?(node: BlockNode): void;
  /** At the end of every step, before its effects are carried out: again when that led to more. */
  proceed?(): void;
  durable(action: DurableAction): void;
  /** A signed header of a producer was accepted. */
  headerSeen(header: Header, node: BlockNode): void;
  /** `applied`: blocks that were executed since, oldest first. */
  headMoved(to: BlockNode, applied: readonly BlockNode[]): void;
  /** The operator rejected blocks; the head may be one of them and moves later. */
  rejected(): void;
  irreversibleMoved(node: BlockNode): void;
  /** A link with this node came up. */
  linkUp(peer: string): void;
  /** The link to this node broke: a hint, not a proof, that it died. */
  linkBroke(peer: string): void;
}
