/** Load whose outcome is kept, and the chains of stopped nodes beside it: each acknowledged transaction, everywhere, once. */
import { differences, readStopped } from "./equalChains.ts";
import { LoadClient, type LoadTransaction, makeTransaction } from "./load.ts";
import type { NodeProcess } from "./processes.ts";

/** Transactions submitted together. */
export const BATCH = 50;

/** Batches to every node that runs, one under way at each; what is answered `irreversible` is kept. */
export class Load {
  readonly acknowledged = new Set<string>();
  #running = true;
  readonly #workers: Promise<void>[];
  #waiters: (() => boolean)[] = [];
  #newest = { submittedAt: 0, answeredAt: 0 };

  /** @param restMs of each node between two batches; default: none */
  constructor(nodes: readonly NodeProcess[], restMs = 0) {
    this.#workers = nodes.map((node) => this.#work(node, restMs));
  }

  /** Submits to a node that is about to be stopped, and waits only until it has accepted. */
  async acceptAt(node: NodeProcess): Promise<void> {
    const client = new LoadClient(node.url);
    const batch = Array.from({ length: BATCH }, () => makeTransaction({ bytes: 256, keys: "random" }, Date.now()));
    for (const { id, status } of await client.batch(batch, "accepted", 10_000)) {
      if (status === "accepted") this.acknowledged.add(id);
    }
    client.close();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  someAcknowledged(count: number): Promise<void> {
    const target = this.acknowledged.size + count;
    return this.#when(() => this.acknowledged.size >= target);
  }

  /** When the first batch that was submitted after a time was answered. */
  async nextAnswerSubmittedAfter(time: number): Promise<number> {
    await this.#when(() => this.#newest.submittedAt > time);
    return this.#newest.answeredAt;
  }

  #when(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(() => {
        if (!holds()) return false;
        resolve();
        return true;
      });
    });
  }

  async #work(node: NodeProcess, restMs: number): Promise<void> {
    const client = new LoadClient(node.url);
    // What failed is submitted again with the same id: a node that was killed may have taken it or not.
    let batch: LoadTransaction[] = [];
    let tries = 0;
    while (this.#running) {
      if (batch.length === 0 || tries > 3) {
        batch = Array.from({ length: BATCH }, () => makeTransaction({ bytes: 256, keys: "random" }, Date.now()));
        tries = 0;
      }
      tries++;
      const submittedAt = performance.now();
      const results = await client.batch(batch, "irreversible", 10_000).catch(() => undefined);
      if (results === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      for (const { id, status } of results) if (status === "irreversible") this.acknowledged.add(id);
      const done = new Set(
        results.filter(({ status }) => status === "irreversible" || status === "inChain").map(({ id }) => id),
      );
      if (results.some(({ status }) => status === "irreversible") && submittedAt > this.#newest.submittedAt) {
        this.#newest = { submittedAt, answeredAt: performance.now() };
      }
      batch = batch.filter(({ id }) => !done.has(id));
      this.#waiters = this.#waiters.filter((waiter) => !waiter());
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
    client.close();
  }
}

/** Stops nodes as planned. @returns what is wrong with how they ended and with their chains; empty: nothing */
export async function endFaults(nodes: readonly NodeProcess[], acknowledged: ReadonlySet<string>): Promise<string[]> {
  const ends = await Promise.all(nodes.map((node) => node.end("SIGTERM")));
  const badly = nodes.flatMap(({ node }, i) => (ends[i] === 0 ? [] : [`${node.name} ended with ${ends[i]}`]));
  return [...badly, ...chainFaults(nodes, acknowledged)];
}

/** What is wrong with the chains of stopped nodes; empty: nothing. */
function chainFaults(nodes: readonly NodeProcess[], acknowledged: ReadonlySet<string>): string[] {
  const stopped = nodes.map(({ node }) => readStopped(node.name, node.dir));
  const faults = differences(stopped);
  for (const { name, chain } of stopped) {
    const lost = [...acknowledged].filter((id) => !chain.transactionCounts.has(id));
    if (lost.length > 0) faults.push(`${name}: ${lost.length} acknowledged transactions are lost, ${lost[0]} first`);
    const twice = [...chain.transactionCounts].filter(([, count]) => count > 1);
    if (twice.length > 0) faults.push(`${name}: ${twice.length} transactions more than once, ${twice[0]?.[0]} first`);
  }
  return faults;
}
