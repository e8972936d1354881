/** Shows the oracles what happens: every step, write, frame and restart of every node. */
import type { Block } from "../../chain/block.ts";
import type { ProducerSets } from "../../chain/producerSets.ts";
import { engineKit } from "../../consensus/engines.ts";
import type { Lane } from "../../net/link/types.ts";
import { toHex } from "../../src/base/bytes.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import type { Persist } from "./disk.ts";
import { assertBounded, boundsOf, type Sizes } from "./oracles/bounds.ts";
import { BftPromiseOracle } from "./oracles/bftPromises.ts";
import { ProducerSetOracle } from "./oracles/producerSets.ts";
import { ConductOracle, StreamOracle } from "./oracles/conduct.ts";
import { DecisionOracle } from "./oracles/decisions.ts";
import { ElectionOracle } from "./oracles/elections.ts";
import { EvidenceOracle } from "./oracles/evidence.ts";
import { FinalityOracle } from "./oracles/finality.ts";
import { PromiseOracle } from "./oracles/promises.ts";
import { LightClientOracle } from "./oracles/lightClient.ts";
import { OpeningOracle } from "./oracles/openings.ts";
import { ReadOracle } from "./oracles/reads.ts";
import { assertNoLoop, type Routers } from "./oracles/routes.ts";
import { TransactionOracle } from "./oracles/transactions.ts";
import { ViewOracle } from "./oracles/views.ts";
import { VoteChainOracle } from "./oracles/voteChains.ts";
import type { Damage } from "./schedule.ts";
import type { SimulatedNode } from "./simulatedNode.ts";
import type { Simulation } from "./simulation.ts";
import { short } from "./trace.ts";
import {
  isResponse,
  readBftRecord,
  readChoice,
  readRecord,
  readVsrRecord,
  readWire,
  type WireMessage,
  type WireRecord,
  type WireRef,
} from "./wire.ts";
import type { Watch } from "./world.ts";

/** Sizes and routes are looked at in every so many steps: they are dearer than most steps. */
const SIZES_EVERY_STEPS = 32;

/** A block that arrived so long ago has had its signature checked and was looked at, microseconds. */
const LOOKED_AT_US = 20_000;

export class Observer implements Watch {
  readonly finality: FinalityOracle;
  readonly transactions = new TransactionOracle();
  readonly reads = new ReadOracle();
  readonly evidence: EvidenceOracle;
  readonly lightClient: LightClientOracle;
  readonly views: ViewOracle;
  readonly decisions: DecisionOracle;
  readonly producerSets: ProducerSetOracle;
  readonly #elections = new ElectionOracle();
  /** Of the engine of the run; the other has nothing to say. */
  readonly promises: PromiseOracle;
  readonly bftPromises: BftPromiseOracle;
  readonly #voteChains: VoteChainOracle;
  readonly #openings: OpeningOracle | undefined;
  readonly #conduct = new ConductOracle();
  readonly #streams = new StreamOracle();
  readonly #bounds: Sizes;
  readonly #simulation: Simulation;
  /** Every block that was ever persisted anywhere. */
  readonly #blocks = new Map<string, Block>();
  /** Frames of the chain lane read already, by their payload: one array goes to many, and is read again where it arrives. */
  readonly #read = new WeakMap<Uint8Array, WireMessage>();
  /** The urgent message read last. */
  #last: { readonly key: Uint8Array; readonly message: WireMessage } | undefined;
  /** Keys of scripted peers: the oracles judge correct nodes only. */
  readonly #distrusted = new Set<string>();
  readonly #routers: Routers;
  #steps = 0;
  #blocksProduced = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#routers = {
      nodes: simulation.honest,
      indexOf: (key) => simulation.indexOf(key),
      isLinked: (a, b) => simulation.network.isLinked(a, b),
    };
    const { genesisBlock, genesis, nodes } = simulation;
    const { id, header } = genesisBlock;
    this.#blocks.set(id, genesisBlock);
    this.finality = new FinalityOracle(id, nodes.length, (height, blockId, node) =>
      this.#decided(height, blockId, node),
    );
    this.evidence = new EvidenceOracle((claim) => simulation.keys.verify(claim));
    this.producerSets = new ProducerSetOracle(id, genesis.configuration);
    const kit = engineKit(genesis, id, {
      setsNamed: (hash, height) => this.#setsNamed(hash, height),
      isProducer: () => true,
      inForce: () => [],
    });
    this.lightClient = new LightClientOracle(
      (bytes) => kit.decodeCertificate(bytes),
      (claim) => simulation.keys.verify(claim),
      (height) => this.finality.idAt(height),
    );
    this.views = new ViewOracle({ id, height: 0, view: 0, parent: header.parent, producer: header.producer });
    this.decisions = new DecisionOracle(
      (blockId, hasAcked) => this.#isQuorum(blockId, hasAcked),
      (blockId) => this.views.get(blockId),
    );
    const keys = nodes.map((node) => node.key);
    this.promises = new PromiseOracle(keys, simulation.engine === "raft");
    this.bftPromises = new BftPromiseOracle(
      keys,
      (blockId) => this.views.get(blockId),
      (blockId) => this.producerSets.known(blockId)?.judging.members,
    );
    this.#voteChains = new VoteChainOracle((blockId) => this.views.get(blockId));
    if (simulation.engine === "bft") this.#openings = new OpeningOracle(this.producerSets, genesisBlock);
    this.#bounds = boundsOf(
      simulation.settings,
      simulation.syncLimits,
      nodes.length - 1,
      simulation.changes ? nodes.length : genesis.configuration.producers.length,
      genesis.limits.duplicateWindowCount,
    );
    for (const { index, disk } of nodes) if (disk.record !== undefined) this.#durable(index, disk.record);
  }

  get steps(): number {
    return this.#steps;
  }
  get blocksProduced(): number {
    return this.#blocksProduced;
  }

  block(id: string): Block {
    const block = this.#blocks.get(id);
    if (block === undefined) throw new Error(`block ${id} was never seen`);
    return block;
  }

  /** What comes from the holder of this key may be anything, and to find fault with it is right. */
  distrust(key: string): void {
    this.#distrusted.add(key);
    this.#conduct.distrust(key);
    this.evidence.distrust(key);
  }

  /** Irreversible blocks 1 to `height`. */
  decidedBlocks(height: number): Block[] {
    return Array.from({ length: height }, (_, index) => this.block(this.finality.idAt(index + 1) as string));
  }

  started(node: SimulatedNode): void {
    const { replica, index } = node;
    for (const onlooker of this.#simulation.onlookers) onlooker.started?.(node);
    if (this.#lies(index)) return;
    this.promises.restarted(index);
    this.bftPromises.restarted(index);
    this.evidence.restarted(index, replica.evidence);
    this.finality.restarted(index, replica.ledger.bottom.height, idsOf(node));
    this.#simulation.workload.crashed(index);
    this.reads.crashed(index);
  }

  /** What was on a disk that was lost, or is an older one now, is not known there any more. */
  damaged({ index, disk }: SimulatedNode, damage: Damage): void {
    if (this.#lies(index)) return;
    const isWhole = damage === "disk" || damage === "backup";
    this.evidence.damaged(index, isWhole);
    if (!isWhole && damage !== "confirmed") return;
    if (isWhole) this.finality.lost(index);
    if (damage === "disk") {
      this.promises.lost(index);
      this.bftPromises.lost(index);
    } else if (this.#simulation.engine === "bft")
      this.bftPromises.restored(index, disk.record && readBftRecord(disk.record));
    else this.promises.restored(index, disk.record && this.#readRecord(disk.record));
  }

  stepped(node: SimulatedNode, input: Input, effects: readonly Effect[]): void {
    const { index, replica } = node;
    const { trace, queue, workload } = this.#simulation;
    trace.step(queue.now, index, input, effects);
    for (const onlooker of this.#simulation.onlookers) onlooker.stepped?.(node, input, effects);
    this.#steps++;
    if (this.#lies(index)) return;
    for (const effect of effects) {
      this.#conduct.effect(index, effect);
      if (effect.kind === "persist") this.#persisting(node, effect);
      else if (effect.kind === "irreversible") {
        this.#note(index, `irreversible ${effect.block.view}/${effect.block.height} ${short(effect.block.id)}`);
        this.finality.told(index, effect.block.height, idsOf(node));
      } else if (effect.kind === "readable") {
        this.reads.readable(index, effect.requests, replica.ledger.bottom.height);
      } else if (effect.kind === "readRefused") {
        this.reads.refused(index, effect.requests);
      } else if (effect.kind === "log" && effect.level !== "debug") {
        this.#note(index, `${effect.message} ${effect.fields ? JSON.stringify(effect.fields) : ""}`);
      }
    }
    // Last, because the same step may have made irreversible what it tells of.
    for (const effect of effects) workload.effect(index, effect);
    if (this.#steps % SIZES_EVERY_STEPS !== 0) return;
    assertBounded(index, replica.sizes, this.#bounds);
    assertNoLoop(this.#routers);
  }

  persisted(node: SimulatedNode, persist: Persist): void {
    for (const onlooker of this.#simulation.onlookers) onlooker.persisted?.(node, persist);
    if (this.#lies(node.index)) return;
    const { record, evidence = [], blocks } = persist;
    const headers = blocks.map(({ id }) => ({ id, header: this.block(id).header }));
    // Nobody is accused under the other engines.
    if (this.#simulation.engine === "bft")
      this.evidence.durable(
        node.index,
        evidence,
        headers.map(({ id, header: { producer, view, height } }) => ({ id, producer, view, height })),
      );
    if (record === undefined) return;
    const acked = this.#durable(node.index, record);
    if (acked === undefined) return;
    // A scripted leader's blocks may be acked by many and still give way; commits are proof against liars.
    const counts = this.#simulation.engine === "bft" || !this.#distrusted.has(this.views.get(acked.id)?.producer ?? "");
    if (counts) this.decisions.acked(node.index, acked);
  }

  /** @returns the block that counts towards a decision: acked under Raft, committed under BFT */
  #durable(node: number, record: Uint8Array): WireRef | undefined {
    if (this.#simulation.engine === "bft") {
      const read = readBftRecord(record);
      this.bftPromises.durable(node, read);
      return read.committed;
    }
    const choice = readChoice(record, this.#simulation.engine);
    this.#elections.durable(node, choice.view, choice.candidate);
    const read = this.#readRecord(record);
    this.promises.durable(node, read);
    return read.acked;
  }

  #readRecord(bytes: Uint8Array): WireRecord {
    return this.#simulation.engine === "vsr" ? readVsrRecord(bytes) : readRecord(bytes);
  }

  sent(node: SimulatedNode, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    for (const onlooker of this.#simulation.onlookers) onlooker.sent?.(node, to, lane, parts);
    if (lane === "bulk" || this.#garbles(node.index) || this.#simulation.isBeyond) return;
    const message = this.#readOnce(lane, parts);
    if (this.#simulation.engine === "bft") {
      this.bftPromises.sent(node.index, message, node.disk);
      this.#voteChains.sent(node.index, node.key, message);
    } else this.promises.sent(node.index, message, node.disk);
    if (message.kind !== "block" || message.requested) return;
    if (this.#garbles(to)) return;
    const awake = node.pausedUntil + LOOKED_AT_US < this.#simulation.queue.now;
    this.#streams.sent(node.index, to, message.id, awake ? this.#simulation.queue.now - LOOKED_AT_US : 0);
  }

  delivering(node: SimulatedNode, from: number, lane: Lane, parts: readonly Uint8Array[]): void {
    if (lane !== "chain" || this.#garbles(node.index) || this.#simulation.isBeyond) return;
    const message = this.#garbles(from) ? this.#readIfReadable(lane, parts) : this.#readOnce(lane, parts);
    if (message?.kind === "hello") return this.#streams.helloDelivered(from, node.index, message.echo);
    if (message?.kind !== "block" || message.requested || this.#garbles(from)) return;
    const { replica, disk } = node;
    const { parent, height } = message.header;
    const receiver = {
      knows: (id: string) => replica.ledger.get(id) !== undefined || replica.ledger.isOrphan(id) || disk.has(id),
      irreversibleHeight: replica.ledger.bottom.height,
    };
    this.#streams.delivered(from, node.index, { id: message.id, parent, height }, receiver, this.#simulation.queue.now);
  }

  linkUp(node: SimulatedNode, peer: number): void {
    this.#streams.linkUp(peer, node.index);
  }

  #persisting(node: SimulatedNode, { blocks, record }: Persist): void {
    if (record !== undefined && this.#simulation.engine !== "bft")
      this.promises.issued(node.index, this.#readRecord(record));
    for (const { id } of blocks) {
      if (this.#blocks.has(id)) continue;
      const block = node.replica.ledger.get(id)?.block;
      if (block === undefined) throw new Error(`block ${id} is persisted and not in the ledger`);
      this.#blocks.set(id, block);
      this.producerSets.taken(node.index, block);
      this.#openings?.taken(node.index, id, block.headerBytes, block.body);
      const { height, view, parent, producer } = block.header;
      if (producer === node.key) this.#blocksProduced++;
      const top = this.block(this.finality.idAt(this.finality.height) as string);
      const decided = { height: top.header.height, id: top.id, view: top.header.view };
      const seen = { id, height, view, parent, producer };
      if (this.#distrusted.has(producer)) {
        this.views.admit(seen);
        // Of a liar's, too: a valid opening block stands above all that can have been decided.
        if (this.#simulation.engine === "bft" && this.views.get(parent)?.view !== view)
          this.decisions.opened(node.index, seen);
        continue;
      }
      const set = this.#simulation.engine === "bft" ? ` of ${this.producerSets.of(id).judging.current.hash}` : "";
      if (this.views.seen(node.index, seen, decided, set) !== "opener") continue;
      this.decisions.opened(node.index, seen);
      if (this.#simulation.engine !== "bft" && this.#areAllJudged)
        this.#elections.opened(node.index, seen, (hasChosen) => this.#isQuorum(id, hasChosen));
    }
    // Its ancestry is looked at: the blocks come first.
    if (record !== undefined && this.#simulation.engine === "bft")
      this.bftPromises.issued(node.index, readBftRecord(record));
  }

  /** Of the chain that is irreversible: what a light client is to learn by itself. */
  #setsNamed(hash: string, height: number): ProducerSets | undefined {
    const id = this.finality.idAt(height);
    const judging = id === undefined ? undefined : this.producerSets.of(id).judging;
    return judging?.hash === hash ? judging : undefined;
  }

  #isQuorum(id: string, hasAcked: (node: number) => boolean): boolean {
    const { engine, liars } = this.#simulation;
    return this.producerSets.producersOf(id).every((producers) => {
      const needed = Math.floor(engine === "bft" ? (2 * producers.length) / 3 : producers.length / 2) + 1;
      // Liars may have committed anything: so many honest ones, and it can have been decided.
      const lying = producers.filter((key) => liars.some((liar) => liar.key === key)).length;
      const acked = producers.filter((key) => hasAcked(this.#simulation.indexOf(key))).length;
      return acked >= needed - lying;
    });
  }

  /** No producer is scripted: what one leads to on honest disks is anything. */
  get #areAllJudged(): boolean {
    return this.#simulation.nodes.every(({ key, isProducer }) => !isProducer || !this.#distrusted.has(key));
  }

  #decided(height: number, id: string, node: number): void {
    // Under BFT one step may commit in a view and in the next: the disk has only the last.
    if (this.#simulation.engine !== "bft" && this.#areAllJudged) this.decisions.assertDecided(node, { height, id });
    const { transactionIds } = this.block(id);
    const ids: string[] = [];
    for (let at = 0; at < transactionIds.length; at += 32) ids.push(toHex(transactionIds.subarray(at, at + 32)));
    this.transactions.extended(height, ids, node);
  }

  #note(node: number, what: string): void {
    this.#simulation.trace.notable(this.#simulation.queue.now, node, what);
  }

  /** Is what this node sends no correct node's? */
  #garbles(index: number): boolean {
    return this.#simulation.nodes[index]?.hostile?.garbles === true;
  }

  /** Nothing that a liar does is judged; where there are more of them than is borne, nobody is. */
  #lies(index: number): boolean {
    const { liars, isBeyond } = this.#simulation;
    return isBeyond || liars.some((node) => node.index === index);
  }

  #readIfReadable(lane: Lane, parts: readonly Uint8Array[]): WireMessage | undefined {
    try {
      return readWire(lane, parts);
    } catch {
      return undefined;
    }
  }

  #readOnce(lane: Lane, parts: readonly Uint8Array[]): WireMessage {
    const key = parts[parts.length > 1 ? 1 : 0] as Uint8Array;
    // Of the urgent lane only what is sent is read: one message to many, one after the other.
    if (lane === "urgent") {
      if (this.#last?.key !== key) this.#last = { key, message: readWire(lane, parts) };
      return this.#last.message;
    }
    const known = this.#read.get(key);
    // A response shares its block with the stream: only the kind in front differs.
    if (known !== undefined && (known.kind !== "block" || known.requested === isResponse(parts))) return known;
    const message = readWire(lane, parts);
    this.#read.set(key, message);
    return message;
  }
}

/** Ids of a node's chain by height, also while its disk does not read. */
function idsOf({ replica, disk }: SimulatedNode): (height: number) => string | undefined {
  return (height) => replica.chain.idAt(height) ?? disk.idAt(height);
}
