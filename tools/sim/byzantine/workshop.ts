/**
 * What a lying producer works with: its own key, what its replica knows, and the links of its node. It can sign anything
 * in its own name, nothing in another's.
 */
import {
  assembleBlock,
  type Block,
  encodeBlockParts,
  encodeBody,
  hashOf,
  transactionBytes,
} from "../../../chain/block.ts";
import { encodeList } from "../../../chain/byteList.ts";
import type { BlockNode } from "../../../chain/forkDatabase.ts";
import { type BlockRef, type Header, headerMessage } from "../../../chain/header.ts";
import { append, EMPTY_ROOT, type Frontier, frontierRoot, leafHash } from "../../../chain/merkle.ts";
import { signingDigest } from "../../../chain/signing.ts";
import { nextStateHash } from "../../../chain/state.ts";
import { type SignedVote, voteDigest } from "../../../consensus/bft/messages.ts";
import { leaderOf } from "../../../consensus/bft/rules.ts";
import {
  BLOCK_PREFIX,
  BLOCK_RESPONSE_PREFIX,
  encodeSigned,
  encodeVotes,
  type SignedContent,
} from "../../../consensus/messages.ts";
import type { Lane } from "../../../net/link/types.ts";
import { encodeEnvelope } from "../../../net/transport/envelope.ts";
import { hexBytes, toHex } from "../../../src/base/bytes.ts";
import { sha256, sha256Hex } from "../../../src/base/hash.ts";
import type { Ledger } from "../../../chain/ledger.ts";
import type { Dice } from "../dice.ts";
import type { Replica } from "../../../src/replica/replica.ts";

export type Parts = readonly Uint8Array[];

/** Where the liar works: in the simulator, or in a process of its own (`tools/network/hostileProducer.ts`). */
export interface WorkshopWorld {
  /** With the liar's key. */
  sign(digest: Uint8Array): Uint8Array;
  readonly chainId: string;
  /** By their index. */
  readonly nodes: readonly { readonly index: number; readonly key: string; readonly isProducer: boolean }[];
  readonly producers: readonly string[];
  readonly genesis: BlockRef;
}

/** The node whose words are changed. */
export interface LyingNode {
  readonly index: number;
  readonly key: string;
  readonly isUp: boolean;
  /** Throws when it is down. */
  readonly replica: Pick<Replica, "ledger" | "status">;
  /** Sends a frame that its replica did not make. */
  say(to: number, lane: Lane, parts: Parts): void;
}

/** A block of one's own that has a second face. */
interface Twin {
  readonly block: Block;
  readonly frontier: Frontier;
}

/** Blocks of which a twin is remembered; the oldest leave. */
const TWINS_MAX = 512;
const NO_CHANGES = sha256(new Uint8Array(0));

export class Workshop {
  readonly node: LyingNode;
  readonly dice: Dice;
  readonly chainId: string;
  readonly producers: readonly string[];
  readonly genesis: BlockRef;
  readonly #world: WorkshopWorld;
  /** By the id of the first. */
  readonly #twins = new Map<string, Twin>();
  readonly #twinsById = new Map<string, Block>();

  constructor(world: WorkshopWorld, node: LyingNode, dice: Dice) {
    this.#world = world;
    this.node = node;
    this.dice = dice;
    this.chainId = world.chainId;
    this.producers = world.producers;
    this.genesis = world.genesis;
  }

  get key(): string {
    return this.node.key;
  }
  get ledger(): Ledger {
    return this.node.replica.ledger;
  }
  /** All other nodes. */
  get others(): number[] {
    return this.#world.nodes.map(({ index }) => index).filter((index) => index !== this.node.index);
  }
  get otherProducers(): number[] {
    return this.others.filter((index) => this.#world.nodes[index]?.isProducer === true);
  }
  keyOf(index: number): string {
    return (this.#world.nodes[index] as WorkshopWorld["nodes"][number]).key;
  }
  leads(view: number): boolean {
    return leaderOf(this.ledger.head.setsAfter, view) === this.key;
  }

  sign(digest: Uint8Array): Uint8Array {
    return this.#world.sign(digest);
  }

  // Frames

  /** A payload in an envelope of one's own, for one node. */
  envelope(to: number, payload: Uint8Array): Parts {
    return encodeEnvelope({ source: this.key, destinations: [this.keyOf(to)], ttl: 8, broadcast: false }, payload);
  }
  tell(to: number, lane: Lane, payload: Uint8Array): void {
    this.node.say(to, lane, this.envelope(to, payload));
  }
  signed(content: SignedContent, attachment?: Uint8Array): Uint8Array {
    return encodeSigned(this.chainId, this.key, content, (digest) => this.sign(digest), attachment);
  }
  vote(commit: boolean, { view, height, id }: BlockRef): SignedVote {
    const vote = { view, height, id };
    return { commit, vote, signature: this.sign(voteDigest(this.chainId, commit, vote)) };
  }
  votes(votes: readonly SignedVote[]): Uint8Array {
    return encodeVotes({ signer: this.key, votes });
  }
  blockFrame(block: Block, requested = false): Parts {
    return [requested ? BLOCK_RESPONSE_PREFIX : BLOCK_PREFIX, ...encodeBlockParts(block)];
  }

  // Blocks

  /** The block with other fields in its header, of its own producer: signed anew, if that is this one. */
  changed(block: Block, fields: Partial<Header>): Block {
    return this.#seal({ ...block.header, ...fields }, block.body);
  }

  /**
   * A second block for the place of one of one's own, with the same transactions, on the twin of its parent where that
   * has one: a whole second chain. As valid as the first.
   */
  twinOf(block: Block): Block | undefined {
    const known = this.#twins.get(block.id);
    if (known !== undefined) return known.block;
    const { header } = block;
    const above = this.#twins.get(header.parent);
    const parent = this.ledger.get(header.parent);
    const frontier = above?.frontier ?? parent?.frontier;
    if (frontier === undefined || header.producer !== this.key) return undefined;
    // What is proven irreversible is of the first chain: the second says no more than its parent.
    const twin =
      above === undefined
        ? this.changed(block, { time: header.time + 1 })
        : this.#withoutProof(block, {
            parent: above.block.id,
            time: Math.max(header.time, above.block.header.time + 1),
            historyRoot: toHex(frontierRoot(frontier)),
            irreversibleHeight: above.block.header.irreversibleHeight,
          });
    this.#twins.set(block.id, { block: twin, frontier: append(frontier, leafHash(hexBytes(twin.id))) });
    this.#twinsById.set(twin.id, twin);
    for (const map of [this.#twins, this.#twinsById])
      if (map.size > TWINS_MAX) map.delete(map.keys().next().value as string);
    return twin;
  }

  /** A twin by its own id: whoever got it asks for its ancestors. */
  twinById(id: string): Block | undefined {
    return this.#twinsById.get(id);
  }

  /** A block without transactions on top of any that is here. */
  emptyChild(
    parent: BlockNode,
    view: number,
    fields: Partial<Header> = {},
    attached: { readonly entry?: Uint8Array | undefined; readonly proof?: Uint8Array | undefined } = {},
  ): Block {
    const above = parent.block.header;
    const entryHash = hashOf(attached.entry);
    const proofHash = hashOf(attached.proof);
    const header: Header = {
      height: parent.height + 1,
      parent: parent.id,
      view,
      producer: this.key,
      time: above.time + 1,
      transactionRoot: toHex(EMPTY_ROOT),
      receiptRoot: toHex(EMPTY_ROOT),
      stateHash: nextStateHash(above.stateHash, NO_CHANGES),
      historyRoot: toHex(frontierRoot(parent.frontier)),
      irreversibleHeight: above.irreversibleHeight,
      configuration: parent.setsAfter.hash,
      closing: false,
      ...(entryHash !== undefined && { entryHash }),
      ...(proofHash !== undefined && { proofHash }),
      ...fields,
    };
    const { entry, proof } = attached;
    const attachments = { ...(entry && { entry }), ...(proof && { proof }) };
    return this.#seal(header, encodeBody(EMPTY_TRANSACTIONS, attachments));
  }

  #withoutProof(block: Block, fields: Partial<Header>): Block {
    const { proofHash: _, ...header } = block.header;
    const { proof: __, ...attachments } = block;
    const body = encodeBody(block.body.subarray(0, transactionBytes(block)), attachments);
    return this.#seal({ ...header, ...fields }, body);
  }

  #seal(header: Header, body: Uint8Array): Block {
    const headerBytes = headerMessage.encode(header);
    const signature = this.sign(signingDigest("block", this.chainId, hexBytes(sha256Hex(headerBytes))));
    const made = assembleBlock(headerBytes, signature, body);
    if (!made.ok) throw new Error(`not even a block: ${made.error.code}`);
    return made.value;
  }
}

const EMPTY_TRANSACTIONS = encodeList([]).buffer;
