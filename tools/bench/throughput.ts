/** Irreversible transactions a second, and how long each takes, at a number of transactions in flight. */
import { LoadClient, makeTransaction, type TransactionShape } from "../network/load.ts";
import { quantile, round } from "./statistics.ts";

export interface ThroughputSettings {
  readonly shape: TransactionShape;
  /** Transactions under way at any time. */
  readonly inFlight: number;
  readonly seconds: number;
  /** One HTTP request a transaction, or up to 1,024 transactions a request over at most 4 connections. */
  readonly requests: "single" | "batch";
}

export interface ThroughputRow extends ThroughputSettings {
  readonly transactionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const CONNECTIONS = 4;

export async function measureThroughput(url: string, settings: ThroughputSettings): Promise<ThroughputRow> {
  const { shape, inFlight, seconds, requests } = settings;
  const client = new LoadClient(url);
  const connections = requests === "single" ? inFlight : Math.min(CONNECTIONS, inFlight);
  const size = requests === "single" ? 1 : Math.ceil(inFlight / connections);
  const latencies: number[] = [];
  let done = 0;
  let failed = 0;
  const started = performance.now();
  const until = started + seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const transactions = Array.from({ length: size }, () => makeTransaction(shape, Date.now()));
      const sent = performance.now();
      const results =
        requests === "single"
          ? [await client.single(transactions[0] as (typeof transactions)[number], "irreversible", 20_000)]
          : await client.batch(transactions, "irreversible", 20_000);
      latencies.push(performance.now() - sent);
      for (const { status } of results) {
        if (status === "irreversible") done++;
        else failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const elapsed = (performance.now() - started) / 1000;
  client.close();
  return {
    ...settings,
    transactionsPerSecond: Math.round(done / elapsed),
    p50Ms: round(quantile(latencies, 0.5)),
    p99Ms: round(quantile(latencies, 0.99)),
    failed,
  };
}
