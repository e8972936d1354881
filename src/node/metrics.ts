/** Prometheus metrics: base units, `cairn_` in front, subsystem names that people have dashboards for. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { EVIDENCE_KINDS, type Evidence } from "../../consensus/bft/evidence.ts";
import type { LinkStats, PeerInfo } from "../../net/link/types.ts";
import type { ReplicaStatus } from "../replica/types.ts";
import { laneMetrics } from "./laneMetrics.ts";
import type { NodeProducers } from "./nodeProducers.ts";
import type { CommitReport } from "./storage/types.ts";
import { totals } from "./totals.ts";

/** What is read when somebody asks for the metrics. */
export interface MetricSources {
  producers(): Pick<NodeProducers, "role" | "isChanging" | "entries">;
  status(): ReplicaStatus;
  /** Against producers, held. */
  evidence(): readonly Pick<Evidence, "kind">[];
  links(): LinkStats;
  linkPeers(): readonly PeerInfo[];
  longestStepMs(): number;
  queuedBytes(): { readonly chain: number; readonly derived: number };
}

const FSYNC_BUCKETS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export class Metrics {
  readonly registry = new Registry();
  readonly #transactions: Counter;
  readonly #write: Histogram;
  readonly #sync: Histogram;
  readonly #forkSwitches: Counter;

  constructor(sources: MetricSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, prefix: "cairn_" });
    this.#transactions = new Counter({
      name: "cairn_chain_transactions_total",
      help: "Transactions made irreversible since the start.",
      registers,
    });
    this.#forkSwitches = new Counter({
      name: "cairn_chain_fork_switches_total",
      help: "Head changes that undid blocks.",
      registers,
    });
    this.#write = new Histogram({
      name: "cairn_storage_write_seconds",
      help: "Writing a commit of chain.db before its fsync.",
      buckets: FSYNC_BUCKETS_SECONDS,
      registers,
    });
    this.#sync = new Histogram({
      name: "cairn_storage_fsync_seconds",
      help: "COMMIT of chain.db: its fsync.",
      buckets: FSYNC_BUCKETS_SECONDS,
      registers,
    });
    this.#gauges(sources);
    this.#linkGauges(sources);
  }

  committed({ writeMs, syncMs }: CommitReport): void {
    this.#write.observe(writeMs / 1000);
    this.#sync.observe(syncMs / 1000);
  }
  irreversible(transactions: number): void {
    this.#transactions.inc(transactions);
  }
  forkSwitched(): void {
    this.#forkSwitches.inc();
  }

  #gauges(sources: MetricSources): void {
    const gauge = (name: string, help: string, read: (status: ReplicaStatus) => number): void => {
      new Gauge({
        name: `cairn_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(read(sources.status()));
        },
      });
    };
    gauge("consensus_height", "Height of the last irreversible block.", (status) => status.irreversible.height);
    gauge("consensus_head_height", "Height of the head.", (status) => status.head.height);
    gauge("consensus_view", "View (Raft's term).", (status) => status.engine.view);
    gauge("consensus_is_leader", "1 while this node leads.", (status) => Number(status.engine.status === "leader"));
    gauge("consensus_is_producer", "1 while this node is of the producer set.", () =>
      Number(sources.producers().role === "producer"),
    );
    gauge(
      "consensus_producers",
      "Producers; of both sets while one is changed for the other.",
      () => sources.producers().entries().length,
    );
    gauge("consensus_is_changing", "1 while the producer set is changed.", () =>
      Number(sources.producers().isChanging),
    );
    gauge("blocksync_syncing", "1 while the node is behind.", (status) => Number(status.sync.state !== "synced"));
    gauge("blocksync_target_height", "Greatest height known of others.", (status) => status.sync.target);
    gauge("p2p_peers", "Links that are up.", (status) => status.peers.length);
    gauge("mempool_size", "Transactions in the mempool.", (status) => status.mempool.count);
    gauge("mempool_size_bytes", "Bytes of transactions in the mempool.", (status) => status.mempool.bytes);
    gauge(
      "replica_longest_step_seconds",
      "Longest step of the core since the last scrape.",
      () => sources.longestStepMs() / 1000,
    );
    gauge("storage_queued_bytes", "Bytes on their way to chain.db.", () => sources.queuedBytes().chain);
    gauge(
      "storage_derived_queued_bytes",
      "Bytes on their way to state.db and index.db.",
      () => sources.queuedBytes().derived,
    );
    new Gauge({
      name: "cairn_replica_bounded_size",
      help: "Fill of everything bounded in the core, by name.",
      labelNames: ["name"],
      registers: [this.registry],
      collect() {
        for (const [name, size] of Object.entries(sources.status().sizes)) this.set({ name }, size);
      },
    });
  }

  #linkGauges(sources: MetricSources): void {
    const registers = [this.registry];
    new Gauge({
      name: "cairn_p2p_peers_off",
      help: "Peers to which the operator switched links off.",
      registers,
      collect() {
        this.set(sources.links().off);
      },
    });
    new Gauge({
      name: "cairn_consensus_faulty_producers",
      help: "1 for a producer of which no signed message came for 10 s, or that evidence names.",
      labelNames: ["producer"],
      registers,
      collect() {
        for (const { key, state } of sources.status().producers)
          this.set({ producer: key }, Number(state === "faulty"));
      },
    });
    new Gauge({
      name: "cairn_consensus_evidence",
      help: "Pieces of evidence against producers that this node holds, by kind: at most one of each producer and kind.",
      labelNames: ["kind"],
      registers,
      collect() {
        const held = sources.evidence();
        for (const kind of EVIDENCE_KINDS) this.set({ kind }, held.filter((each) => each.kind === kind).length);
      },
    });
    totals(
      this.registry,
      "cairn_consensus_early_votes_total",
      "Votes that came before their block: counted when it came, dropped at the bound or as decided, expired.",
      ["outcome"],
      (set) => {
        const { counted, dropped, expired } = sources.status().earlyVotes;
        for (const [outcome, count] of Object.entries({ counted, dropped, expired })) set({ outcome }, count);
      },
    );
    totals(
      this.registry,
      "cairn_p2p_peer_faults_total",
      "Faults of peers since the start, by class.",
      ["fault"],
      (set) => {
        for (const [fault, count] of Object.entries(sources.status().faults)) set({ fault }, count);
      },
    );
    new Gauge({
      name: "cairn_p2p_peer_score",
      help: "Score of a linked peer's faults; at 50 it is slowed, at 100 a non-producer loses its link.",
      labelNames: ["peer"],
      registers,
      collect() {
        this.reset();
        for (const { peer, score } of sources.status().peers) this.set({ peer }, score);
      },
    });
    totals(
      this.registry,
      "cairn_p2p_closed_links_total",
      "Links and handshakes that ended since the start, by reason.",
      ["reason"],
      (set) => {
        const { downs, refused } = sources.links();
        for (const [reason, count] of Object.entries(downs)) {
          set({ reason }, count + (refused[reason as keyof typeof refused] ?? 0));
        }
      },
    );
    laneMetrics(this.registry, sources);
  }
}
