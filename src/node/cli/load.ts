/** `devnet --load N`: N puts a second through the batch endpoint of all nodes in turn, and what came of them. */
import type { SubmitAnswer } from "./tx.ts";

const TICK_MS = 100;
const VALUE_BYTES = 100;
const KEYS = 10_000;
const WAIT_MS = 30_000;
/** Requests under way; above, the load is not sent, and counted. */
const REQUESTS_MAX = 64;
/** Latencies of the last requests. */
const LATENCIES_KEPT = 256;

export interface LoadReport {
  readonly sent: number;
  readonly irreversible: number;
  readonly unsent: number;
  /** Everything else by code. */
  readonly failures: Readonly<Record<string, number>>;
  /** From sending a batch to its answer: half of the last ones took at most this long, and 99 of 100. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export class Load {
  readonly #perSecond: number;
  readonly #urls: readonly string[];
  readonly #failures = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #next = 0;
  #key = 0;
  #requests = 0;
  #sent = 0;
  #irreversible = 0;
  #unsent = 0;

  constructor(perSecond: number, urls: readonly string[]) {
    this.#perSecond = perSecond;
    this.#urls = urls;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  report(): LoadReport {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    return {
      sent: this.#sent,
      irreversible: this.#irreversible,
      unsent: this.#unsent,
      failures: Object.fromEntries(this.#failures),
      p50Ms: sorted[Math.floor(sorted.length * 0.5)],
      p99Ms: sorted[Math.floor(sorted.length * 0.99)],
    };
  }

  #tick(): void {
    this.#due += (this.#perSecond * TICK_MS) / 1000;
    const count = Math.floor(this.#due);
    this.#due -= count;
    if (count === 0) return;
    if (this.#requests >= REQUESTS_MAX) this.#unsent += count;
    else void this.#send(count);
  }

  async #send(count: number): Promise<void> {
    this.#requests++;
    this.#sent += count;
    const url = this.#urls[this.#next++ % this.#urls.length];
    const started = performance.now();
    try {
      const response = await fetch(`${url}/v1/transactions/batch?wait=irreversible&timeout=${WAIT_MS}`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: this.#lines(count),
        signal: AbortSignal.timeout(2 * WAIT_MS),
      });
      const text = await response.text();
      if (response.status === 200) this.#count(text);
      else this.#fail(`HTTP_${response.status}`, count);
      this.#latenciesMs.push(performance.now() - started);
      if (this.#latenciesMs.length > LATENCIES_KEPT) this.#latenciesMs.shift();
    } catch {
      this.#fail("UNREACHABLE", count); // the node is down; the table shows which
    } finally {
      this.#requests--;
    }
  }

  #lines(count: number): string {
    let lines = "";
    for (let i = 0; i < count; i++) {
      const key = `load/${this.#key++ % KEYS}`;
      lines += `{"put":{"key":"${key}","value":"${String(this.#key).padEnd(VALUE_BYTES, ".")}"}}\n`;
    }
    return lines;
  }

  #count(text: string): void {
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const { status, error } = JSON.parse(line) as SubmitAnswer;
      if (status === "irreversible") this.#irreversible++;
      else this.#fail(error?.code ?? status.toUpperCase(), 1);
    }
  }

  #fail(code: string, count: number): void {
    this.#failures.set(code, (this.#failures.get(code) ?? 0) + count);
  }
}

export function loadText({ sent, irreversible, unsent, failures, p50Ms, p99Ms }: LoadReport, seconds: number): string {
  const rate = (irreversible / Math.max(seconds, 1)).toFixed(0);
  const latency = p50Ms === undefined ? "" : `, p50 ${p50Ms.toFixed(0)} ms, p99 ${(p99Ms ?? p50Ms).toFixed(0)} ms`;
  const failed = Object.entries(failures).map(([code, count]) => `, ${count} ${code}`);
  const kept = unsent === 0 ? "" : `, ${unsent} not sent (too many under way)`;
  return `load: ${sent} sent, ${irreversible} irreversible (${rate}/s)${latency}${failed.join("")}${kept}`;
}
