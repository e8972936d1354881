/**
 * A running node: the replica, its disk, its links, put together (DESIGN section 3, "the shell"). Everything with a
 * lifetime is made here, in order, and ended here in the opposite order.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Application } from "../../chain/application.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { engineKit } from "../../consensus/engines.ts";
import { LinkError } from "../../net/link/error.ts";
import { LinkLayer } from "../../net/link/layer.ts";
import type { Init, LinkEvents, PeerKey } from "../../net/link/types.ts";
import { ADDRESSES_MAX } from "../../net/transport/addressMessages.ts";
import { scopeOf } from "../../net/transport/addressScope.ts";
import { LEAVING_TIMEOUTS } from "../replica/constants.ts";
import { Replica } from "../replica/replica.ts";
import { supersedingKey } from "../replica/supersedes.ts";
import type { Effect } from "../replica/types.ts";
import type { NodeApi } from "./api.ts";
import { createKvApplication } from "./applications/kv.ts";
import { type Clock, makeClock } from "./clock.ts";
import { NodeDisk } from "./disk.ts";
import { fillIndex } from "./fillIndex.ts";
import { toGenesis } from "./genesisFile.ts";
import { KnownPeers } from "./knownPeers.ts";
import { LeaderAbsence } from "./leaderAbsence.ts";
import { Metrics } from "./metrics.ts";
import { makeNodeApi } from "./nodeApi.ts";
import { NodeProducers } from "./nodeProducers.ts";
import { NodeReads } from "./nodeReads.ts";
import { OFF_PEERS, OperatorList, REJECTED_BLOCKS } from "./operatorList.ts";
import { ownAddresses } from "./ownAddresses.ts";
import { ReadDesk } from "./readDesk.ts";
import { ReplicaDriver, type TellEffect } from "./replicaDriver.ts";
import { derivedWriteOf, restoreFromDisk, type Restored } from "./restoreFromDisk.ts";
import { recordNote } from "./recordNote.ts";
import { RoundTrips } from "./roundTrips.ts";
import { verifySignature, verifySignatures } from "./signatures.ts";
import type { RunningNode, StartOptions } from "./startTypes.ts";
import { StatusReporter } from "./statusReporter.ts";
import { makeBlockLog } from "./storedBlocks.ts";
import { acquireLock, type Lock } from "./storage/lock.ts";
import type { StorageError } from "./storage/types.ts";
import { SubmissionDesk } from "./submissionDesk.ts";
import { PROTOCOL_VERSION } from "./version.ts";

/** A stop waits at most so long for the state database; what it then lacks is executed again at the next start. */
const FINAL_FLUSH_MAX_MS = 5_000;

/** Blocks in memory, executed or not: with more, nothing is taken in until some are irreversible and on disk. */
const BLOCKS_IN_MEMORY_MAX_BYTES = 512 * 1024 * 1024;

/** Starts a node on its directory. Rejects with a StorageError, RestoreError, LinkError or StartError. */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const lock = acquireLock(options.dir);
  try {
    const node = new Node(options, lock);
    await node.start();
    return node;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Something about this start that is wrong, with what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code: "UNKNOWN_APPLICATION" | "DUPLICATE_IDENTITY" | "HALTED";
  constructor(code: StartError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

class Node implements RunningNode {
  readonly #options: StartOptions;
  readonly #lock: Lock;
  readonly #clock: Clock = makeClock();
  readonly #startNonce = randomBytes(8).toString("hex");
  readonly #startedAt = this.#clock.now();
  #disk!: NodeDisk;
  #replica!: Replica;
  #driver!: ReplicaDriver;
  #link!: LinkLayer;
  #knownPeers!: KnownPeers;
  #desk!: SubmissionDesk;
  #readDesk!: ReadDesk;
  #reads!: NodeReads;
  #producers!: NodeProducers;
  #rejected!: OperatorList;
  #off!: OperatorList;
  #metrics!: Metrics;
  #reporter!: StatusReporter;
  #roundTrips!: RoundTrips;
  #leaderAbsence!: LeaderAbsence;
  #onFlushed: () => void = () => undefined;
  #handedOver: Promise<void> | undefined;
  #onHandedOver: () => void = () => undefined;
  #stopped: Promise<void> | undefined;
  #isFailed = false;
  readonly #damagedTold = new Set<string>();
  readonly #irreversibleListeners = new Set<(height: number) => void>();
  api!: NodeApi;

  constructor(options: StartOptions, lock: Lock) {
    this.#options = options;
    this.#lock = lock;
  }

  async start(): Promise<void> {
    const { dir, genesis: file, config, log } = this.#options;
    const genesis = toGenesis(file);
    const application = applicationOf(file.application.name);
    this.#rejected = OperatorList.open(REJECTED_BLOCKS, dir);
    this.#off = OperatorList.open(OFF_PEERS, dir);
    this.#knownPeers = await KnownPeers.open(dir, file.chainId, log);
    this.#disk = await this.#openDisk();
    try {
      const { chain, derived } = this.#disk;
      const whenApplied = (height: number): Promise<void> => this.#disk.whenApplied(height);
      const restored = await restoreFromDisk(genesis, application, chain, derived, whenApplied, log);
      this.#tellRecord(restored, genesis);
      this.#makeReplica(restored, genesis, application);
      await this.#startLink();
    } catch (error) {
      await this.#disk.close();
      throw error;
    }
    this.#leaderAbsence = new LeaderAbsence(genesis.engine, config.consensus, this.#clock, () => ({
      leader: this.#replica.status().engine.leader,
      waiting: this.#replica.mempool.count,
    }));
    this.api = makeNodeApi({
      options: this.#options,
      clock: this.#clock,
      replica: this.#replica,
      driver: this.#driver,
      link: this.#link,
      desk: this.#desk,
      readDesk: this.#readDesk,
      reads: this.#reads,
      producers: this.#producers,
      rejected: this.#rejected,
      off: this.#off,
      metrics: this.#metrics,
      reporter: this.#reporter,
      irreversibleListeners: this.#irreversibleListeners,
      // What comes while the node leaves could only be told to somebody who does not listen any more.
      takesNothing: () => this.#leaderAbsence.isLong() || this.#handedOver !== undefined,
    });
    this.#reporter.start();
    this.#roundTrips.start();
    this.#leaderAbsence.start();
    this.#driver.step({ kind: "tick" });
    this.#driver.step({ kind: "listening", addresses: this.#addresses() });
    void fillIndex(this.#disk.derived, this.#reads, () => this.#stopped !== undefined).catch((error: unknown) =>
      log.write("error", "storage", `the index is not filled: ${String(error)}`),
    );
  }

  handOver(): Promise<void> {
    this.#handedOver ??= new Promise((resolve) => {
      const { log, config } = this.#options;
      if (this.#isFailed || this.#replica.status().halted !== undefined) return resolve();
      // The core keeps its own, shorter bound; this one is for a core that does not answer.
      const timer = setTimeout(resolve, 2 * LEAVING_TIMEOUTS * config.consensus.electionTimeoutMs);
      this.#onHandedOver = () => {
        clearTimeout(timer);
        resolve();
      };
      log.write("info", "node", "leaves: hands over what it leads and holds");
      this.#driver.step({ kind: "handOver" });
    });
    return this.#handedOver;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#reporter.stop();
    this.#roundTrips.stop();
    this.#leaderAbsence.stop();
    await this.#link.stop();
    await this.#flushed();
    this.#driver.stop();
    this.#desk.stop();
    this.#readDesk.stop();
    await this.#knownPeers.close();
    await this.#disk.close();
    this.#lock.release();
  }

  /** Lets the state database take what it lacks, so that the next start has nothing to execute again. */
  #flushed(): Promise<void> {
    const { ledger } = this.#replica;
    const isDone = (): boolean => this.#isFailed || !(ledger.hasUnflushed || ledger.isFlushing);
    this.#driver.step({ kind: "stopping" });
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FINAL_FLUSH_MAX_MS);
      this.#onFlushed = () => {
        if (!isDone()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onFlushed();
    });
  }

  #openDisk(): Promise<NodeDisk> {
    const { dir, genesis, config, log } = this.#options;
    return NodeDisk.open(
      { dir, chainId: genesis.chainId, index: config.index.enabled },
      {
        persisted: (token) => this.#driver.persisted(token),
        committed: (report) => this.#metrics?.committed(report),
        applied: (height) => {
          this.#driver.step({ kind: "flushed", height });
          this.#onFlushed();
        },
        failed: (error) => this.#fail(error),
      },
      log,
    );
  }

  #makeReplica(restored: Restored, genesis: ReturnType<typeof toGenesis>, application: Application): void {
    const { key, config, log } = this.#options;
    const log_ = makeBlockLog(this.#disk.chain, restored.genesisBlock, (error) => this.#tellDamaged(error));
    const { execution, bottom, certificate, blocks, record, evidence } = restored;
    this.#replica = new Replica(
      {
        genesis,
        application,
        settings: config.consensus,
        self: key.publicKey,
        sign: (digest) => key.sign(digest),
        verify: verifySignature,
        execution,
        bottom,
        certificate,
        blocks,
        log: log_,
        record,
        evidence,
        rejected: this.#rejected.ids,
        addresses: this.#knownPeers.found,
        outboundPeers: config.p2p.outboundPeers,
        seed: randomBytes(4).readUInt32LE(),
      },
      this.#clock.now(),
    );
    this.#driver = new ReplicaDriver(
      this.#replica,
      this.#clock,
      {
        persist: (effect) => this.#disk.chain.persist(effect),
        send: (to, lane, parts) => {
          // A stream with a hole is of no use; other lanes' messages are sent again.
          if (this.#link.send(to, lane, parts)) return;
          if (lane === "chain") this.#link.close(to, "overloaded", "the lane is full");
          const bytes = parts.reduce((sum, part) => sum + part.length, 0);
          if (lane === "bulk") this.#driver.step({ kind: "drained", peer: to, lane, bytes });
        },
        checkSignature: verifySignature,
        checkSignatures: verifySignatures,
        flush: (effect) => this.#disk.derived.apply(derivedWriteOf(effect.flush)),
        tell: (effect) => this.#tell(effect),
      },
      (error) =>
        this.#fail(new Error(`the core failed, which is a bug: ${error.stack ?? error.message}`, { cause: error })),
    );
    this.#desk = new SubmissionDesk((request, transactions, isAwaited) =>
      this.#driver.step({ kind: "submit", request, transactions, isAwaited }),
    );
    this.#readDesk = new ReadDesk((request) => this.#driver.step({ kind: "read", request }));
    this.#reads = new NodeReads(this.#replica, this.#disk.chain, this.#disk.derived, restored.genesisBlock);
    this.#producers = new NodeProducers(this.#options.genesis, key.publicKey, this.#replica, this.#disk.chain);
    this.#metrics = new Metrics({
      producers: () => this.#producers,
      status: () => this.#replica.status(),
      evidence: () => this.#replica.evidence,
      links: () => this.#link.stats(),
      linkPeers: () => this.#link.peers(),
      longestStepMs: () => this.#driver.takeLongestStepMs(),
      queuedBytes: () => ({ chain: this.#disk.chain.queuedBytes, derived: this.#disk.derived.queuedBytes }),
    });
    this.#reporter = new StatusReporter(
      this.#options,
      this.#clock,
      this.#producers,
      () => this.#replica.status(),
      () => this.#disk.fault,
    );
    log.write("info", "node", "starts", {
      chain: genesis.name,
      height: bottom.block.header.height,
      head: this.#replica.ledger.head.height,
      key: key.publicKey,
    });
  }

  async #startLink(): Promise<void> {
    const { key, config, log } = this.#options;
    const events: LinkEvents = {
      up: (peer, _, { direction, address }) => {
        const scope = scopeOf(address) ?? "public";
        this.#driver.step({ kind: "peerUp", peer, outbound: direction === "outbound", scope });
      },
      down: (peer, reason) => {
        // A peer that is stopping is gone as surely as one whose connection broke.
        const broken = reason === "connectionLost" || reason === "shutdown";
        this.#driver.step({ kind: "peerDown", peer, broken });
      },
      message: (from, lane, frame) => {
        // A disk that does not keep up: what cannot be persisted is not taken in, the peer streams it again later.
        if (lane === "chain" && !this.#hasRoom()) this.#link.close(from, "overloaded", "the disk does not keep up");
        else this.#driver.step({ kind: "received", from, lane, frame });
      },
      drained: (peer, lane, bytes) => {
        if (lane !== "urgent") this.#driver.step({ kind: "drained", peer, lane, bytes });
      },
      refused: (peer, reason, detail, by) => {
        if (reason === "duplicateIdentity" && by === "peer" && peer !== undefined) this.#isDoubled(peer, detail);
      },
    };
    this.#link = await LinkLayer.start(
      {
        privateKeySeed: key.seed,
        listen: config.p2p.listen,
        init: () => this.#init(),
        maxPeers: config.p2p.maxPeers,
        off: this.#off.ids,
        log: log.layer("net"),
        supersedes: supersedingKey,
      },
      events,
    );
    for (const address of config.p2p.peers) this.#link.setTarget(address);
    this.#dialProducers();
    this.#roundTrips = new RoundTrips(
      () => this.#link.peers(),
      (peer, ms) => this.#driver.step({ kind: "roundTrip", peer, ms }),
    );
  }

  #dialProducers(): void {
    const { config, log } = this.#options;
    this.#producers.dial(this.#link, config.p2p.peers, (address, error) =>
      log.write("warn", "net", "a producer's address is none", { address, why: String(error) }),
    );
  }

  /** Where this node can be reached; none before it listens. */
  #addresses(): string[] {
    return this.#link === undefined ? [] : ownAddresses(this.#options.config.p2p, this.#link.addresses);
  }

  #init(): Init {
    const { config, genesis } = this.#options;
    return {
      versionMajor: PROTOCOL_VERSION.major,
      versionMinor: PROTOCOL_VERSION.minor,
      chainId: genesis.chainId,
      features: [],
      name: config.name,
      role: this.#producers.role,
      listenAddresses: this.#addresses().slice(0, ADDRESSES_MAX),
      firstHeight: 0,
      irreversibleHeight: this.#replica.ledger.bottom.height,
      startNonce: this.#startNonce,
      startedAt: this.#startedAt,
    };
  }

  /** A producer has a link to another process with this node's key. Strangers may say what they like. */
  #isDoubled(peer: PeerKey, detail: string): void {
    const { dir } = this.#options;
    if (this.#producers.roleOf(peer) !== "producer") return;
    const what = `another node is running with the key of ${join(dir, "node.key")}: ${detail}`;
    this.#fail(
      new StartError("DUPLICATE_IDENTITY", `${what}. Stop one of the two; a copied directory needs a key of its own`),
    );
  }

  #tell(effect: TellEffect): void {
    const { log } = this.#options;
    switch (effect.kind) {
      case "submitted":
        return this.#desk.submitted(effect.request, effect.answers);
      case "outcomes":
        return this.#desk.outcomes(effect.outcomes);
      case "readable":
        return this.#readDesk.answered(effect.requests, "readable");
      case "readRefused":
        return this.#readDesk.answered(effect.requests, effect.why);
      case "handedOver":
        if (effect.undecided > 0) {
          const message =
            "transactions submitted here are not in the chain yet; those that reached a leader still come";
          log.write("warn", "node", message, { count: effect.undecided });
        }
        return this.#onHandedOver();
      case "irreversible":
        this.#metrics.irreversible(effect.transactions);
        this.#reporter.irreversible(effect.transactions);
        this.#dialProducers();
        for (const listener of this.#irreversibleListeners) listener(effect.block.height);
        return;
      case "head":
        if (effect.undone > 0) this.#forkSwitched(effect);
        return;
      case "redial":
        return this.#link.redial(effect.peer);
      case "dial":
      case "letGo":
        return this.#dial(effect);
      case "keepAddresses":
        return this.#knownPeers.keep(effect.addresses);
      case "disconnect":
        return this.#link.close(effect.peer, effect.reason, effect.detail);
      case "log":
        return log.write(effect.level, effect.layer, effect.message, effect.fields);
      case "evidence":
        // The replica has logged it, and keeps it.
        return;
      case "halt":
        this.#readDesk.stop();
        this.#onHandedOver();
        return log.write(
          "error",
          "node",
          `HALTED: ${effect.why}. This node takes no part any more; keep its directory for analysis`,
        );
    }
  }

  /** Addresses that others told may be none: scopes are judged by the text alone. */
  #dial({ kind, peer, addresses }: Extract<Effect, { kind: "dial" | "letGo" }>): void {
    for (const address of addresses) {
      try {
        if (kind === "dial") this.#link.learnTarget(address, peer);
        else this.#link.forgetTarget(address, peer);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        this.#options.log.write("debug", "net", "an address that a node told is none", { peer, why: error.message });
      }
    }
  }

  #forkSwitched({ block, undone, applied }: Extract<Effect, { kind: "head" }>): void {
    this.#metrics.forkSwitched();
    this.#options.log.write("info", "chain", "switches forks", { height: block.height, id: block.id, undone, applied });
  }

  #tellDamaged(error: StorageError): void {
    const name = `${error.code} ${error.id ?? error.height ?? ""}`;
    if (this.#damagedTold.has(name) || this.#damagedTold.size > 1000) return;
    this.#damagedTold.add(name);
    this.#options.log.write("error", "storage", error.message);
  }

  #tellRecord({ record, genesisBlock }: Restored, genesis: Genesis): void {
    const { verdict } = this.#disk.chain.meta().record;
    const note = recordNote(
      engineKit(genesis, genesisBlock.id),
      genesis.engine,
      this.#disk.chain.file,
      record ?? verdict,
    );
    if (note !== undefined) this.#options.log.write(note.level, "consensus", note.message);
  }

  #fail(error: Error): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#driver?.stop();
    this.#readDesk?.stop();
    this.#onHandedOver();
    this.#options.onFatal(error);
  }

  #hasRoom(): boolean {
    return this.#disk.chain.hasRoom && this.#replica.ledger.blockBytes < BLOCKS_IN_MEMORY_MAX_BYTES;
  }
}

function applicationOf(name: string): Application {
  if (name === "kv") return createKvApplication();
  throw new StartError("UNKNOWN_APPLICATION", `genesis.json asks for application "${name}"; this version has: kv`);
}
