/**
 * A run: nodes, network, faults, workload and oracles in virtual time. Deterministic: the same options give the same
 * run, byte for byte. Tests drive it step by step; `runSimulation` drives it through the two phases.
 */
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import { makeConfiguration } from "../../chain/configuration.ts";
import { GENESIS_DEFAULTS } from "../../chain/constants.ts";
import type { EngineName, Genesis } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { CONSENSUS_DEFAULTS, type ConsensusSettings } from "../../consensus/constants.ts";
import { engineKit } from "../../consensus/engines.ts";
import { SYNC_LIMITS, type SyncLimits } from "../../consensus/sync/constants.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { ByzantineProducer } from "./byzantine/producer.ts";
import { Workshop } from "./byzantine/workshop.ts";
import { drawProposal, withProposals } from "./changes.ts";
import { Dialing } from "./dialing.ts";
import { Dice } from "./dice.ts";
import { EventQueue } from "./eventQueue.ts";
import { Faults } from "./faults.ts";
import { Garbler } from "./garbler.ts";
import { type Hostile, Liar } from "./liar.ts";
import { Network } from "./network.ts";
import { START_TIME_MS } from "./nodeClock.ts";
import { Observer } from "./observer.ts";
import {
  DEFAULT_WORKLOAD,
  drawProfile,
  drawSyncLimits,
  drawWorkload,
  type FaultProfile,
  NO_FAULTS,
  type WorkloadProfile,
} from "./profile.ts";
import { KeyedHashes } from "./signatures.ts";
import { SimulatedNode } from "./simulatedNode.ts";
import { isConnected, type Topology, type Wired, wiredAs } from "./topologies.ts";
import { Trace } from "./trace.ts";
import { RuleBroken } from "./violation.ts";
import { Workload } from "./workload.ts";
import type { Watch, World } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly producers: number;
  /** Default raft. */
  readonly engine?: EngineName;
  /** Nodes outside the producer set. Default 0. */
  readonly followers?: number;
  /** Producers that lie, under BFT: of those that may fail, and more where there are not so many. Default 0. */
  readonly byzantine?: number;
  /** The producer set is changed now and then, also to nodes that were outside it. Default false. */
  readonly changes?: boolean;
  /** "default" draws a profile from the seed; a name draws one of that kind. Default "none". */
  readonly faults?: "default" | "none" | (string & {}) | FaultProfile;
  /** "default" draws one from the seed. */
  readonly workload?: "default" | WorkloadProfile;
  readonly settings?: Partial<ConsensusSettings>;
  /** What single nodes have set otherwise. */
  readonly settingsOf?: (index: number) => Partial<ConsensusSettings>;
  /** "default" draws them from the seed: small ones, so that pulls happen in short runs. Default: the product's. */
  readonly syncLimits?: "default" | SyncLimits;
  /** Nodes keep backups, so that they can be restored. Default: when the faults want it. */
  readonly backsUp?: boolean;
  /** Who may have a link with whom, drawn from the seed. Default "mesh". */
  readonly topology?: Topology;
  /** The same by hand. */
  readonly wired?: (a: number, b: number) => boolean;
  /** Those are the configured addresses: nodes tell theirs, and dial those that they learn. Default false. */
  readonly learnsAddresses?: boolean;
  /** Nodes flood what is for everyone. Default false. */
  readonly floods?: boolean;
  /** Gets the trace as lines to read. */
  readonly print?: (line: string) => void;
  /** Looks on beside the oracles. */
  readonly onlooker?: Onlooker;
}

/** A change of the producer set is proposed about so often, ms. */
const CHANGE_EVERY_MS = 1_500;

/** Sees what happens and changes nothing: diagrams, measurements, scripted peers. */
export type Onlooker = Partial<Pick<Watch, "started" | "stepped" | "persisted" | "sent">> & {
  crashed?(node: SimulatedNode): void;
};

export class Simulation implements World {
  readonly seed: number;
  readonly queue = new EventQueue();
  readonly dice: Dice;
  readonly keys = new KeyedHashes();
  readonly engine: EngineName;
  readonly genesis: Genesis;
  readonly genesisBlock: Block;
  readonly settings: ConsensusSettings;
  readonly settingsOf: (index: number) => ConsensusSettings;
  readonly syncLimits: SyncLimits;
  readonly floods: boolean;
  readonly nodes: readonly SimulatedNode[];
  readonly network: Network;
  readonly dialing: Dialing;
  readonly profile: FaultProfile;
  readonly workloadProfile: WorkloadProfile;
  readonly watch: Observer;
  readonly workload: Workload;
  /** Producers that may say anything. */
  readonly liars: readonly SimulatedNode[];
  readonly faults: Faults;
  readonly backsUp: boolean;
  /** The producer set is changed now and then. */
  readonly changes: boolean;
  readonly trace: Trace;
  readonly onlookers: Onlooker[] = [];
  readonly #indices = new Map<string, number>();
  readonly #readDice: Dice;
  readonly #changeDice: Dice;
  /** Who may fail, also after everything has healed: some stay broken. */
  readonly #fragile: ReadonlySet<SimulatedNode>;
  #working = true;

  constructor(options: SimulationOptions) {
    const { producers, followers = 0 } = options;
    if (producers < 1 || followers < 0) throw new RangeError("at least one producer");
    this.seed = options.seed;
    if (options.onlooker) this.onlookers.push(options.onlooker);
    this.dice = new Dice(options.seed);
    this.#readDice = new Dice(options.seed ^ 0x5ead);
    this.#changeDice = new Dice(options.seed ^ 0xc4a9);
    this.changes = options.changes === true;
    this.profile = profileOf(options.faults, this.dice.split());
    const { workload = DEFAULT_WORKLOAD } = options;
    this.backsUp = options.backsUp ?? this.profile.restore.everyMs !== Infinity;
    const workloadDice = this.dice.split();
    this.workloadProfile = workload === "default" ? drawWorkload(workloadDice) : workload;
    this.settings = { ...CONSENSUS_DEFAULTS, ...options.settings };
    this.settingsOf = (index) => ({ ...this.settings, ...options.settingsOf?.(index) });
    const { syncLimits = SYNC_LIMITS } = options;
    this.syncLimits = syncLimits === "default" ? drawSyncLimits(new Dice(~options.seed)) : syncLimits;
    this.floods = options.floods === true;
    const keys = Array.from({ length: producers + followers }, (_, index) => this.keys.makeKey(`node ${index}`));
    this.engine = options.engine ?? "raft";
    this.genesis = makeGenesis(options.seed, this.engine, keys.slice(0, producers));
    this.genesisBlock = makeGenesisBlock(this.genesis, this.application()).block;
    const record = engineKit(this.genesis, this.genesisBlock.id).initialRecord();
    this.nodes = keys.map((key, index) => {
      this.#indices.set(key, index);
      return new SimulatedNode(this, index, key, index < producers, record);
    });
    const bearable = this.bears(producers);
    for (const node of this.dice.shuffled(this.nodes.slice(0, producers)).slice(0, bearable)) node.mayFail = true;
    // Of those that may become producers only some: a set bears a minority of what may be lost for good.
    for (const node of this.nodes) if (!node.isProducer) node.mayFail = !this.changes || node.index % 2 === 0;
    this.#fragile = new Set(this.nodes.filter((node) => node.mayFail));
    this.liars = this.#pickLiars(options.byzantine ?? 0);
    this.dialing = new Dialing(keys, this.#wiring(options), options.learnsAddresses === true);
    this.network = new Network(this.queue, this.dice.split(), this.nodes, this.profile, this.dialing.mayLink);
    this.trace = new Trace(this.nodes.length, options.print);
    this.watch = new Observer(this);
    const last = this.nodes.at(-1) as SimulatedNode;
    if (!last.isProducer) last.hostile = this.#hostileAt(last.index);
    if (last.hostile !== undefined) this.watch.distrust(last.key);
    for (const node of this.liars) {
      node.hostile = new ByzantineProducer(this.workshopOf(node), this.queue);
      this.watch.distrust(node.key);
    }
    this.workload = new Workload(workloadDice, this.workloadProfile, this.watch.transactions);
    this.faults = new Faults(
      {
        queue: this.queue,
        network: this.network,
        nodes: this.nodes,
        crash: (node, silent) => this.crash(node.index, silent),
        start: (node) => this.start(node.index),
        healed: () => {
          for (const node of this.nodes) node.hostile?.healed();
        },
        damaged: (node, damage) => this.watch.damaged(node, damage),
        note: (what) => this.note(what),
      },
      this.dice.split(),
      new Dice(options.seed ^ 0x11a2),
      this.profile,
    );
  }

  /** More than may fail is more than the protocol bears. */
  #pickLiars(count: number): SimulatedNode[] {
    const producers = this.nodes.filter((node) => node.isProducer);
    const failing = producers.filter((node) => node.mayFail);
    return [...failing, ...producers.filter((node) => !node.mayFail)].slice(0, count);
  }

  /** Makes what a liar says in the name of a producer, whose place a scripted peer may have taken. */
  workshopOf(node: SimulatedNode): Workshop {
    const { configuration, chainId } = this.genesis;
    const genesis = { view: 0, height: 0, id: this.genesisBlock.id };
    const sign = (digest: Uint8Array): Uint8Array => this.keys.sign(node.key, digest);
    const world = { sign, chainId, nodes: this.nodes, producers: configuration.producers, genesis };
    return new Workshop(world, node, new Dice(this.seed ^ (0xb12a + node.index)));
  }

  #hostileAt(index: number): Hostile | undefined {
    const { lies, garbled } = this.profile;
    const dice = new Dice(~this.seed ^ 1);
    if (lies) return this.#isSpared(index) ? new Liar(index, this.genesis.chainId, dice) : undefined;
    return garbled > 0 ? new Garbler(index, garbled, dice) : undefined;
  }

  /** Do the others reach one another without it? A liar lies on after the heal. */
  #isSpared(index: number): boolean {
    const rest = this.nodes.map((node) => node.index).filter((each) => each !== index);
    return isConnected(rest, (a, b) => this.network.isWired(a, b));
  }

  readonly application = (): Application => withProposals(createKvApplication());

  /** Its own dice: the same seed means the same faults in every topology. */
  #wiring({ wired, topology = "mesh", seed }: SimulationOptions): Wired {
    return wired ?? wiredAs(topology, this.nodes.length, new Dice(seed ^ 0x707));
  }

  get nowMs(): number {
    return this.queue.now / 1000;
  }

  /** More lie than the protocol bears: who is honest may be led astray, and is not to die of it. */
  get isBeyond(): boolean {
    return this.liars.length > Math.floor((this.genesis.configuration.producers.length - 1) / 3);
  }

  /** All but the liars. */
  get honest(): readonly SimulatedNode[] {
    return this.liars.length === 0 ? this.nodes : this.nodes.filter((node) => !this.liars.includes(node));
  }

  indexOf(key: string): number {
    const index = this.#indices.get(key);
    if (index === undefined) throw new Error(`no node has the key ${key}`);
    return index;
  }

  node(index: number): SimulatedNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`no node ${index}`);
    return node;
  }

  note(what: string): void {
    this.trace.event(this.queue.now, undefined, what);
  }

  // Processes

  start(index: number): void {
    this.trace.event(this.queue.now, index, "starts");
    this.node(index).start();
  }

  startAll(): void {
    for (const { index, isUp } of this.nodes) if (!isUp) this.start(index);
  }

  crash(index: number, silent = false): void {
    const node = this.node(index);
    if (!node.isUp) return;
    for (const onlooker of this.onlookers) onlooker.crashed?.(node);
    node.crash(silent);
  }

  // The run

  /** Runs for so much virtual time. Throws RuleBroken. */
  advance(ms: number): void {
    const until = this.queue.now + Math.round(ms * 1000);
    while (this.queue.runNext(until));
  }

  /** Who stays broken when the rest heals: of those that may fail, and without whom the rest has ways to each other. */
  drawBroken(): SimulatedNode[] {
    if (!this.dice.chance(this.profile.brokenForGood)) return [];
    const broken: SimulatedNode[] = [];
    for (const node of this.nodes.filter(
      (each) => each.mayFail && this.dice.chance(0.5) && !this.liars.includes(each),
    )) {
      const rest = this.nodes.filter((each) => each !== node && !broken.includes(each) && !this.liars.includes(each));
      const isWhole = isConnected(
        rest.map(({ index }) => index),
        (a, b) => this.network.isWired(a, b),
      );
      if (isWhole) broken.push(node);
    }
    return broken;
  }

  /** Runs until it holds, asked after every event. @returns virtual ms it took; throws when it does not in time */
  until(what: string, holds: () => boolean, boundMs: number): number {
    const began = this.queue.now;
    const end = began + Math.round(boundMs * 1000);
    while (!holds()) {
      if (!this.queue.runNext(end) && !holds())
        throw new RuleBroken(
          "liveness",
          what,
          `not within ${boundMs} ms`,
          this.nodes.map((node) => node.index),
        );
    }
    return (this.queue.now - began) / 1000;
  }

  beginWorkload(): void {
    if (this.workloadProfile.transactionsPerSecond === 0) return;
    this.#working = true;
    this.#submitLater();
    if (this.changes) this.#changeLater();
  }
  endWorkload(): void {
    this.#working = false;
  }

  #submitLater(): void {
    this.queue.schedule(this.queue.now + this.workload.intervalMs * 1000, () => {
      if (!this.#working) return;
      // Clients of a liar can be told anything.
      const awake = this.honest.filter((node) => node.isUp && node.pausedUntil <= this.queue.now);
      if (awake.length > 0) this.workload.submitSome(this.dice.pick(awake));
      this.#readSomewhere();
      this.#submitLater();
    });
  }

  #changeLater(): void {
    this.queue.schedule(this.queue.now + this.#changeDice.interval(CHANGE_EVERY_MS) * 1000, () => {
      if (!this.#working) return;
      const awake = this.honest.filter((node) => node.isUp && node.pausedUntil <= this.queue.now);
      if (awake.length > 0) this.#changeSomehow(this.#changeDice.pick(awake));
      this.#changeLater();
    });
  }

  /** As this node knows the chain: a change may be under way, there or elsewhere. */
  #changeSomehow(node: SimulatedNode): void {
    const { current, next } = node.replica.ledger.head.setsAfter;
    if (next !== undefined && this.#changeDice.chance(0.8)) return;
    const candidates = this.nodes
      .filter((each) => this.liars.includes(each) || each.hostile === undefined)
      .map((each) => ({ key: each.key, mayFail: this.#fragile.has(each) }));
    const keys = drawProposal(this.#changeDice, current.producers, candidates, (n) => this.bears(n));
    if (keys !== undefined)
      this.propose(
        node.index,
        keys.map((key) => this.indexOf(key)),
      );
  }

  /** Proposes a producer set at a node. @returns the transaction's id */
  propose(at: number, producers: readonly number[]): string {
    this.note(`producers ${producers.join(" ")} are proposed at node ${at}`);
    return this.workload.propose(
      this.node(at),
      producers.map((index) => this.node(index).key),
    );
  }

  /** So many of a producer set may fail or lie. */
  bears(producers: number): number {
    return Math.floor((producers - 1) / (this.engine === "bft" ? 3 : 2));
  }

  /** Clients read where they like, leaders that do not know yet that they are none included. */
  #readSomewhere(): void {
    // No linearizable reads under BFT.
    if (this.engine === "bft") return;
    const awake = this.nodes.filter((node) => node.isUp && node.pausedUntil <= this.queue.now);
    if (awake.length > 0) this.read(this.#readDice.pick(awake));
  }

  /** A linearizable read begins at this node; the oracle judges its answer. */
  read(node: SimulatedNode): void {
    node.step({ kind: "read", request: this.watch.reads.begun(node.index, this.watch.finality.height) });
  }

  /** Index of the leader of the highest view, as the nodes themselves say. */
  leader(nodes: readonly SimulatedNode[] = this.nodes): number | undefined {
    let leader: SimulatedNode | undefined;
    for (const node of nodes) {
      if (!node.isUp || node.replica.status().engine.status !== "leader") continue;
      if (leader === undefined || node.replica.status().engine.view > leader.replica.status().engine.view)
        leader = node;
    }
    return leader?.index;
  }
}

function profileOf(faults: SimulationOptions["faults"] = "none", dice: Dice): FaultProfile {
  if (typeof faults !== "string") return faults;
  if (faults === "none") return NO_FAULTS;
  return drawProfile(dice, faults === "default" ? undefined : faults);
}

function makeGenesis(seed: number, engine: EngineName, producers: readonly string[]): Genesis {
  return {
    chainId: sha256Hex(utf8(`simulation ${seed}`)),
    name: "simulation",
    time: START_TIME_MS,
    engine,
    configuration: makeConfiguration(producers),
    limits: {
      blockBytes: 1024 * 1024,
      blockTransactions: 10_000,
      transactionBytes: 64 * 1024,
      signaturesRequired: false,
      ...GENESIS_DEFAULTS,
    },
    initialState: {},
  };
}
