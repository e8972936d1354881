/** The producers as a node knows them now: who is of the set at its head, their names and addresses, and whom it dials. */
import {
  approvalsNeeded,
  PRODUCER_SET_KEY,
  type ProducerEntry,
  type ProducerSetRecord,
  readProducerSetRecord,
} from "../../chain/producerChange.ts";
import { decodeProducerSets, isMember, type ProducerSets } from "../../chain/producerSets.ts";
import type { PeerKey } from "../base/key.ts";
import type { Replica } from "../replica/replica.ts";
import type { ProducerSetView } from "./api.ts";
import type { GenesisFile } from "./genesisFile.ts";
import type { ChainStore } from "./storage/chainStore.ts";

/** Whom the node keeps links to on its own. */
export interface Targets {
  setTarget(address: string, peer: PeerKey): void;
  removeTarget(address: string): void;
}

/** Name and address of a producer: as a change told them last, or the genesis; empty where neither does. */
export function producerEntryOf(
  key: PeerKey,
  { producers, left }: ProducerSetRecord,
  genesis: Pick<GenesisFile, "producers">,
): ProducerEntry {
  const told = producers.find((each) => each.key === key) ?? left.find((each) => each.key === key);
  const first = genesis.producers.find((each) => each.key === key);
  return { key, name: told?.name || (first?.name ?? ""), address: told?.address || (first?.address ?? "") };
}

export class NodeProducers {
  readonly #genesis: GenesisFile;
  readonly #self: PeerKey;
  readonly #replica: Replica;
  readonly #chainStore: ChainStore;
  /** Addresses that are dialed, by producer; for the sets that they were taken from. */
  #dialed: ReadonlyMap<PeerKey, string> = new Map();
  #dialedFor: ProducerSets | undefined;

  constructor(genesis: GenesisFile, self: PeerKey, replica: Replica, chainStore: ChainStore) {
    this.#genesis = genesis;
    this.#self = self;
    this.#replica = replica;
    this.#chainStore = chainStore;
  }

  /** Those that decide about the next block: one set, or two while one is changed for the other. */
  get #sets(): ProducerSets {
    return this.#replica.ledger.head.setsAfter;
  }

  get #record(): ProducerSetRecord {
    return readProducerSetRecord(this.#replica.ledger.read(PRODUCER_SET_KEY, "head"));
  }

  /** Changes by itself when the set does. */
  get role(): "producer" | "follower" {
    return this.roleOf(this.#self);
  }

  roleOf(key: PeerKey): "producer" | "follower" {
    return isMember(this.#sets, key) ? "producer" : "follower";
  }

  get isChanging(): boolean {
    return this.#sets.next !== undefined;
  }

  /** Of both sets while one is changed for the other. */
  entries(): ProducerEntry[] {
    const record = this.#record;
    return this.#sets.members.map((key) => this.#entryOf(key, record));
  }

  /** Undefined for who is no producer. */
  nameOf(key: PeerKey): string | undefined {
    return isMember(this.#sets, key) ? this.#entryOf(key, this.#record).name : undefined;
  }

  view(): ProducerSetView {
    const { current, next } = this.#sets;
    const record = this.#record;
    const { engine, limits } = this.#genesis;
    const rule = limits.producerApproval;
    const { bottom } = this.#replica.ledger;
    return {
      config: current.hash,
      activeFrom: this.#activeFrom(),
      changes: record.changes,
      approval: { rule, needed: approvalsNeeded({ engine, approval: rule, configuration: current }) },
      change:
        next === undefined
          ? null
          : {
              height: next.height,
              irreversible: next.height <= bottom.height,
              producers: next.configuration.producers.map((key) => this.#entryOf(key, record)),
            },
    };
  }

  /** Dials who is of the set now, and nobody any more who was. A bad address is told and left out. */
  dial(targets: Targets, keep: readonly string[], bad: (address: string, why: unknown) => void): void {
    if (this.#sets === this.#dialedFor) return;
    this.#dialedFor = this.#sets;
    const wanted = new Map<PeerKey, string>();
    for (const { key, address } of this.entries()) if (key !== this.#self && address !== "") wanted.set(key, address);
    for (const [key, address] of this.#dialed) {
      if (wanted.get(key) !== address && !keep.includes(address)) targets.removeTarget(address);
    }
    for (const [key, address] of wanted) {
      if (this.#dialed.get(key) === address) continue;
      try {
        targets.setTarget(address, key);
      } catch (error) {
        bad(address, error);
        wanted.delete(key);
      }
    }
    this.#dialed = wanted;
  }

  #entryOf(key: PeerKey, record: ProducerSetRecord): ProducerEntry {
    return producerEntryOf(key, record, this.#genesis);
  }

  /** The first block that the set in force decides about alone. */
  #activeFrom(): number {
    const { hash } = this.#sets.current;
    for (let node = this.#replica.ledger.head; node.parent !== undefined; node = node.parent) {
      const { setsAfter } = node;
      if (setsAfter !== node.sets && setsAfter.hash === hash) return node.height + 1;
    }
    const stored = this.#chainStore.producerSets();
    return stored.findLast(({ sets }) => decodeProducerSets(sets)?.hash === hash)?.from ?? 0;
  }
}
