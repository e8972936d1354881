/** What the node says of itself: the status of the API, readiness, and one line in the log every few seconds. */
import type { ReplicaStatus } from "../replica/types.ts";
import type { NodeStatus } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { NodeProducers } from "./nodeProducers.ts";
import type { StartOptions } from "./startTypes.ts";
import { VERSION } from "./version.ts";

const SAMPLE_EVERY_MS = 1_000;
/** Seconds over which rates are told. */
const RATE_SAMPLES = 5;
const LINE_EVERY_SAMPLES = 5;
/** Not synced and no new block for this long: say why. */
const STALL_MS = 5_000;

interface Sample {
  readonly at: number;
  readonly height: number;
  readonly transactions: number;
}

export class StatusReporter {
  readonly #options: StartOptions;
  readonly #clock: Clock;
  readonly #producers: NodeProducers;
  readonly #replica: () => ReplicaStatus;
  readonly #diskFault: () => string | undefined;
  #samples: Sample[] = [];
  #transactions = 0;
  #progressAt: number;
  #lastHeight = -1;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #lastLine = "";

  constructor(
    options: StartOptions,
    clock: Clock,
    producers: NodeProducers,
    replica: () => ReplicaStatus,
    diskFault: () => string | undefined,
  ) {
    this.#options = options;
    this.#producers = producers;
    this.#clock = clock;
    this.#replica = replica;
    this.#diskFault = diskFault;
    this.#progressAt = clock.now();
  }

  start(): void {
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  irreversible(transactions: number): void {
    this.#transactions += transactions;
  }

  status(): NodeStatus {
    const { genesis, key, config } = this.#options;
    const replica = this.#replica();
    const { engine, head, irreversible, sync, mempool } = replica;
    const stalledBecause = this.#stalledBecause(replica);
    return {
      chainId: genesis.chainId,
      name: genesis.name,
      node: { id: key.publicKey, key: key.publicKey, name: config.name, role: this.#producers.role, version: VERSION },
      consensus: {
        engine: genesis.engine,
        view: engine.view,
        leader: engine.leader ?? null,
        producers: this.#producers.entries().map(({ name, key: producerKey }) => ({ name, key: producerKey })),
        faulty: replica.producers.filter(({ state }) => state === "faulty").map(({ key: faultyKey }) => faultyKey),
        status: engine.status,
      },
      head: { height: head.height, id: head.id, view: head.view, time: head.time },
      irreversible: { height: irreversible.height, id: irreversible.id, time: irreversible.time },
      sync: {
        state: sync.state,
        target: sync.target,
        rate: this.#rate("height"),
        ...this.#timeLeft(replica),
        ...(stalledBecause && { stalledBecause }),
      },
      peers: replica.peers.length,
      mempool,
    };
  }

  notReadyBecause(withinBlocks: number): string | undefined {
    const replica = this.#replica();
    if (replica.halted !== undefined) return `halted: ${replica.halted}`;
    const fault = this.#diskFault();
    if (fault !== undefined) return fault;
    if (replica.sync.state === "searching") return "no peer has said yet what chain it has";
    const behind = replica.sync.target - replica.head.height;
    return behind > withinBlocks ? `${behind} blocks behind` : undefined;
  }

  #stalledBecause(replica: ReplicaStatus): string | undefined {
    if (replica.halted !== undefined) return `halted: ${replica.halted}`;
    const fault = this.#diskFault();
    if (fault !== undefined) return fault;
    if (this.#clock.now() < this.#progressAt + STALL_MS) return undefined;
    const waits = replica.mempool.count > 0 || replica.head.height > replica.irreversible.height;
    if (replica.sync.state === "synced")
      return waits && replica.engine.leader === undefined
        ? "no leader: no majority of producers is reachable"
        : undefined;
    if (replica.peers.length === 0) return "no peer is connected";
    if (replica.sync.stalledBecause !== undefined) return replica.sync.stalledBecause;
    if (replica.sync.state === "searching") return "no peer has said yet what chain it has";
    return "peers that have more blocks send none";
  }

  #sample(): void {
    const replica = this.#replica();
    const sample = { at: this.#clock.now(), height: replica.head.height, transactions: this.#transactions };
    this.#samples = [...this.#samples.slice(-RATE_SAMPLES), sample];
    if (sample.height !== this.#lastHeight) {
      this.#lastHeight = sample.height;
      this.#progressAt = sample.at;
    }
    if (this.#count++ % LINE_EVERY_SAMPLES === 0) this.#line(replica);
  }

  /** Until the target as it is now, at the rate of the last seconds. */
  #timeLeft({ sync, head }: ReplicaStatus): { readonly timeLeftSeconds?: number } {
    const rate = this.#rate("height");
    if (sync.state !== "syncing" || rate <= 0 || sync.target <= head.height) return {};
    return { timeLeftSeconds: Math.ceil((sync.target - head.height) / rate) };
  }

  /** Quiet while nothing changes. */
  #line(replica: ReplicaStatus): void {
    const { engine, head, irreversible, sync } = replica;
    const stalledBecause = this.#stalledBecause(replica);
    const fields = {
      sync: sync.state,
      head: head.height,
      irreversible: irreversible.height,
      ...(sync.target > head.height && { target: sync.target, blocksPerSecond: this.#rate("height") }),
      ...this.#timeLeft(replica),
      view: engine.view,
      role: engine.status,
      peers: replica.peers.length,
      transactionsPerSecond: this.#rate("transactions"),
      ...(stalledBecause && { stalledBecause }),
    };
    const line = JSON.stringify(fields);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    this.#options.log.write(stalledBecause ? "warn" : "info", "node", "status", fields);
  }

  /** Per second over the last samples, one decimal. */
  #rate(of: "height" | "transactions"): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return Math.round(((last[of] - first[of]) * 10_000) / (last.at - first.at)) / 10;
  }
}
